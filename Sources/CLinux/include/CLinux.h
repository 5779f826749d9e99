/* What Swift cannot import of Linux: variadic calls, syscalls without a wrapper, function-like macros. */
#ifndef CLINUX_H
#define CLINUX_H

#include "bpf_calls.h"
#include "format.h"
#include "programs.h"
#include "scan.h"
#include "sockets.h"
#include "streams.h"

#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/veth.h>
#include <malloc.h>
#include <sys/eventfd.h>

/* The calls below return -1 and set errno when they fail, as libc does. */

/* Waits for nothing: a connection of a listening socket, non-blocking and closed on exec. */
int kmesh_accept(int listener);

struct kmesh_peer_credentials {
	unsigned int uid;
	unsigned int gid;
	int pid;
};

/* Who connected a Unix socket, as the kernel noted it at connect(). */
int kmesh_peer_credentials(int socket, struct kmesh_peer_credentials *credentials);

/* The peer's supplementary groups; `*count` is the room on entry and the number on return. */
int kmesh_peer_groups(int socket, unsigned int *groups, unsigned int *count);

/* Messages with open files between processes, over a Unix socket that keeps messages apart. */
#define KMESH_HANDOVER_MAX 64
long kmesh_send_descriptors(int socket, const void *bytes, unsigned long size, const int *descriptors,
			    int count);
/* Room for KMESH_HANDOVER_MAX descriptors; they are closed on exec. EMSGSIZE: something did not fit. */
long kmesh_receive_descriptors(int socket, void *bytes, unsigned long size, int *descriptors, int *count);

/* Moves the calling thread into a network namespace. */
int kmesh_enter_network_namespace(int descriptor);

/* 1 when the path leads to a namespace's file, 0 when to something else. */
int kmesh_is_namespace_file(const char *path);

/* Names the calling thread; longer names are cut to 15 characters. */
void kmesh_name_thread(const char *name);

/* From now on each signal is a byte, its number, in the pipe whose read end is returned. Call it once. */
int kmesh_signal_pipe(const int *numbers, int count);

/* Puts a kernel module into the kernel, from its open file. */
int kmesh_load_module(int file);

/* Takes it out; EWOULDBLOCK while somebody uses it. */
int kmesh_unload_module(const char *name);

/* Lets the calling thread take these signals, whatever mask it inherited. */
void kmesh_receive_signals(const int *numbers, int count);

#endif
