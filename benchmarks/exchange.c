/*
 * Counts what a connection costs where an instruction takes a nanosecond:
 *   exchange serve ADDRESS PORT NAME
 *       answers each request with NAME, which has NAME_SIZE letters. One connection at a time for each of
 *       WORKERS processes.
 *   exchange connect CONNECTIONS REQUESTS PRIORITY ADDRESS PORT NAME TARGET [HEADER]...
 *       connect, requests one after the other, close; again. NAME, or one of NAME,NAME, must be in each
 *       answer. One line of JSON.
 *   exchange watch CONNECTIONS ADDRESS PORT NAME,NAME TARGET
 *       the same without counting what it costs: how many connections failed, and who answered the others.
 * Blocking sockets, and nothing that is not needed: so our part of it is as large as it can be. Clients and
 * servers run before everybody else. With a PRIORITY below SERVER_PRIORITY a server runs as soon as there is
 * something for it to do, as on a processor of its own; above it, when the client waits, so that there are as
 * few switches between the two as possible.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME_SIZE = 8,
	WORKERS = 4, /* a proxy may keep a connection, and open another one */
	CONNECTIONS_MAX = 65536,
	REQUEST_MAX = 8192,
	ANSWER_MAX = 2048, /* a proxy adds headers */
	SERVER_PRIORITY = 20,
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void die(const char *what)
{
	fprintf(stderr, "exchange: %s: %s\n", what, errno ? strerror(errno) : "it ended");
	exit(1);
}

static void die_of_usage(void)
{
	fputs("usage: exchange serve ADDRESS PORT NAME | "
	      "connect CONNECTIONS REQUESTS PRIORITY ADDRESS PORT NAME TARGET [HEADER]... | "
	      "watch CONNECTIONS ADDRESS PORT NAME,NAME TARGET\n",
	      stderr);
	exit(2);
}

/* Not corrected by anybody's idea of the time. */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Else the same connection has now more, now less switches between tasks. */
static void take_priority(int priority)
{
	struct sched_param wanted = { .sched_priority = priority };

	if (sched_setscheduler(0, SCHED_FIFO, &wanted) < 0)
		die("take a priority");
}

static long number(const char *text, long least, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (!*text || *end || value < least || value > most)
		die_of_usage();
	return value;
}

static socklen_t parse(union address *address, const char *text, const char *port)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)number(port, 1, 65535));
		return sizeof(address->v4);
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) != 1)
		die_of_usage();
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons((uint16_t)number(port, 1, 65535));
	return sizeof(address->v6);
}

/* --- serve --- */

/* A request has no body, and its last bytes are its empty line. */
static void serve_connection(int fd, const char *answer, size_t size)
{
	char input[REQUEST_MAX];
	size_t have = 0;

	for (;;) {
		ssize_t count = read(fd, input + have, sizeof(input) - have);

		if (count <= 0)
			return;
		have += (size_t)count;
		if (have < 4 || memcmp(input + have - 4, "\r\n\r\n", 4))
			continue;
		have = 0;
		if (write(fd, answer, size) != (ssize_t)size)
			return;
	}
}

static void serve_for_ever(int listener, const char *name)
{
	char answer[128];
	int size = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s",
			    NAME_SIZE, name);

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		serve_connection(fd, answer, (size_t)size);
		close(fd);
	}
}

static void serve(const char *host, const char *port, const char *name)
{
	union address address;
	socklen_t size = parse(&address, host, port);
	int on = 1;
	int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listener, &address.any, size) < 0 || listen(listener, 64) < 0)
		die("listen");
	take_priority(SERVER_PRIORITY);
	for (int worker = 1; worker < WORKERS; worker++) {
		if (fork())
			continue;
		/* It ends with the one that is known to who started it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_for_ever(listener, name);
	}
	serve_for_ever(listener, name);
}

/* --- connect --- */

static uint64_t connections[CONNECTIONS_MAX]; /* what each took */
static uint64_t requests[CONNECTIONS_MAX]; /* the ones after the first, of all connections */
static size_t request_count;

static int is_one_of(const char *body, const char *names)
{
	for (const char *name = names; strlen(name) >= NAME_SIZE; name += NAME_SIZE + 1) {
		if (!memcmp(body, name, NAME_SIZE))
			return 1;
		if (!name[NAME_SIZE])
			break;
	}
	return 0;
}

/* The whole answer: the body comes last, and has NAME_SIZE bytes. */
static void expect_answer(int fd, const char *names)
{
	char input[ANSWER_MAX];
	size_t have = 0;

	for (;;) {
		ssize_t count = recv(fd, input + have, sizeof(input) - have, 0);
		const char *body;

		if (count <= 0)
			die("read an answer");
		have += (size_t)count;
		body = memmem(input, have, "\r\n\r\n", 4);
		if (!body || input + have - (body + 4) < NAME_SIZE)
			continue;
		if (memcmp(input, "HTTP/1.1 200", 12) || !is_one_of(body + 4, names)) {
			fprintf(stderr, "exchange: not %s answers: %.*s\n", names, (int)have, input);
			exit(1);
		}
		return;
	}
}

static void exchange(const union address *to, socklen_t to_size, long count, const char *text, size_t size,
		     const char *name)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || connect(fd, &to->any, to_size) < 0)
		die("connect");
	/* As Go, nginx, Envoy and curl do. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (long request = 0; request < count; request++) {
		uint64_t before = now_ns();

		if (send(fd, text, size, 0) != (ssize_t)size)
			die("send");
		expect_answer(fd, name);
		if (request && request_count < CONNECTIONS_MAX)
			requests[request_count++] = now_ns() - before;
	}
	close(fd);
}

static int compare(const void *one, const void *other)
{
	const uint64_t *left = one, *right = other;

	return *left < *right ? -1 : *left > *right;
}

static void print(const char *name, uint64_t *found, size_t count, const char *end)
{
	if (!count)
		return;
	qsort(found, count, sizeof(*found), compare);
	printf("\"%s_min\": %llu, \"%s_median\": %llu, \"%s_p90\": %llu%s", name,
	       (unsigned long long)found[0], name, (unsigned long long)found[count / 2], name,
	       (unsigned long long)found[count * 9 / 10], end);
}

/* What the clock makes of a million instructions of a loop: whether one takes a nanosecond here. */
static double calibrate(void)
{
	uint64_t before = now_ns();
	unsigned long left = 500000;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(left) : : "cc");
	return (double)(now_ns() - before) / 1e6;
}

