/* Connections and datagrams with their addresses. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static void describe(struct kmesh_socket_address *endpoint, const struct sockaddr_in6 *address)
{
	memcpy(endpoint->address, &address->sin6_addr, 16);
	endpoint->scope = address->sin6_scope_id;
	endpoint->port = ntohs(address->sin6_port);
}

int kmesh_accept_from(int listener, struct kmesh_socket_address *peer)
{
	struct sockaddr_in6 address = {};
	socklen_t size = sizeof(address);
	int socket = accept4(listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket >= 0)
		describe(peer, &address);
	return socket;
}

int kmesh_datagram_prepare(int socket)
{
	int on = 1;

	return setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

long kmesh_datagram_receive(int socket, void *bytes, unsigned long size, struct kmesh_socket_address *peer,
			    unsigned char *local)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_in6 address = {};
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long length = recvmsg(socket, &message, 0);

	if (length < 0)
		return -1;
	describe(peer, &address);
	memset(local, 0, 16);
	for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item != NULL;
	     item = CMSG_NXTHDR(&message, item)) {
		if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo where;

			memcpy(&where, CMSG_DATA(item), sizeof(where));
			memcpy(local, &where.ipi6_addr, 16);
		}
	}
	return length;
}

long kmesh_datagram_send(int socket, const void *bytes, unsigned long size,
			 const struct kmesh_socket_address *peer, const unsigned char *local)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {};
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(peer->port),
		.sin6_scope_id = peer->scope,
	};
	struct in6_pktinfo where = {};
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *item = CMSG_FIRSTHDR(&message);

	memcpy(&address.sin6_addr, peer->address, 16);
	memcpy(&where.ipi6_addr, local, 16);
	item->cmsg_level = IPPROTO_IPV6;
	item->cmsg_type = IPV6_PKTINFO;
	item->cmsg_len = CMSG_LEN(sizeof(where));
	memcpy(CMSG_DATA(item), &where, sizeof(where));
	return sendmsg(socket, &message, 0);
}
