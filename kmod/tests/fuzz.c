// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Threads that do everything with sockets that they share, against each other: fuzz ADDRESS PORT SECONDS.
 * Nothing is expected of the calls; the kernel shall survive them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 8
#define THREADS 6

static const char request[] = "POST /x HTTP/1.1\r\nHost: A\r\nX-Version: v2\r\nX-Version: v3\r\n"
			      "Content-Length: 3\r\n\r\nabc";

static struct sockaddr_in dialed = { .sin_family = AF_INET };
static struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 }; /* the same */
static struct sockaddr_in nowhere = { .sin_family = AF_UNSPEC };
static int sockets[SOCKETS];
static int stopped;
static long operations;
static int file;

/* The socket is of the one family or the other: the other address fails. */
static void dial(int fd)
{
	if (connect(fd, (void *)&dialed, sizeof(dialed)))
		connect(fd, (void *)&mapped, sizeof(mapped));
}

static void open_one(unsigned int *seed, int place)
{
	int flags = rand_r(seed) & 1 ? SOCK_NONBLOCK : 0, old;
	int fd = socket(rand_r(seed) & 3 ? AF_INET : AF_INET6, SOCK_STREAM | flags, 0);
	struct timeval soon = { .tv_usec = 50000 };
	struct linger never = { .l_onoff = 1 };
	int size = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	if (rand_r(seed) & 3)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
	if (!(rand_r(seed) & 7))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (rand_r(seed) & 3)
		dial(fd);
	old = __atomic_exchange_n(&sockets[place], fd, __ATOMIC_SEQ_CST);
	if (old >= 0)
		close(old);
}

static void send_some(unsigned int *seed, int fd)
{
	int flags = MSG_NOSIGNAL | (rand_r(seed) & 1 ? MSG_DONTWAIT : 0);
	size_t size = sizeof(request) - 1;
	char large[20000];

	switch (rand_r(seed) % 9) {
	case 0:
		send(fd, request, rand_r(seed) % size, flags | (rand_r(seed) & 1 ? MSG_MORE : 0));
		break;
	case 1:
		send(fd, "\x16\x03\x01zz", 5, flags);
		break;
	case 2:
		send(fd, request, size, flags | MSG_OOB);
		break;
	case 3:
		sendto(fd, request, size, flags | MSG_FASTOPEN, (void *)&dialed, sizeof(dialed));
		break;
	case 4:
		memset(large, 'a', sizeof(large));
		memcpy(large, request, rand_r(seed) & 1 ? size : 20);
		send(fd, large, sizeof(large), flags);
		break;
	case 5: {
		off_t start = 0;

		sendfile(fd, file, &start, size);
		break;
	}
	case 6:
		send(fd, request, size, flags | MSG_ZEROCOPY);
		break;
	default:
		send(fd, request, size, flags);
	}
}

static void look(unsigned int *seed, int fd)
{
	char bytes[4096];
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int value;

	switch (rand_r(seed) % 7) {
	case 0:
		getpeername(fd, (void *)&address, &size);
		break;
	case 1:
		getsockname(fd, (void *)&address, &size);
		break;
	case 2:
		size = 256;
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, &size);
		break;
	case 3:
		size = sizeof(value);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size);
		break;
	case 4:
		ioctl(fd, FIONREAD, &value);
		ioctl(fd, TIOCOUTQ, &value);
		break;
	case 5:
		getsockopt(fd, IPPROTO_TCP, TCP_ULP, bytes, &size);
		break;
	default:
		recv(fd, bytes, sizeof(bytes),
		     (rand_r(seed) & 1 ? MSG_DONTWAIT : 0) | (rand_r(seed) & MSG_PEEK));
	}
}

static void wait_for(unsigned int *seed, int fd)
{
	struct pollfd one = { .fd = fd, .events = rand_r(seed) & 1 ? POLLIN : POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN | EPOLLET | (rand_r(seed) & 1 ? EPOLLOUT : 0) };
	int group;

	if (rand_r(seed) & 1) {
		poll(&one, 1, rand_r(seed) % 20);
		return;
	}
	group = epoll_create1(0);
	epoll_ctl(group, EPOLL_CTL_ADD, fd, &event);
	epoll_wait(group, &event, 1, rand_r(seed) % 10);
	close(group);
}

static void set_something(unsigned int *seed, int fd)
{
	int one = 1, size = 4096;

	switch (rand_r(seed) % 7) {
	case 0:
		setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3);
		break;
	case 1:
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one));
		break;
	case 2:
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		break;
	case 3:
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		break;
	case 4:
		setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
		break;
	case 5:
		one = AF_INET;
		setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &one, sizeof(one));
		break;
	default:
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &size, sizeof(size));
	}
}

static void *run(void *argument)
{
	unsigned int seed = time(NULL) + (unsigned int)(long)argument * 7919;

	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
		int place = rand_r(&seed) % SOCKETS, fd = sockets[place], copy;

		__atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
		switch (rand_r(&seed) % 20) {
		case 0 ... 2:
			open_one(&seed, place);
			break;
		case 3 ... 4:
			dial(fd);
			break;
		case 5 ... 9:
			send_some(&seed, fd);
			break;
		case 10 ... 12:
			look(&seed, fd);
			break;
		case 13 ... 14:
			wait_for(&seed, fd);
			break;
		case 15:
			set_something(&seed, fd);
			break;
		case 16:
			shutdown(fd, rand_r(&seed) % 3);
			break;
		case 17:
			connect(fd, (void *)&nowhere, sizeof(nowhere));
			break;
		case 18:
			listen(fd, 1);
			break;
		default:
			copy = dup(fd);
			if (copy >= 0) {
				send_some(&seed, copy);
				close(copy);
			}
		}
	}
	return NULL;
}

int main(int count, char **arguments)
{
	pthread_t threads[THREADS];
	long number;

	if (count != 4 || inet_pton(AF_INET, arguments[1], &dialed.sin_addr) != 1) {
		fprintf(stderr, "usage: fuzz ADDRESS PORT SECONDS\n");
		return 2;
	}
	dialed.sin_port = mapped.sin6_port = htons(atoi(arguments[2]));
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped.sin6_addr.s6_addr[12], &dialed.sin_addr, sizeof(dialed.sin_addr));
	signal(SIGPIPE, SIG_IGN);
	memset(sockets, -1, sizeof(sockets));
	file = memfd_create("request", 0);
	if (write(file, request, sizeof(request) - 1) < 0)
		return 1;
	for (number = 0; number < THREADS; number++)
		pthread_create(&threads[number], NULL, run, (void *)number);
	sleep(atoi(arguments[3]));
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
	for (number = 0; number < THREADS; number++)
		pthread_join(threads[number], NULL);
	printf("%ld operations\n", operations);
	return 0;
}
