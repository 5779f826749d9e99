/* Short visits to other network namespaces. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_NETNS "/proc/thread-self/ns/net"

static void leave(int own)
{
	int saved = errno;

	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	close(own);
	errno = saved;
}

/* A descriptor to leave by, or -1. */
static int enter(int netns)
{
	int own = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return -1;
	if (setns(netns, CLONE_NEWNET) < 0) {
		int saved = errno;

		close(own);
		errno = saved;
		return -1;
	}
	return own;
}

int kmesh_netns_create(const char *path)
{
	int own = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	int result;

	if (own < 0)
		return -1;
	result = unshare(CLONE_NEWNET);
	if (result == 0)
		result = mount(OWN_NETNS, path, "none", MS_BIND, NULL);
	leave(own);
	return result;
}

int kmesh_netns_socket(int netns, int domain, int type, int protocol)
{
	int own = enter(netns);
	int result;

	if (own < 0)
		return -1;
	result = socket(domain, type | SOCK_CLOEXEC, protocol);
	leave(own);
	return result;
}

int kmesh_netns_attach_xdp(int netns, int program, int interface, unsigned int flags)
{
	int own = enter(netns);
	int result;

	if (own < 0)
		return -1;
	result = kmesh_bpf_link_create(program, interface, BPF_XDP, flags);
	if (result < 0) {
		errno = -result;
		result = -1;
	}
	leave(own);
	return result;
}

int kmesh_netns_open(int netns, const char *path, int flags)
{
	int own = enter(netns);
	int result;

	if (own < 0)
		return -1;
	result = open(path, flags | O_CLOEXEC);
	leave(own);
	return result;
}
