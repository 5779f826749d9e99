/*
 * The load of the benchmarks, one epoll loop each:
 *   load serve PORT...                              answers with the address that was reached, in hex
 *   load connect SECONDS IN_FLIGHT ADDRESS:PORT...  connect, one request, one answer, close; again
 *   load storm SECONDS IN_FLIGHT REMOVALS NETWORK ADDRESS:PORT...
 *                                                   the same, and each answer's origin is judged
 * Clients print one line of JSON. Connections end with a reset, so that no TIME_WAIT uses up the ports.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
#define REQUEST "GET / HTTP/1.1\r\nHost: backend\r\n\r\n"

enum {
	EVENTS_MAX = 256,
	DESCRIPTORS_MAX = 65536,
	LISTENERS_MAX = 256,
	TARGETS_MAX = 1024,
	IN_FLIGHT_MAX = 4096,
	ANSWER_MAX = 1024, /* a proxy adds headers */
	BODY_LENGTH = 9, /* the address in hex and a line end */
	HISTOGRAM_US = 200000, /* slower answers count as this slow */
	PATIENCE_S = 5, /* without an answer for so long: failed */
	IDENTITIES = 65536, /* the low 16 bits of a backend's address */
	INTERVALS = 8, /* removals of one backend that are remembered */
};

/*
 * When a backend was out of its service, in nanoseconds of the monotonic clock. `removed` is written after
 * the removal was acknowledged, `added` (0: not yet) before the file that adds it again is written.
 */
struct removals {
	volatile uint64_t removed[INTERVALS];
	volatile uint64_t added[INTERVALS];
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void die_of_usage(void)
{
	fputs("usage: load serve PORT... | connect SECONDS IN_FLIGHT ADDRESS:PORT... | "
	      "storm SECONDS IN_FLIGHT REMOVALS NETWORK ADDRESS:PORT...\n",
	      stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int new_epoll(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		die("epoll_create1");
	return epoll;
}

static void watch(int epoll, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event event = { .events = events, .data.u32 = tag };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* --- serve --- */

/* Per descriptor: what to answer, and the last four bytes that were read. */
static struct served {
	char address[8];
	uint32_t tail;
	uint8_t is_listener;
} served[DESCRIPTORS_MAX];

static void listen_on(int epoll, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || fd >= DESCRIPTORS_MAX ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	served[fd].is_listener = 1;
	watch(epoll, fd, EPOLLIN, (uint32_t)fd);
}

static void accept_all(int epoll, int listener)
{
	for (;;) {
		struct sockaddr_in local;
		socklen_t length = sizeof(local);
		char hex[9];
		int on = 1;
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0)
			return;
		if (fd >= DESCRIPTORS_MAX || getsockname(fd, (struct sockaddr *)&local, &length) < 0) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		snprintf(hex, sizeof(hex), "%08x", ntohl(local.sin_addr.s_addr));
		served[fd].tail = 0;
		memcpy(served[fd].address, hex, 8);
		watch(epoll, fd, EPOLLIN, (uint32_t)fd);
	}
}

/* Answers a request when its empty line has come, maybe only with the next read. */
static void answer(int fd)
{
	static const uint32_t empty_line = 0x0d0a0d0a;
	char input[4096];
	char output[sizeof(ANSWER_HEAD) - 1 + BODY_LENGTH];
	ssize_t count = read(fd, input, sizeof(input));

	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0) {
		close(fd);
		return;
	}
	for (ssize_t i = count > 4 ? count - 4 : 0; i < count; i++)
		served[fd].tail = served[fd].tail << 8 | (uint8_t)input[i];
	if (served[fd].tail != empty_line)
		return;
	memcpy(output, ANSWER_HEAD, sizeof(ANSWER_HEAD) - 1);
	memcpy(output + sizeof(ANSWER_HEAD) - 1, served[fd].address, 8);
	output[sizeof(output) - 1] = '\n';
	if (write(fd, output, sizeof(output)) != sizeof(output))
		close(fd);
}

static void serve(int count, char **ports)
{
	struct epoll_event events[EVENTS_MAX];
	int epoll = new_epoll();

	if (count < 1 || count > LISTENERS_MAX)
		die_of_usage();
	for (int i = 0; i < count; i++)
		listen_on(epoll, (uint16_t)atoi(ports[i]));
	puts("serving");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < ready; i++) {
			int fd = (int)events[i].data.u32;

			if (served[fd].is_listener)
				accept_all(epoll, fd);
			else
				answer(fd);
		}
	}
}

