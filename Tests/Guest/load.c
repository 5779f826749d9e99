// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A load of connections: load ADDRESS PORT THREADS COUNT REQUEST
 *
 * Each thread makes COUNT connections one after the other, or, when that is 0, until the standard input ends,
 * and sends REQUEST on each, which should ask for the connection's end. At the end it prints how often which
 * endpoint has answered, and how often which error came up, with the longest time that one took:
 * "COUNT KIND NAME" lines, where KIND is answer, error or longest (in ms).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 1024 };

static struct {
	char name[128];
	unsigned long count;
} found[NAMES];

static struct sockaddr_storage target;
static socklen_t target_size;
static const char *request;
static unsigned long each, longest;
static volatile int ends;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const char *kind, const char *name)
{
	char text[128];
	int place;

	snprintf(text, sizeof(text), "%s %s", kind, name);
	pthread_mutex_lock(&lock);
	for (place = 0; place < NAMES - 1 && found[place].count; place++)
		if (!strcmp(found[place].name, text))
			break;
	strcpy(found[place].name, text);
	found[place].count++;
	pthread_mutex_unlock(&lock);
}

static unsigned long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000ul + time.tv_nsec / 1000000;
}

/* Returns what failed, or NULL. */
static const char *exchange(int fd, char *reply, size_t room)
{
	size_t count = 0, left = strlen(request);
	ssize_t got = 0;

	if (connect(fd, (struct sockaddr *)&target, target_size))
		return "connect";
	while (left) {
		got = send(fd, request + strlen(request) - left, left, MSG_NOSIGNAL);
		if (got < 0)
			return "send";
		left -= got;
	}
	while (count < room - 1 && (got = recv(fd, reply + count, room - 1 - count, 0)) > 0)
		count += got;
	reply[count] = 0;
	return got < 0 ? "receive" : NULL;
}

static void one(void)
{
	struct timeval patience = { .tv_sec = 20 };
	unsigned long start = now(), taken;
	char reply[1024], text[128];
	const char *failed, *body;
	int fd = socket(target.ss_family, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	failed = exchange(fd, reply, sizeof(reply));
	if (failed) {
		snprintf(text, sizeof(text), "%s: %s", failed, strerror(errno));
		note("error", text);
	} else {
		body = strstr(reply, "\r\n\r\n");
		if (!body)
			note("error", "no answer");
		else
			snprintf(text, sizeof(text), "%.*s", (int)strcspn(body + 4, " \n"), body + 4),
				note("answer", text);
	}
	close(fd);
	taken = now() - start;
	if (taken > longest)
		longest = taken;
}

static void *run(void *unused)
{
	unsigned long number;

	for (number = 0; each ? number < each : !ends; number++) {
		one();
		/* Who ends and starts meanwhile needs the processors too. */
		if (!each)
			usleep(3000);
	}
	return unused;
}

int main(int count, char **arguments)
{
	struct sockaddr_in *v4 = (void *)&target;
	struct sockaddr_in6 *v6 = (void *)&target;
	pthread_t threads[64];
	int number, wanted;
	char byte;

	if (count != 6) {
		fprintf(stderr, "usage: load ADDRESS PORT THREADS COUNT REQUEST\n");
		return 2;
	}
	if (inet_pton(AF_INET, arguments[1], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(arguments[2]));
		target_size = sizeof(*v4);
	} else {
		inet_pton(AF_INET6, arguments[1], &v6->sin6_addr);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(arguments[2]));
		target_size = sizeof(*v6);
	}
	wanted = atoi(arguments[3]) < 64 ? atoi(arguments[3]) : 64;
	each = strtoul(arguments[4], NULL, 10);
	request = arguments[5];
	for (number = 0; number < wanted; number++)
		pthread_create(&threads[number], NULL, run, NULL);
	if (!each)
		while (read(0, &byte, 1) > 0)
			;
	ends = 1;
	for (number = 0; number < wanted; number++)
		pthread_join(threads[number], NULL);
	for (number = 0; number < NAMES && found[number].count; number++)
		printf("%lu %s\n", found[number].count, found[number].name);
	printf("%lu longest -\n", longest);
	return 0;
}
