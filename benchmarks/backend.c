/*
 * The server behind the proxies of the waypoint's benchmarks, one epoll loop:
 *   backend PORT:BYTES...    answers each request on PORT with a body of BYTES
 * It reads heads only to find their ends, and keeps every connection, whatever the request says: so its part
 * in the figures is the same for all proxies.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, DESCRIPTORS_MAX = 65536, REQUEST_MAX = 65536 };

struct answer {
	char *bytes;
	size_t size;
};

struct connection {
	const struct answer *answer;
	size_t owed; /* answers that are not sent yet */
	size_t sent; /* bytes of the first of them */
	unsigned int seen; /* how much of "\r\n\r\n" the last bytes were */
};

static struct connection connections[DESCRIPTORS_MAX];
static const struct answer *listeners[DESCRIPTORS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int epoll, int descriptor, unsigned int events)
{
	struct epoll_event event = {.events = events, .data.fd = descriptor};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0)
		die("epoll_ctl");
}

static const struct answer *make_answer(size_t size)
{
	struct answer *answer = malloc(sizeof(*answer));
	char head[160];
	int length = snprintf(head, sizeof(head),
			      "HTTP/1.1 200 OK\r\nServer: backend\r\nContent-Type: text/plain\r\n"
			      "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n",
			      size);

	answer->size = (size_t)length + size;
	answer->bytes = malloc(answer->size);
	memcpy(answer->bytes, head, (size_t)length);
	memset(answer->bytes + length, 'x', size);
	return answer;
}

static void listen_on(int epoll, const char *word)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	unsigned int port, size;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (sscanf(word, "%u:%u", &port, &size) != 2 || port > 65535) {
		fprintf(stderr, "usage: backend PORT:BYTES...\n");
		exit(2);
	}
	address.sin_port = htons((unsigned short)port);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Inherited by the connections. */
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4096) < 0)
		die(word);
	listeners[listener] = make_answer(size);
	watch(epoll, listener, EPOLLIN);
}

static void take(int epoll, int listener)
{
	for (;;) {
		int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (socket < 0)
			return;
		connections[socket] = (struct connection){.answer = listeners[listener]};
		watch(epoll, socket, EPOLLIN | EPOLLOUT | EPOLLET);
	}
}

/* Whether the connection goes on. */
static int answer(int socket)
{
	struct connection *connection = &connections[socket];

	while (connection->owed > 0) {
		const struct answer *answer = connection->answer;
		ssize_t count = send(socket, answer->bytes + connection->sent,
				     answer->size - connection->sent, MSG_NOSIGNAL);

		if (count < 0)
			return errno == EAGAIN;
		connection->sent += (size_t)count;
		if (connection->sent == answer->size) {
			connection->sent = 0;
			connection->owed--;
		}
	}
	return 1;
}

static int serve(int socket)
{
	static const char end[] = "\r\n\r\n";
	static char bytes[REQUEST_MAX];
	struct connection *connection = &connections[socket];

	for (;;) {
		ssize_t count = recv(socket, bytes, sizeof(bytes), 0);

		if (count == 0 || (count < 0 && errno != EAGAIN))
			return 0;
		for (ssize_t at = 0; at < count; at++) {
			if (bytes[at] != end[connection->seen])
				connection->seen = bytes[at] == '\r';
			else if (++connection->seen == 4) {
				connection->seen = 0;
				connection->owed++;
			}
		}
		if (!answer(socket))
			return 0;
		if (count < (ssize_t)sizeof(bytes))
			return 1;
	}
}

int main(int count, char **words)
{
	struct epoll_event events[EVENTS_MAX];
	struct rlimit limit;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		die("epoll_create1");
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int word = 1; word < count; word++)
		listen_on(epoll, words[word]);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int at = 0; at < ready; at++) {
			int descriptor = events[at].data.fd;

			if (listeners[descriptor])
				take(epoll, descriptor);
			else if (!(events[at].events & EPOLLIN ? serve(descriptor) : answer(descriptor)))
				close(descriptor);
		}
	}
}
