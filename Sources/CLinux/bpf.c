#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

long kmesh_bpf(int command, union bpf_attr *attributes, unsigned int size)
{
	long result = syscall(SYS_bpf, command, attributes, size);
	return result < 0 ? -errno : result;
}
