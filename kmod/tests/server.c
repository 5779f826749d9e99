// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A server that says which one it is: server NAME ADDRESS PORT [greet]
 *
 * It answers HTTP requests with "NAME head=BYTES body=BYTES", what is cut off by the end of the input with
 * "NAME cut=BYTES", and other bytes with "NAME echo BYTES"; each ends in a line feed. With greet it speaks
 * first.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	int fd;
	size_t count;
	size_t skip; /* of a body */
	char bytes[20000];
};

static const char *name;

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		shutdown(fd, SHUT_RDWR);
}

static void answer(struct connection *connection, size_t head, size_t body, int closes)
{
	char text[128], reply[256];

	snprintf(text, sizeof(text), "%s head=%zu body=%zu\n", name, head, body);
	snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s", strlen(text),
		 closes ? "Connection: close\r\n" : "", text);
	say(connection->fd, reply);
	if (closes)
		shutdown(connection->fd, SHUT_WR);
}

static void drop(struct connection *connection, size_t count)
{
	connection->count -= count;
	memmove(connection->bytes, connection->bytes + count, connection->count + 1);
}

/* Looks for a header line in the head that ends at `end`. */
static const char *find(const char *head, const char *end, const char *line)
{
	const char *found = strcasestr(head, line);

	return found && found < end ? found + strlen(line) : NULL;
}

static void serve(struct connection *connection)
{
	char *end;

	while (!connection->skip && (end = strstr(connection->bytes, "\r\n\r\n"))) {
		const char *length = find(connection->bytes, end, "content-length:");
		size_t head = end + 4 - connection->bytes, body = length ? strtoul(length, NULL, 10) : 0;
		size_t there = connection->count - head < body ? connection->count - head : body;

		answer(connection, head, body, find(connection->bytes, end, "connection: close") != NULL);
		drop(connection, head + there);
		connection->skip = body - there;
	}
	if (connection->count && (connection->bytes[0] < 'A' || connection->bytes[0] > 'Z')) {
		char text[sizeof(connection->bytes) + 64];
		int size = snprintf(text, 64, "%s echo ", name);

		memcpy(text + size, connection->bytes, connection->count);
		if (write(connection->fd, text, size + connection->count) < 0)
			shutdown(connection->fd, SHUT_RDWR);
		drop(connection, connection->count);
	}
}

/* Returns 0 when the connection has ended. */
static int receive(struct connection *connection)
{
	size_t room = sizeof(connection->bytes) - 1 - connection->count;
	ssize_t got = read(connection->fd, connection->bytes + connection->count, room);
	char text[64];

	if (got <= 0) {
		if (!got && connection->count) {
			snprintf(text, sizeof(text), "%s cut=%zu\n", name, connection->count);
			say(connection->fd, text);
		}
		close(connection->fd);
		free(connection);
		return 0;
	}
	connection->count += got;
	connection->bytes[connection->count] = 0;
	if (connection->skip) {
		size_t skipped = connection->skip < connection->count ? connection->skip : connection->count;

		connection->skip -= skipped;
		drop(connection, skipped);
	}
	serve(connection);
	return 1;
}

static void welcome(int poll, int listener, int greets)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct connection *connection = calloc(1, sizeof(*connection));
	int one = 1;

	connection->fd = accept(listener, NULL, NULL);
	if (connection->fd < 0) {
		free(connection);
		return;
	}
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event.data.ptr = connection;
	epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &event);
	if (greets) {
		char text[64];

		snprintf(text, sizeof(text), "hello from %s\n", name);
		say(connection->fd, text);
	}
}

static int listen_on(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
	int fd, one = 1;

	if (getaddrinfo(address, port, &hints, &found))
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Where the kernel allows it at all. */
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 16 }, sizeof(int));
	if (bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 1024))
		return -1;
	return fd;
}

int main(int count, char **arguments)
{
	struct epoll_event events[64], event = { .events = EPOLLIN };
	int poll = epoll_create1(0), listener, number;

	signal(SIGPIPE, SIG_IGN);
	if (count < 4) {
		fprintf(stderr, "usage: server NAME ADDRESS PORT [greet]\n");
		return 2;
	}
	name = arguments[1];
	listener = listen_on(arguments[2], arguments[3]);
	if (listener < 0) {
		perror("server: cannot listen");
		return 1;
	}
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int ready = epoll_wait(poll, events, 64, -1);

		for (number = 0; number < ready; number++) {
			if (!events[number].data.ptr)
				welcome(poll, listener, count > 4);
			else
				receive(events[number].data.ptr);
		}
	}
}
