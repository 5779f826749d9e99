/* Starts programs in a cgroup, a network namespace and a mount namespace. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Kernel ABI that older headers lack. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

struct failure {
	int error;
	int step;
};

static int see_hosts(const struct kmesh_program *program)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	/* Nothing that happens here may reach the mounts of the machine. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount(program->hosts, "/etc/hosts", NULL, MS_BIND, NULL);
}

static int hide_mounts(char *const *paths)
{
	for (; paths != NULL && *paths != NULL; paths++) {
		/* One that is gone, or is no mount, needs no hiding. */
		if (umount2(*paths, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
			return -1;
	}
	return 0;
}

/* Duplicates first, so that no stream overwrites another's source. */
static int set_streams(const int streams[3])
{
	int copies[3];

	for (int i = 0; i < 3; i++) {
		copies[i] = streams[i] < 0 ? -1 : fcntl(streams[i], F_DUPFD_CLOEXEC, 3);
		if (streams[i] >= 0 && copies[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (copies[i] >= 0 && dup2(copies[i], i) < 0)
			return -1;
	}
	return 0;
}

/* Steps after the cgroup. The mounts go last of the namespaces: hiding them hides the others' files. */
static enum kmesh_program_step run(const struct kmesh_program *program)
{
	sigset_t none;

	if (program->netns >= 0 && setns(program->netns, CLONE_NEWNET) < 0)
		return KMESH_STEP_NETNS;
	if (program->hosts != NULL && see_hosts(program) < 0)
		return KMESH_STEP_HOSTS;
	if (program->hosts != NULL && hide_mounts(program->hidden) < 0)
		return KMESH_STEP_MOUNTS;
	if (program->hostname != NULL &&
	    (unshare(CLONE_NEWUTS) < 0 || sethostname(program->hostname, strlen(program->hostname)) < 0))
		return KMESH_STEP_HOSTNAME;
	if (program->directory != NULL && chdir(program->directory) < 0)
		return KMESH_STEP_DIRECTORY;
	if (set_streams(program->streams) < 0)
		return KMESH_STEP_STREAMS;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(program->path, program->arguments, program->environment);
	return KMESH_STEP_EXEC;
}

/* Runs in the child; only async-signal-safe calls. */
static _Noreturn void run_child(const struct kmesh_program *program, int report)
{
	struct failure failure;

	setsid();
	/* Descriptors of the caller's own caller must not live on in a pod. */
	syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	failure.step = run(program);
	failure.error = errno;
	if (write(report, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

int kmesh_spawn(const struct kmesh_program *program, int *pidfd, enum kmesh_program_step *step)
{
	struct clone_arguments arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	struct failure failure = {};
	int report[2];
	ssize_t size;
	long pid;

	*step = KMESH_STEP_CLONE;
	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	if (program->cgroup >= 0) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = program->cgroup;
	}
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		run_child(program, report[1]);
	int saved = errno;
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		errno = saved;
		return -1;
	}
	do {
		size = read(report[0], &failure, sizeof(failure));
	} while (size < 0 && errno == EINTR);
	close(report[0]);
	/* The pipe closes unwritten when the program is executed. */
	if (size == 0)
		return pid;
	kmesh_wait(*pidfd, 1);
	close(*pidfd);
	*step = failure.step;
	errno = failure.error;
	return -1;
}

static int join_cgroup(int cgroup)
{
	int file = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	ssize_t size;

	if (file < 0)
		return -1;
	size = write(file, "0", 1);
	close(file);
	return size == 1 ? 0 : -1;
}

int kmesh_exec(const struct kmesh_program *program, enum kmesh_program_step *step)
{
	*step = KMESH_STEP_CGROUP;
	if (program->cgroup >= 0 && join_cgroup(program->cgroup) < 0)
		return -1;
	*step = run(program);
	return -1;
}

int kmesh_wait(int pidfd, int wait)
{
	siginfo_t info = {};
	int result;

	do {
		result = waitid(P_PIDFD, pidfd, &info, WEXITED | (wait ? 0 : WNOHANG));
	} while (result < 0 && errno == EINTR);
	if (result < 0)
		return -1;
	if (info.si_pid == 0)
		return -2;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int kmesh_pidfd_open(int process)
{
	return syscall(SYS_pidfd_open, process, 0);
}

int kmesh_pidfd_send_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

int kmesh_pipe(int *ends)
{
	return pipe2(ends, O_CLOEXEC);
}
