/* Signals as bytes in a pipe. Blocking them would not do: libdispatch's first thread unblocks all it can. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int write_end = -1;

static void note(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;

	/* A full pipe holds more signals than anybody can miss. */
	(void)!write(write_end, &byte, 1);
	errno = saved;
}

void kmesh_receive_signals(const int *numbers, int count)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < count; i++)
		sigaddset(&set, numbers[i]);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int kmesh_signal_pipe(const int *numbers, int count)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	write_end = ends[1];
	fcntl(write_end, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < count; i++) {
		if (sigaction(numbers[i], &action, NULL) < 0)
			return -1;
	}
	return ends[0];
}
