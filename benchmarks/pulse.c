/*
 * The server of the suite restart, one epoll loop:
 *   pulse PORT...    answers with the address that was reached and the one that asks, in hex; a request for
 *                    /s begins a stream, on which a byte follows every 5 ms
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 256,
	DESCRIPTORS_MAX = 65536,
	BODY_LENGTH = 18, /* two addresses, a space and a line end */
	KIND_AT = 5, /* of the letter after the path's slash */
	PULSE_MS = 5,
};

static void die(const char *what)
{
	fprintf(stderr, "pulse: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int epoll;

static void watch(int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event event = { .events = events, .data.u32 = tag };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* Per descriptor. */
static struct served {
	uint32_t tail; /* the last four bytes that were read */
	uint32_t length; /* of the request so far */
	char kind;
	uint8_t is_listener;
	uint8_t is_streaming;
	char body[BODY_LENGTH + 1];
} served[DESCRIPTORS_MAX];

static int streaming[DESCRIPTORS_MAX];
static int streaming_count;

static void listen_on(uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	served[fd].is_listener = 1;
	watch(fd, EPOLLIN, (uint32_t)fd);
}

static void forget(int fd)
{
	for (int i = 0; served[fd].is_streaming && i < streaming_count; i++)
		if (streaming[i] == fd)
			streaming[i--] = streaming[--streaming_count];
	close(fd);
}

static void accept_all(int listener)
{
	for (;;) {
		struct sockaddr_in local, peer;
		socklen_t local_length = sizeof(local), peer_length = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &peer_length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0)
			return;
		if (fd >= DESCRIPTORS_MAX || getsockname(fd, (struct sockaddr *)&local, &local_length) < 0) {
			close(fd);
			continue;
		}
		served[fd] = (struct served){ .tail = 0 };
		snprintf(served[fd].body, sizeof(served[fd].body), "%08x %08x\n",
			 ntohl(local.sin_addr.s_addr), ntohl(peer.sin_addr.s_addr));
		watch(fd, EPOLLIN, (uint32_t)fd);
	}
}

static int answer(int fd)
{
	struct served *connection = &served[fd];
	int is_stream = connection->kind == 's';
	char output[256];
	int length = snprintf(output, sizeof(output), "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n%s",
			      is_stream ? 1000000000L : (long)BODY_LENGTH, connection->body);

	connection->tail = connection->length = 0;
	if (send(fd, output, (size_t)length, MSG_NOSIGNAL) != length)
		return 0;
	if (is_stream && !connection->is_streaming) {
		connection->is_streaming = 1;
		streaming[streaming_count++] = fd;
	}
	return 1;
}

/* Reads, and answers when the empty line has come; whether the connection goes on. */
static int serve_one(int fd)
{
	static const uint32_t empty_line = 0x0d0a0d0a;
	struct served *connection = &served[fd];
	char input[4096];
	ssize_t count = read(fd, input, sizeof(input));

	if (count < 0 && errno == EAGAIN)
		return 1;
	if (count <= 0)
		return 0;
	for (ssize_t i = 0; i < count; i++) {
		if (connection->length++ == KIND_AT)
			connection->kind = input[i];
		connection->tail = connection->tail << 8 | (uint8_t)input[i];
		if (connection->tail == empty_line && !answer(fd))
			return 0;
	}
	return 1;
}

/* Sends a byte on every stream. One whose client is slow or gone has its turn with what epoll says of it. */
static void pulse(void)
{
	for (int i = 0; i < streaming_count; i++)
		(void)!send(streaming[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int main(int count, char **ports)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t next = 0;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1");
	for (int i = 1; i < count; i++)
		listen_on((uint16_t)atoi(ports[i]));
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, streaming_count ? 1 : -1);
		uint64_t now = now_ns();

		for (int i = 0; i < ready; i++) {
			int fd = (int)events[i].data.u32;

			if (served[fd].is_listener)
				accept_all(fd);
			else if (!serve_one(fd))
				forget(fd);
		}
		if (now >= next) {
			next = now + PULSE_MS * 1000000ull;
			pulse();
		}
	}
}
