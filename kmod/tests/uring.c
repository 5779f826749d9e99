// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A client that uses io_uring: uring ADDRESS PORT NAME. Connects, sends and receives in one chain, on a
 * socket that waits and on one that does not; and receives before it sends. NAME is the server that must
 * answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 8

static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\nX-Version: v2\r\n\r\n";

static struct {
	int fd;
	unsigned int *tail, *mask, *array;
	unsigned int *done_head, *done_tail, *done_mask;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *done;
} ring;

static void open_ring(void)
{
	struct io_uring_params params = {};
	char *queue, *done;

	ring.fd = syscall(__NR_io_uring_setup, ENTRIES, &params);
	if (ring.fd < 0) {
		perror("uring: cannot make a ring");
		exit(1);
	}
	queue = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned int),
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	done = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		    PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.entries = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			    MAP_SHARED, ring.fd, IORING_OFF_SQES);
	ring.tail = (void *)(queue + params.sq_off.tail);
	ring.mask = (void *)(queue + params.sq_off.ring_mask);
	ring.array = (void *)(queue + params.sq_off.array);
	ring.done_head = (void *)(done + params.cq_off.head);
	ring.done_tail = (void *)(done + params.cq_off.tail);
	ring.done_mask = (void *)(done + params.cq_off.ring_mask);
	ring.done = (void *)(done + params.cq_off.cqes);
}

static void add(int operation, int fd, const void *address, unsigned int size, unsigned long offset,
		int flags)
{
	unsigned int tail = *ring.tail, place = tail & *ring.mask;
	struct io_uring_sqe *entry = &ring.entries[place];

	memset(entry, 0, sizeof(*entry));
	entry->opcode = operation;
	entry->fd = fd;
	entry->addr = (unsigned long)address;
	entry->len = size;
	entry->off = offset;
	entry->flags = flags;
	entry->user_data = operation;
	ring.array[place] = place;
	__atomic_store_n(ring.tail, tail + 1, __ATOMIC_RELEASE);
}

static void run(int count)
{
	syscall(__NR_io_uring_enter, ring.fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0);
	while (*ring.done_head != __atomic_load_n(ring.done_tail, __ATOMIC_ACQUIRE)) {
		struct io_uring_cqe *done = &ring.done[*ring.done_head & *ring.done_mask];

		printf(" %d=%d", (int)done->user_data, done->res);
		__atomic_store_n(ring.done_head, *ring.done_head + 1, __ATOMIC_RELEASE);
	}
}

static int check(const char *what, const char *reply, const char *name)
{
	int is_right = strstr(reply, name) != NULL;

	printf(" %s: %s\n", what, is_right ? "ok" : "FAILED");
	return !is_right;
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	char reply[512] = {};
	int fd, flags, failed = 0;

	if (count != 4 || inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: uring ADDRESS PORT NAME\n");
		return 2;
	}
	address.sin_port = htons(atoi(arguments[2]));
	open_ring();
	for (flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
		memset(reply, 0, sizeof(reply));
		fd = socket(AF_INET, SOCK_STREAM | flags, 0);
		add(IORING_OP_CONNECT, fd, &address, 0, sizeof(address), IOSQE_IO_LINK);
		add(IORING_OP_SEND, fd, request, strlen(request), 0, IOSQE_IO_LINK);
		add(IORING_OP_RECV, fd, reply, sizeof(reply) - 1, 0, 0);
		run(3);
		failed |= check(flags ? "chain without waiting" : "chain", reply, arguments[3]);
		close(fd);
	}
	memset(reply, 0, sizeof(reply));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	add(IORING_OP_CONNECT, fd, &address, 0, sizeof(address), 0);
	run(1);
	add(IORING_OP_RECV, fd, reply, sizeof(reply) - 1, 0, 0);
	add(IORING_OP_SEND, fd, request, strlen(request), 0, 0);
	run(2);
	return failed | check("receive before send", reply, arguments[3]);
}
