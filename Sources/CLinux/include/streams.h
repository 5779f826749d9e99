/* TCP streams and their events for the proxy's loop: edge-triggered, without errno and without copies.
 * Each call returns a count or descriptor, or -errno. */
#ifndef CLINUX_STREAMS_H
#define CLINUX_STREAMS_H

#include "sockets.h"

/* Events of a stream; the values are those of epoll(7). */
#define KMESH_STREAM_INPUT 0x1U
#define KMESH_STREAM_OUTPUT 0x4U
#define KMESH_STREAM_ERROR 0x8U
#define KMESH_STREAM_HANGUP 0x10U
#define KMESH_STREAM_PEER_CLOSED 0x2000U

struct kmesh_stream_event {
	unsigned long token;
	unsigned int events;
};

/* Watches `descriptor` once and for all: every change of its state is one event. */
int kmesh_stream_watch(int queue, int descriptor, unsigned long token);
/* Watches a listener or eventfd by level: input only. */
int kmesh_listener_watch(int queue, int descriptor, unsigned long token);
int kmesh_listener_unwatch(int queue, int descriptor);
/* `timeout` in microseconds; -1 waits without end. */
int kmesh_stream_wait(int queue, struct kmesh_stream_event *events, int count, long timeout);

long kmesh_stream_receive(int socket, void *bytes, unsigned long size);
long kmesh_stream_peek(int socket, void *bytes, unsigned long size);
long kmesh_stream_send(int socket, const void *bytes, unsigned long size);
int kmesh_stream_accept(int listener, struct kmesh_socket_address *peer);
/* A socket that is about to be connected. IPv4 addresses get an IPv4 socket. */
int kmesh_stream_connect(const struct kmesh_socket_address *address);
/* A listener that shares its address with those of other threads, without delay of small writes. */
int kmesh_stream_listen(const struct kmesh_socket_address *address, int backlog);
/* Keeps each accepted connection's SYN for kmesh_stream_saved_syn(). */
int kmesh_stream_save_syn(int listener);
/* The headers, from the IP header on, of the SYN that began a connection. Once. */
long kmesh_stream_saved_syn(int socket, void *bytes, unsigned long size);
int kmesh_stream_local_address(int socket, struct kmesh_socket_address *address);
/* Closing will reset the connection: the peer sees that something is missing. */
void kmesh_stream_reset_on_close(int socket);
/* Bytes that the peer has acknowledged, its handshake not counted. */
long kmesh_stream_acknowledged(int socket);

/* A pipe without blocking. `size` is a wish; the kernel's limits may allow less. */
int kmesh_splice_pipe(int *ends, int size);
long kmesh_splice(int from, int to, unsigned long size);

/* Microseconds of the monotonic clock. */
long kmesh_monotonic_microseconds(void);
/* Raises the limit of open files to what the process may have. The limit then. */
long kmesh_raise_descriptor_limit(void);

/* From now on a write to a pipe or socket that nobody reads fails, and does not end the process. */
void kmesh_ignore_broken_pipes(void);
/* Processors that the calling process may use. */
int kmesh_processor_count(void);

#endif
