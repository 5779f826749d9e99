// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * All backends of the tests in one process: server [-g] PORT...
 *
 * It listens at these ports of every address. Each answer begins with the address and port that the
 * connection came to, which say which endpoint was chosen:
 * "ADDRESS:PORT METHOD TARGET head=BYTES body=BYTES" for a request, "ADDRESS:PORT echo BYTES" for other
 * bytes, each with a line feed. With -g it speaks first: "ADDRESS:PORT hello".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
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
	int is_listener;
	char name[80];
	size_t count;
	size_t skip; /* of a body */
	char bytes[20000];
};

static int greets, queue;

static void say(const struct connection *connection, const char *text, size_t size)
{
	if (write(connection->fd, text, size) < 0)
		shutdown(connection->fd, SHUT_RDWR);
}

/* Looks for a header line in the head that ends at `end`. */
static const char *find(const char *head, const char *end, const char *line)
{
	const char *found = strcasestr(head, line);

	return found && found < end ? found + strlen(line) : NULL;
}

static void answer(struct connection *connection, const char *end, size_t body)
{
	int closes = find(connection->bytes, end, "\nconnection: close") != NULL;
	int first = strcspn(connection->bytes, "\r\n");
	char text[300], reply[500];
	int size;

	if (first > 150)
		first = 150;
	size = snprintf(text, sizeof(text), "%s %.*s head=%td body=%zu\n", connection->name, first,
			connection->bytes, end + 4 - connection->bytes, body);
	size = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", size,
			closes ? "Connection: close\r\n" : "", text);
	say(connection, reply, size);
	if (closes)
		shutdown(connection->fd, SHUT_WR);
}

static void drop(struct connection *connection, size_t count)
{
	connection->count -= count;
	memmove(connection->bytes, connection->bytes + count, connection->count + 1);
}

static void serve(struct connection *connection)
{
	char *end;

	while (!connection->skip && (end = strstr(connection->bytes, "\r\n\r\n"))) {
		const char *length = find(connection->bytes, end, "content-length:");
		size_t head = end + 4 - connection->bytes, body = length ? strtoul(length, NULL, 10) : 0;
		size_t there = connection->count - head < body ? connection->count - head : body;

		answer(connection, end, body);
		drop(connection, head + there);
		connection->skip = body - there;
	}
	if (connection->count && (connection->bytes[0] < 'A' || connection->bytes[0] > 'Z')) {
		char text[sizeof(connection->bytes) + 128];
		int size = snprintf(text, 128, "%s echo ", connection->name);

		memcpy(text + size, connection->bytes, connection->count);
		say(connection, text, size + connection->count);
		drop(connection, connection->count);
	}
}

static void receive(struct connection *connection)
{
	size_t room = sizeof(connection->bytes) - 1 - connection->count;
	ssize_t got = read(connection->fd, connection->bytes + connection->count, room);

	if (got <= 0) {
		close(connection->fd);
		free(connection);
		return;
	}
	connection->count += got;
	connection->bytes[connection->count] = 0;
	if (connection->skip) {
		size_t skipped = connection->skip < connection->count ? connection->skip : connection->count;

		connection->skip -= skipped;
		drop(connection, skipped);
	}
	serve(connection);
}

static void watch(struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	epoll_ctl(queue, EPOLL_CTL_ADD, connection->fd, &event);
}

static void name(struct connection *connection)
{
	struct sockaddr_in6 address = {};
	socklen_t size = sizeof(address);
	char text[INET6_ADDRSTRLEN];

	getsockname(connection->fd, (struct sockaddr *)&address, &size);
	if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
		inet_ntop(AF_INET, &address.sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(connection->name, sizeof(connection->name), "%s:%u", text, ntohs(address.sin6_port));
	} else {
		inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
		snprintf(connection->name, sizeof(connection->name), "[%s]:%u", text,
			 ntohs(address.sin6_port));
	}
}

static void welcome(const struct connection *listener)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int one = 1;
	char text[128];

	connection->fd = accept(listener->fd, NULL, NULL);
	if (connection->fd < 0) {
		free(connection);
		return;
	}
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	name(connection);
	watch(connection);
	if (greets)
		say(connection, text, snprintf(text, sizeof(text), "%s hello\n", connection->name));
}

static int listen_at(const char *port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	struct connection *listener = calloc(1, sizeof(*listener));
	int one = 1;

	listener->is_listener = 1;
	listener->fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) || listen(listener->fd, 1024))
		return -1;
	watch(listener);
	return 0;
}

int main(int count, char **arguments)
{
	struct epoll_event events[64];
	int number, option;

	signal(SIGPIPE, SIG_IGN);
	queue = epoll_create1(0);
	while ((option = getopt(count, arguments, "g")) == 'g')
		greets = 1;
	if (option != -1 || optind == count) {
		fprintf(stderr, "usage: server [-g] PORT...\n");
		return 2;
	}
	for (number = optind; number < count; number++) {
		if (listen_at(arguments[number])) {
			perror("server: cannot listen");
			return 1;
		}
	}
	for (;;) {
		int ready = epoll_wait(queue, events, 64, -1);

		for (number = 0; number < ready; number++) {
			struct connection *connection = events[number].data.ptr;

			if (connection->is_listener)
				welcome(connection);
			else
				receive(connection);
		}
	}
}
