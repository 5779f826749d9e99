/*
 * The load of the suite restart: new connections and streams, each of them watched, to servers that are
 * pulse.c. An epoll loop:
 *   watch dial IN_FLIGHT STREAMS TARGET...    connections as fast as they can, and streams beside them
 *   watch knock IN_FLIGHT TARGET...           connections that must be refused, 100/s for each in flight
 * A target is ADDRESS:PORT=FIRST+COUNT@PEER: what is dialed, the endpoints that may answer, and whose address
 * they see. It runs until SIGTERM, then prints one line of JSON. Connections end with a reset, so that no
 * TIME_WAIT uses up the ports.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST "GET /c HTTP/1.1\r\nHost: backend\r\n\r\n"
#define STREAM_REQUEST "GET /s HTTP/1.1\r\nHost: backend\r\n\r\n"

enum {
	EVENTS_MAX = 256,
	TARGETS_MAX = 64,
	SLOTS_MAX = 1024,
	ANSWER_MAX = 2048, /* a proxy adds headers */
	BODY_LENGTH = 18, /* two addresses in hex, a space and a line end */
	TICK_MS = 10,
	PATIENCE_S = 5, /* without an answer or a byte for so long: failed, or broken */
	SHORT_STREAM_S = 2, /* every other stream ends after so long, and another one begins */
	TROUBLES_MAX = 20, /* told in words */
};

