/* Network namespaces, and programs that start in them. */
#ifndef CLINUX_PROGRAMS_H
#define CLINUX_PROGRAMS_H

/* The calls return -1 and set errno when they fail, as libc does. A call that enters another network
 * namespace has left it again when it returns. When it cannot, it ends the process: its thread is lost. */

/* Makes a network namespace and keeps it by a mount on the existing file `path`. */
int kmesh_netns_create(const char *path);

/* A socket of another network namespace. */
int kmesh_netns_socket(int netns, int domain, int type, int protocol);

/* Attaches an XDP program to an interface of another network namespace; returns the link. */
int kmesh_netns_attach_xdp(int netns, int program, int interface, unsigned int flags);

/* Opens a file below /proc/sys/net as another network namespace sees it. */
int kmesh_netns_open(int netns, const char *path, int flags);

/* Starting programs. */

/* What a program gets before it is executed. -1 and NULL leave a thing as the caller has it. */
struct kmesh_program {
	const char *path;
	char *const *arguments; /* ends with NULL */
	char *const *environment; /* ends with NULL */
	const char *directory;
	const char *hostname;
	const char *hosts; /* a file that it sees as /etc/hosts, in a mount namespace of its own */
	char *const *hidden; /* mounts that its mount namespace leaves out; ends with NULL */
	int cgroup; /* a directory of cgroup v2 */
	int netns;
	int streams[3]; /* standard input, output and error */
};

enum kmesh_program_step {
	KMESH_STEP_CLONE,
	KMESH_STEP_CGROUP,
	KMESH_STEP_NETNS,
	KMESH_STEP_MOUNTS,
	KMESH_STEP_HOSTS,
	KMESH_STEP_HOSTNAME,
	KMESH_STEP_DIRECTORY,
	KMESH_STEP_STREAMS,
	KMESH_STEP_EXEC,
};

/* Starts the program as a child in a session of its own, its cgroup included from the first instruction.
 * Returns its process id once it is executed; `*pidfd` refers to it. On failure `*step` tells where. */
int kmesh_spawn(const struct kmesh_program *program, int *pidfd, enum kmesh_program_step *step);

/* Replaces the calling process. Returns only on failure; `*step` tells where. */
int kmesh_exec(const struct kmesh_program *program, enum kmesh_program_step *step);

/* Waits for a child. Its exit code, or 128 + the signal that ended it; -2 when `wait` is 0 and it runs. */
int kmesh_wait(int pidfd, int wait);

/* For a process that is no child. */
int kmesh_pidfd_open(int process);
int kmesh_pidfd_send_signal(int pidfd, int number);

/* A pipe that is closed on exec: reading end, writing end. */
int kmesh_pipe(int *ends);

#endif
