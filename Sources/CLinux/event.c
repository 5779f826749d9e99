/* Waiting for many descriptors. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <sys/epoll.h>

int kmesh_epoll_create(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int control(int queue, int operation, int descriptor, unsigned int events)
{
	struct epoll_event event = { .data.fd = descriptor };

	if (events & KMESH_EVENT_INPUT)
		event.events |= EPOLLIN;
	if (events & KMESH_EVENT_OUTPUT)
		event.events |= EPOLLOUT;
	return epoll_ctl(queue, operation, descriptor, &event);
}

int kmesh_epoll_add(int queue, int descriptor, unsigned int events)
{
	return control(queue, EPOLL_CTL_ADD, descriptor, events);
}

int kmesh_epoll_change(int queue, int descriptor, unsigned int events)
{
	return control(queue, EPOLL_CTL_MOD, descriptor, events);
}

int kmesh_epoll_wait(int queue, struct kmesh_event *events, int timeout_ms)
{
	struct epoll_event ready[KMESH_EVENTS_MAX];
	int count = epoll_wait(queue, ready, KMESH_EVENTS_MAX, timeout_ms);

	for (int i = 0; i < count; i++) {
		unsigned int bits = ready[i].events;
		unsigned int seen = 0;

		if (bits & (EPOLLIN | EPOLLHUP | EPOLLERR))
			seen |= KMESH_EVENT_INPUT;
		if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			seen |= KMESH_EVENT_OUTPUT;
		events[i].events = seen;
		events[i].descriptor = ready[i].data.fd;
	}
	return count;
}