static void die(const char *what)
{
	fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void die_of_usage(void)
{
	fputs("usage: watch dial IN_FLIGHT STREAMS TARGET... | knock IN_FLIGHT TARGET...\n", stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double milliseconds(uint64_t ns)
{
	return (double)ns / 1e6;
}

static int epoll;

static void watch(int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event event = { .events = events, .data.u32 = tag };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static struct target {
	struct sockaddr_in address;
	uint32_t first, count, peer; /* in host byte order; a peer of 0 is anybody */
} targets[TARGETS_MAX];
static uint32_t target_count;

static struct slot {
	int fd; /* -1: none */
	uint8_t is_stream, is_short, is_asked, is_answered;
	uint32_t target;
	uint32_t length;
	uint64_t began_ns;
	uint64_t heard_ns; /* the latest byte */
	char answer[ANSWER_MAX];
} slots[SLOTS_MAX];
static uint32_t slot_count;

static int is_knocking;
static volatile sig_atomic_t is_over;
static uint64_t connects, failed, misrouted, streams, broken, admitted, refused;
static uint64_t connected_ns, connect_gap, connect_gap_at, stream_gap, stream_gap_at;
static char troubles[TROUBLES_MAX][160];
static uint32_t trouble_count;

static void stop(int signal)
{
	(void)signal;
	is_over = 1;
}

static void tell(const struct slot *slot, const char *what, const char *why)
{
	char address[INET_ADDRSTRLEN];
	const struct target *target = &targets[slot->target];
	uint64_t now = now_ns();

	if (trouble_count == TROUBLES_MAX)
		return;
	inet_ntop(AF_INET, &target->address.sin_addr, address, sizeof(address));
	snprintf(troubles[trouble_count++], sizeof(troubles[0]), "at %.3f s: %s to %s:%u, %.1f ms old: %s",
		 (double)now / 1e9, what, address, ntohs(target->address.sin_port),
		 milliseconds(now - slot->began_ns), why);
}

static void end(struct slot *slot)
{
	close(slot->fd);
	slot->fd = -1;
}

static void fail(struct slot *slot, const char *why)
{
	if (is_knocking) {
		refused++;
	} else if (slot->is_answered) {
		broken++;
		tell(slot, "a stream", why);
	} else {
		failed++;
		tell(slot, "a connection", why);
	}
	end(slot);
}

static void begin(uint32_t number)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	static uint32_t next;
	struct slot *slot = &slots[number];
	struct sockaddr_in *address;

	slot->target = next++ % target_count;
	slot->length = 0;
	slot->is_asked = slot->is_answered = 0;
	slot->began_ns = slot->heard_ns = now_ns();
	slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (slot->fd < 0)
		die("socket");
	setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	address = &targets[slot->target].address;
	if (connect(slot->fd, (struct sockaddr *)address, sizeof(*address)) < 0 && errno != EINPROGRESS) {
		fail(slot, strerror(errno));
		return;
	}
	watch(slot->fd, EPOLLIN | EPOLLOUT | EPOLLET, number);
}

/* Whether one of the target's endpoints has answered, and was asked by whom it should have been. */
static void judge(const struct slot *slot, const char *body)
{
	const struct target *target = &targets[slot->target];
	uint32_t reached = (uint32_t)strtoul(body, NULL, 16);
	uint32_t peer = (uint32_t)strtoul(body + 9, NULL, 16);

	if (reached - target->first < target->count && (!target->peer || peer == target->peer))
		return;
	misrouted++;
	tell(slot, "an answer", body);
}

static void note_gap(uint64_t since, uint64_t now, uint64_t *longest, uint64_t *at)
{
	if (since && now - since > *longest) {
		*longest = now - since;
		*at = now;
	}
}

/* The head and the body's first line; whether they are there. */
static int receive_answer(struct slot *slot)
{
	ssize_t count = read(slot->fd, slot->answer + slot->length, ANSWER_MAX - 1 - slot->length);
	uint64_t now = now_ns();
	char *body;

	if (count < 0 && errno == EAGAIN)
		return 0;
	if (count <= 0) {
		fail(slot, count < 0 ? strerror(errno) : "it ended without an answer");
		return 0;
	}
	slot->length += (uint32_t)count;
	slot->answer[slot->length] = '\0';
	body = strstr(slot->answer, "\r\n\r\n");
	if (!body || slot->answer + slot->length < body + 4 + BODY_LENGTH)
		return 0;
	body[4 + BODY_LENGTH - 1] = '\0';
	if (strncmp(slot->answer, "HTTP/1.1 200", 12)) {
		slot->answer[strcspn(slot->answer, "\r")] = '\0';
		fail(slot, slot->answer);
		return 0;
	}
	slot->heard_ns = now;
	slot->is_answered = 1;
	connects++;
	note_gap(connected_ns, now, &connect_gap, &connect_gap_at);
	connected_ns = now;
	judge(slot, body + 4);
	return 1;
}

static void receive_stream(struct slot *slot)
{
	char bytes[4096];

	for (;;) {
		ssize_t count = read(slot->fd, bytes, sizeof(bytes));
		uint64_t now = now_ns();

		if (count < 0 && errno == EAGAIN)
			return;
		if (count <= 0) {
			fail(slot, count < 0 ? strerror(errno) : "it ended");
			return;
		}
		note_gap(slot->heard_ns, now, &stream_gap, &stream_gap_at);
		slot->heard_ns = now;
	}
}

static void ask(struct slot *slot)
{
	const char *request = slot->is_stream ? STREAM_REQUEST : REQUEST;
	ssize_t length = (ssize_t)strlen(request);

	slot->is_asked = 1;
	if (is_knocking) {
		admitted++;
		tell(slot, "a connection that is forbidden", "it was let in");
		end(slot);
	} else if (send(slot->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
		fail(slot, strerror(errno));
	}
}

static void advance(uint32_t number, uint32_t events)
{
	struct slot *slot = &slots[number];
	int error = 0;
	socklen_t size = sizeof(error);

	/* Before anything was asked nothing can be read: a connection that was refused only seems so. */
	if (events & EPOLLERR && (!slot->is_asked || !(events & EPOLLIN))) {
		getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		fail(slot, strerror(error));
	} else if (!slot->is_asked) {
		if (events & EPOLLOUT)
			ask(slot);
	} else if (events & EPOLLIN) {
		if (!slot->is_answered && receive_answer(slot)) {
			if (slot->is_stream)
				streams++;
			else
				end(slot);
		}
		if (slot->fd >= 0 && slot->is_answered)
			receive_stream(slot);
	}
	/* Those that fail, or must, are tried again with the next tick, not faster. */
	if (slot->fd < 0 && slot->is_answered && !slot->is_stream)
		begin(number);
}

static void tick(uint64_t now)
{
	for (uint32_t number = 0; number < slot_count; number++) {
		struct slot *slot = &slots[number];

		if (slot->fd >= 0 && now > slot->heard_ns + PATIENCE_S * 1000000000ull)
			fail(slot, "nothing came for 5 s");
		else if (slot->fd >= 0 && slot->is_answered && slot->is_short &&
			 now > slot->began_ns + SHORT_STREAM_S * 1000000000ull)
			end(slot);
		if (slot->fd < 0)
			begin(number);
	}
}

/* What has waited for a second when the time is over would not have been answered in time. */
static void finish(uint64_t now)
{
	note_gap(connected_ns, now, &connect_gap, &connect_gap_at);
	for (uint32_t number = 0; number < slot_count; number++) {
		struct slot *slot = &slots[number];

		if (slot->fd >= 0 && slot->is_answered && slot->is_stream)
			note_gap(slot->heard_ns, now, &stream_gap, &stream_gap_at);
		if (slot->fd >= 0 && now > slot->heard_ns + 1000000000)
			fail(slot, "nothing came in the last second");
	}
}

static void print(double seconds)
{
	printf("{\"seconds\": %.3f, \"connects\": %lu, \"failed\": %lu, \"misrouted\": %lu, "
	       "\"streams\": %lu, \"broken\": %lu, \"admitted\": %lu, \"refused\": %lu, "
	       "\"connect_gap_ms\": %.2f, "
	       "\"connect_gap_at\": %.3f, \"stream_gap_ms\": %.2f, \"stream_gap_at\": %.3f, \"troubles\": [",
	       seconds, connects, failed, misrouted, streams, broken, admitted, refused,
	       milliseconds(connect_gap), (double)connect_gap_at / 1e9, milliseconds(stream_gap),
	       (double)stream_gap_at / 1e9);
	for (uint32_t i = 0; i < trouble_count; i++)
		printf("%s\"%s\"", i ? ", " : "", troubles[i]);
	printf("]}\n");
}

static void dial(uint32_t in_flight, uint32_t stream_count)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t start = now_ns(), checked = start, now = start;

	signal(SIGTERM, stop);
	slot_count = in_flight + stream_count;
	if (slot_count > SLOTS_MAX)
		die_of_usage();
	for (uint32_t number = 0; number < slot_count; number++) {
		slots[number].is_stream = number >= in_flight;
		slots[number].is_short = number >= in_flight && number % 2;
		begin(number);
	}
	while (!is_over) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, TICK_MS);

		for (int i = 0; i < ready; i++)
			advance(events[i].data.u32, events[i].events);
		now = now_ns();
		if (now - checked > TICK_MS * 1000000ull) {
			checked = now;
			tick(now);
		}
	}
	finish(now);
	print((double)(now - start) / 1e9);
}

static uint32_t host_address(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		die_of_usage();
	return ntohl(address.s_addr);
}

static void add_target(const char *text)
{
	struct target *target = &targets[target_count++];
	char dialed[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN], peer[INET_ADDRSTRLEN];
	unsigned int port;

	if (target_count > TARGETS_MAX || sscanf(text, "%15[0-9.]:%u=%15[0-9.]+%u@%15[0-9.]", dialed, &port,
						 first, &target->count, peer) != 5)
		die_of_usage();
	target->address.sin_family = AF_INET;
	target->address.sin_port = htons((uint16_t)port);
	target->address.sin_addr.s_addr = htonl(host_address(dialed));
	target->first = host_address(first);
	target->peer = host_address(peer);
}

int main(int count, char **words)
{
	int first_target;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1");
	is_knocking = count > 1 && !strcmp(words[1], "knock");
	first_target = is_knocking ? 3 : 4;
	if (count <= first_target || (!is_knocking && strcmp(words[1], "dial")))
		die_of_usage();
	for (int i = first_target; i < count; i++)
		add_target(words[i]);
	dial((uint32_t)atoi(words[2]), is_knocking ? 0 : (uint32_t)atoi(words[3]));
	return 0;
}
