/* Open files that go from process to process. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union room {
	char bytes[CMSG_SPACE(sizeof(int) * KMESH_HANDOVER_MAX)];
	struct cmsghdr align;
};

long kmesh_send_descriptors(int socket, const void *bytes, unsigned long size, const int *descriptors,
			    int count)
{
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union room room = {};

	if (count < 0 || count > KMESH_HANDOVER_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = room.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * (unsigned)count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * (unsigned)count);
		memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (unsigned)count);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

long kmesh_receive_descriptors(int socket, void *bytes, unsigned long size, int *descriptors, int *count)
{
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	union room room;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = room.bytes,
				  .msg_controllen = sizeof(room.bytes) };
	long received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);

	*count = 0;
	if (received < 0)
		return received;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
		int here;

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		here = (int)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (*count + here > KMESH_HANDOVER_MAX)
			here = KMESH_HANDOVER_MAX - *count;
		memcpy(descriptors + *count, CMSG_DATA(at), sizeof(int) * (unsigned)here);
		*count += here;
	}
	if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
		for (int i = 0; i < *count; i++)
			close(descriptors[i]);
		*count = 0;
		errno = EMSGSIZE;
		return -1;
	}
	return received;
}