/* --- connect and storm --- */

static struct attempt {
	int fd; /* -1: none */
	uint32_t target;
	uint64_t began_ns;
	uint64_t chosen_ns; /* connect() has returned: the backend is chosen */
	uint32_t length;
	uint32_t is_asked;
	char answer[ANSWER_MAX];
} attempts[IN_FLIGHT_MAX];

static struct sockaddr_in targets[TARGETS_MAX];
static uint32_t target_count;
static const struct removals *removals; /* NULL unless storm */
static uint32_t network; /* of all backends, 16 bits long */
static uint32_t histogram[HISTOGRAM_US + 1];
static uint64_t connects, failed, misrouted, foreign;
static int first_error;
static int client_epoll;

static uint32_t next_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static void end(uint32_t slot)
{
	close(attempts[slot].fd);
	attempts[slot].fd = -1;
}

static void fail(uint32_t slot, int error)
{
	if (!failed++)
		first_error = error;
	end(slot);
}

static void begin(uint32_t slot)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct attempt *attempt = &attempts[slot];

	attempt->target = target_count > 1 ? next_random() % target_count : 0;
	attempt->length = 0;
	attempt->is_asked = 0;
	attempt->began_ns = now_ns();
	attempt->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		die("socket");
	setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(attempt->fd, (struct sockaddr *)&targets[attempt->target], sizeof(targets[0])) < 0 &&
	    errno != EINPROGRESS) {
		fail(slot, errno);
		return;
	}
	attempt->chosen_ns = now_ns();
	watch(client_epoll, attempt->fd, EPOLLIN | EPOLLOUT | EPOLLET, slot);
}

/* Whether the backend was out of its service for the whole of the attempt's connect(). */
static int was_removed(uint32_t identity, const struct attempt *attempt)
{
	const struct removals *entry = &removals[identity];

	for (int i = 0; i < INTERVALS; i++) {
		uint64_t removed = entry->removed[i];
		uint64_t added = entry->added[i];

		if (removed && removed < attempt->began_ns && (!added || added > attempt->chosen_ns))
			return 1;
	}
	return 0;
}

/* The third byte of a backend's address is the number of its service, which is the target's number. */
static void judge(const struct attempt *attempt, const char *body)
{
	uint32_t address = (uint32_t)strtoul(body, NULL, 16);

	if (address >> 8 != (network >> 8 | attempt->target))
		foreign++;
	else if (was_removed(address & 0xffff, attempt))
		misrouted++;
}

/* Reads on; returns whether the attempt is over. */
static int receive(uint32_t slot)
{
	struct attempt *attempt = &attempts[slot];
	ssize_t count =
		read(attempt->fd, attempt->answer + attempt->length, ANSWER_MAX - 1 - attempt->length);
	uint64_t elapsed_us;
	char *body;

	if (count < 0 && errno == EAGAIN)
		return 0;
	if (count <= 0) {
		fail(slot, count < 0 ? errno : ECONNRESET);
		return 1;
	}
	attempt->length += (uint32_t)count;
	attempt->answer[attempt->length] = '\0';
	body = strstr(attempt->answer, "\r\n\r\n");
	if (!body || attempt->answer + attempt->length < body + 4 + BODY_LENGTH)
		return 0;
	elapsed_us = (now_ns() - attempt->began_ns) / 1000;
	histogram[elapsed_us < HISTOGRAM_US ? elapsed_us : HISTOGRAM_US]++;
	connects++;
	if (removals)
		judge(attempt, body + 4);
	end(slot);
	return 1;
}

static void advance(uint32_t slot, uint32_t events)
{
	struct attempt *attempt = &attempts[slot];

	if (events & EPOLLIN) {
		if (receive(slot))
			begin(slot);
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP)) {
		int error = 0;
		socklen_t length = sizeof(error);

		getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		fail(slot, error);
		begin(slot);
		return;
	}
	if (!(events & EPOLLOUT) || attempt->is_asked)
		return;
	attempt->is_asked = 1;
	if (write(attempt->fd, REQUEST, sizeof(REQUEST) - 1) != sizeof(REQUEST) - 1) {
		fail(slot, errno);
		begin(slot);
	}
}

