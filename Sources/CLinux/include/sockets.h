/* Event queues and sockets. The calls return -1 and set errno when they fail, as libc does. */
#ifndef CLINUX_SOCKETS_H
#define CLINUX_SOCKETS_H

/* epoll(7) without the union that Swift takes for unsafe. */

#define KMESH_EVENTS_MAX 256
/* Interests and events; they may be combined. An error or hang-up counts as both. */
#define KMESH_EVENT_INPUT 1U
#define KMESH_EVENT_OUTPUT 2U

struct kmesh_event {
	unsigned int events;
	int descriptor;
};

int kmesh_epoll_create(void);
int kmesh_epoll_add(int queue, int descriptor, unsigned int events);
int kmesh_epoll_change(int queue, int descriptor, unsigned int events);
/* Fills at most KMESH_EVENTS_MAX events; returns how many. */
int kmesh_epoll_wait(int queue, struct kmesh_event *events, int timeout_ms);

/* Sockets of both IP versions. Addresses are IPv6 or v4-mapped, in network order; ports in the machine's. */

struct kmesh_socket_address {
	unsigned char address[16];
	unsigned int scope; /* of a link-local address */
	unsigned short port;
};

/* A connection of a listening AF_INET6 socket: non-blocking, closed on exec. */
int kmesh_accept_from(int listener, struct kmesh_socket_address *peer);

/* Lets an AF_INET6 datagram socket report where datagrams were sent to. */
int kmesh_datagram_prepare(int socket);
long kmesh_datagram_receive(int socket, void *bytes, unsigned long size, struct kmesh_socket_address *peer,
			    unsigned char *local);
/* Sends from the address `local`, so that the answer comes from where the question went. */
long kmesh_datagram_send(int socket, const void *bytes, unsigned long size,
			 const struct kmesh_socket_address *peer, const unsigned char *local);

#endif
