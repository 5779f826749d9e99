#include "CLinux.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int kmesh_load_module(int file)
{
	return (int)syscall(SYS_finit_module, file, "", 0);
}

int kmesh_unload_module(const char *name)
{
	return (int)syscall(SYS_delete_module, name, O_NONBLOCK);
}