static void fail_the_overdue(uint32_t in_flight)
{
	uint64_t now = now_ns();

	for (uint32_t slot = 0; slot < in_flight; slot++) {
		if (attempts[slot].fd >= 0 && now - attempts[slot].began_ns > PATIENCE_S * 1000000000ull)
			fail(slot, ETIMEDOUT);
		/* Also those that failed at once are tried again here, not faster. */
		if (attempts[slot].fd < 0)
			begin(slot);
	}
}

static uint32_t quantile_us(double share)
{
	uint64_t wanted = (uint64_t)((double)connects * share), seen = 0;

	for (uint32_t us = 0; us <= HISTOGRAM_US; us++) {
		seen += histogram[us];
		if (seen > wanted)
			return us;
	}
	return 0;
}

static void run_client(double seconds, uint32_t in_flight)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t start = now_ns(), check = start, now = start;
	uint64_t end_ns = start + (uint64_t)(seconds * 1e9);

	client_epoll = new_epoll();
	for (uint32_t slot = 0; slot < in_flight; slot++)
		begin(slot);
	while (now < end_ns) {
		int ready = epoll_wait(client_epoll, events, EVENTS_MAX, 10);

		for (int i = 0; i < ready; i++)
			advance(events[i].data.u32, events[i].events);
		now = now_ns();
		if (now - check > 10000000) {
			check = now;
			fail_the_overdue(in_flight);
		}
	}
	/* What has waited for a second when the time is over would not have been answered in time. */
	for (uint32_t slot = 0; slot < in_flight; slot++)
		if (attempts[slot].fd >= 0 && now - attempts[slot].began_ns > 1000000000)
			fail(slot, ETIMEDOUT);
	seconds = (double)(now - start) / 1e9;
	printf("{\"connects\": %lu, \"seconds\": %.3f, \"connects_per_s\": %.1f, \"p50_us\": %u, "
	       "\"p99_us\": %u, \"failed\": %lu, \"misrouted\": %lu, \"foreign\": %lu, "
	       "\"first_error\": \"%s\"}\n",
	       connects, seconds, (double)connects / seconds, quantile_us(0.5), quantile_us(0.99), failed,
	       misrouted, foreign, failed ? strerror(first_error) : "");
}

static void open_removals(const char *path, const char *network_text)
{
	struct in_addr address;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (inet_pton(AF_INET, network_text, &address) != 1)
		die_of_usage();
	network = ntohl(address.s_addr) & 0xffff0000;
	if (fd < 0)
		die(path);
	removals = mmap(NULL, sizeof(struct removals) * IDENTITIES, PROT_READ, MAP_SHARED, fd, 0);
	if (removals == MAP_FAILED)
		die(path);
	close(fd);
}

static void add_target(const char *text)
{
	const char *colon = strchr(text, ':');
	char address[INET_ADDRSTRLEN] = "";

	if (!colon || target_count == TARGETS_MAX || (size_t)(colon - text) >= sizeof(address))
		die_of_usage();
	memcpy(address, text, (size_t)(colon - text));
	targets[target_count].sin_family = AF_INET;
	targets[target_count].sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, address, &targets[target_count].sin_addr) != 1)
		die_of_usage();
	target_count++;
}

int main(int count, char **words)
{
	int is_storm = count > 1 && !strcmp(words[1], "storm");
	int first_target = is_storm ? 6 : 4;
	uint32_t in_flight;

	if (count > 2 && !strcmp(words[1], "serve"))
		serve(count - 2, words + 2);
	if (count <= first_target || (!is_storm && strcmp(words[1], "connect")))
		die_of_usage();
	in_flight = (uint32_t)atoi(words[3]);
	if (in_flight < 1 || in_flight > IN_FLIGHT_MAX)
		die_of_usage();
	if (is_storm)
		open_removals(words[4], words[5]);
	for (int i = first_target; i < count; i++)
		add_target(words[i]);
	run_client(atof(words[2]), in_flight);
	return 0;
}
