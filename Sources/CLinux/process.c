#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

/* Debian 12's headers lack it. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int kmesh_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int kmesh_peer_credentials(int socket, struct kmesh_peer_credentials *credentials)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -1;
	credentials->uid = peer.uid;
	credentials->gid = peer.gid;
	credentials->pid = peer.pid;
	return 0;
}

int kmesh_peer_groups(int socket, unsigned int *groups, unsigned int *count)
{
	socklen_t size = *count * sizeof(*groups);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return -1;
	*count = size / sizeof(*groups);
	return 0;
}

int kmesh_enter_network_namespace(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET);
}

int kmesh_is_namespace_file(const char *path)
{
	struct statfs filesystem;

	if (statfs(path, &filesystem) < 0)
		return -1;
	return filesystem.f_type == NSFS_MAGIC;
}

void kmesh_name_thread(const char *name)
{
	char shortened[16];

	snprintf(shortened, sizeof(shortened), "%s", name);
	prctl(PR_SET_NAME, shortened);
}
