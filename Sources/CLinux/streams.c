/* TCP streams and their events for the proxy's loop. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int result(int value)
{
	return value < 0 ? -errno : value;
}

int kmesh_stream_watch(int queue, int descriptor, unsigned long token)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = token };

	return result(epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event));
}

int kmesh_listener_watch(int queue, int descriptor, unsigned long token)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = token };

	return result(epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event));
}

int kmesh_listener_unwatch(int queue, int descriptor)
{
	return result(epoll_ctl(queue, EPOLL_CTL_DEL, descriptor, NULL));
}

int kmesh_stream_wait(int queue, struct kmesh_stream_event *events, int count, long timeout)
{
	struct epoll_event ready[KMESH_EVENTS_MAX];
	/* Rounded up, so that a deadline has passed when the wait for it ends. */
	long milliseconds = timeout < 0 ? -1 : (timeout + 999) / 1000;
	int found;

	if (count > KMESH_EVENTS_MAX)
		count = KMESH_EVENTS_MAX;
	found = epoll_wait(queue, ready, count, milliseconds > 60000 ? 60000 : (int)milliseconds);
	if (found < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < found; i++) {
		events[i].token = ready[i].data.u64;
		events[i].events = ready[i].events;
	}
	return found;
}

long kmesh_stream_receive(int socket, void *bytes, unsigned long size)
{
	long count = recv(socket, bytes, size, 0);

	return count < 0 ? -errno : count;
}

long kmesh_stream_peek(int socket, void *bytes, unsigned long size)
{
	long count = recv(socket, bytes, size, MSG_PEEK);

	return count < 0 ? -errno : count;
}

long kmesh_stream_send(int socket, const void *bytes, unsigned long size)
{
	long count = send(socket, bytes, size, MSG_NOSIGNAL);

	return count < 0 ? -errno : count;
}

/* The two families in one form: IPv4 is v4-mapped. */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static void describe(struct kmesh_socket_address *to, const union address *from)
{
	if (from->any.sa_family == AF_INET) {
		memcpy(to->address, mapped, 12);
		memcpy(to->address + 12, &from->v4.sin_addr, 4);
		to->port = ntohs(from->v4.sin_port);
		return;
	}
	memcpy(to->address, &from->v6.sin6_addr, 16);
	to->scope = from->v6.sin6_scope_id;
	to->port = ntohs(from->v6.sin6_port);
}

static socklen_t compose(union address *to, const struct kmesh_socket_address *from)
{
	memset(to, 0, sizeof(*to));
	if (memcmp(from->address, mapped, 12) == 0) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(from->port);
		memcpy(&to->v4.sin_addr, from->address + 12, 4);
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(from->port);
	to->v6.sin6_scope_id = from->scope;
	memcpy(&to->v6.sin6_addr, from->address, 16);
	return sizeof(to->v6);
}

int kmesh_stream_accept(int listener, struct kmesh_socket_address *peer)
{
	union address address;
	socklen_t size = sizeof(address);
	int socket = accept4(listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket < 0)
		return -errno;
	describe(peer, &address);
	return socket;
}

/* Closes `socket` and says why. */
static int give_up(int socket)
{
	int code = errno;

	close(socket);
	return -code;
}

static int set(int socket, int level, int option, int value)
{
	return setsockopt(socket, level, option, &value, sizeof(value));
}

static int make(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int kmesh_stream_connect(const struct kmesh_socket_address *target)
{
	union address address;
	socklen_t size = compose(&address, target);
	int socket = make(address.any.sa_family);

	if (socket < 0)
		return -errno;
	if (set(socket, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
		return give_up(socket);
	if (connect(socket, &address.any, size) < 0 && errno != EINPROGRESS)
		return give_up(socket);
	return socket;
}

int kmesh_stream_listen(const struct kmesh_socket_address *at, int backlog)
{
	union address address;
	socklen_t size = compose(&address, at);
	int socket = make(address.any.sa_family);

	if (socket < 0)
		return -errno;
	if (address.any.sa_family == AF_INET6 && set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0) < 0)
		return give_up(socket);
	if (set(socket, SOL_SOCKET, SO_REUSEADDR, 1) < 0 || set(socket, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
	    set(socket, IPPROTO_TCP, TCP_NODELAY, 1) < 0 || bind(socket, &address.any, size) < 0 ||
	    listen(socket, backlog) < 0)
		return give_up(socket);
	return socket;
}

int kmesh_stream_save_syn(int listener)
{
	return result(set(listener, IPPROTO_TCP, TCP_SAVE_SYN, 1));
}

long kmesh_stream_saved_syn(int socket, void *bytes, unsigned long size)
{
	socklen_t length = (socklen_t)size;

	return getsockopt(socket, IPPROTO_TCP, TCP_SAVED_SYN, bytes, &length) < 0 ? -errno : (long)length;
}

int kmesh_stream_local_address(int socket, struct kmesh_socket_address *address)
{
	union address local;
	socklen_t size = sizeof(local);

	if (getsockname(socket, &local.any, &size) < 0)
		return -errno;
	describe(address, &local);
	return 0;
}

void kmesh_stream_reset_on_close(int socket)
{
	struct linger reset = { .l_onoff = 1 };

	setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

long kmesh_stream_acknowledged(int socket)
{
	struct tcp_info facts = {};
	socklen_t size = sizeof(facts);

	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &facts, &size) < 0)
		return -errno;
	/* The kernel counts the SYN as one byte. */
	return facts.tcpi_bytes_acked > 0 ? (long)facts.tcpi_bytes_acked - 1 : 0;
}

int kmesh_splice_pipe(int *ends, int size)
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[1], F_SETPIPE_SZ, size);
	return result(fcntl(ends[1], F_GETPIPE_SZ));
}

long kmesh_splice(int from, int to, unsigned long size)
{
	long count = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	return count < 0 ? -errno : count;
}

long kmesh_monotonic_microseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

long kmesh_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur > (1L << 40) ? 1L << 40 : (long)limit.rlim_cur;
}

void kmesh_ignore_broken_pipes(void)
{
	signal(SIGPIPE, SIG_IGN);
}

int kmesh_processor_count(void)
{
	cpu_set_t processors;

	return sched_getaffinity(0, sizeof(processors), &processors) < 0 ? 1 : CPU_COUNT(&processors);
}