static void run(long count, long each, int priority, char **words)
{
	static char text[REQUEST_MAX];
	union address to;
	socklen_t to_size = parse(&to, words[0], words[1]);
	int size = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: shop\r\n", words[3]);
	uint64_t began;

	for (char **header = words + 4; *header && size < REQUEST_MAX / 2; header++)
		size += snprintf(text + size, sizeof(text) - (size_t)size, "%s\r\n", *header);
	size += snprintf(text + size, sizeof(text) - (size_t)size, "\r\n");
	take_priority(priority);
	/* What is done for the first time costs more. */
	for (int warming = 0; warming < 20; warming++)
		exchange(&to, to_size, each, text, (size_t)size, words[2]);
	request_count = 0;
	began = now_ns();
	for (long at = 0; at < count; at++) {
		uint64_t ended;

		exchange(&to, to_size, each, text, (size_t)size, words[2]);
		ended = now_ns();
		connections[at] = ended - began;
		began = ended;
	}
	printf("{");
	print("connection", connections, (size_t)count, ", ");
	print("request", requests, request_count, ", ");
	printf("\"nanoseconds_per_instruction\": %.3f}\n", calibrate());
}

/* Which of the two names answers: 0 or 1; below 0: neither. */
static int try_once(const union address *to, socklen_t to_size, const char *text, size_t size,
		    const char *names)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char input[ANSWER_MAX + 1];
	int which = -1;
	ssize_t count;

	if (fd < 0)
		die("socket");
	if (!connect(fd, &to->any, to_size) && send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size) {
		count = recv(fd, input, ANSWER_MAX, 0);
		input[count > 0 ? count : 0] = 0;
		for (int at = 0; at < 2 && which < 0; at++) {
			char name[NAME_SIZE + 1] = "";

			memcpy(name, names + at * (NAME_SIZE + 1), NAME_SIZE);
			if (strstr(input, name))
				which = at;
		}
	}
	close(fd);
	return which;
}

static void watch(long count, char **words)
{
	char text[REQUEST_MAX];
	union address to;
	socklen_t to_size = parse(&to, words[0], words[1]);
	int size = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: shop\r\n\r\n", words[3]);
	long found[3] = { 0 };

	if (strlen(words[2]) != 2 * NAME_SIZE + 1 || size >= REQUEST_MAX)
		die_of_usage();
	for (long at = 0; at < count; at++)
		found[1 + try_once(&to, to_size, text, (size_t)size, words[2])]++;
	printf("{\"connections\": %ld, \"failed\": %ld, \"%.*s\": %ld, \"%s\": %ld}\n", count, found[0],
	       NAME_SIZE, words[2], found[1], words[2] + NAME_SIZE + 1, found[2]);
}

int main(int count, char **words)
{
	if (count == 5 && !strcmp(words[1], "serve") && strlen(words[4]) == NAME_SIZE) {
		serve(words[2], words[3], words[4]);
	} else if (count >= 9 && !strcmp(words[1], "connect")) {
		run(number(words[2], 1, CONNECTIONS_MAX), number(words[3], 1, 1000),
		    (int)number(words[4], 1, 99), words + 5);
		return 0;
	} else if (count == 7 && !strcmp(words[1], "watch")) {
		watch(number(words[2], 1, CONNECTIONS_MAX), words + 3);
		return 0;
	}
	die_of_usage();
}
