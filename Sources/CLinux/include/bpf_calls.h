/* bpf(2), one function per command that we use. Each returns the command's result, or -errno. */
#ifndef CLINUX_BPF_CALLS_H
#define CLINUX_BPF_CALLS_H

#include "sockets.h"

#include <linux/bpf.h>

struct kmesh_bpf_map_facts {
	__u32 type, id, key_size, value_size, max_entries, flags;
};

struct kmesh_bpf_link_facts {
	__u32 type; /* enum bpf_link_type */
	__u32 program_id;
	/* Inode of the cgroup or the network namespace, or the interface's index; 0 when that is gone. */
	__u64 target;
};

int kmesh_bpf_map_create(__u32 type, __u32 key_size, __u32 value_size, __u32 max_entries, __u32 flags);
/* An array of one map, of the kind that `inner` is. */
int kmesh_bpf_map_of_maps_create(int inner);
int kmesh_bpf_map_update(int map, const void *key, const void *value, __u64 flags);
int kmesh_bpf_map_lookup(int map, const void *key, void *value);
int kmesh_bpf_map_delete(int map, const void *key);
/* The key after `key`, or the first one when that is 0. -ENOENT after the last one. */
int kmesh_bpf_map_next_key(int map, const void *key, void *next);

/* `count`: entries given; afterwards those that were done. */
int kmesh_bpf_map_update_batch(int map, const void *keys, const void *values, __u32 *count);
int kmesh_bpf_map_delete_batch(int map, const void *keys, __u32 *count);
/* Position 0 of `start` means the beginning: pass NULL. Ends with -ENOENT, `count` entries still valid. */
int kmesh_bpf_map_lookup_batch(int map, const __u32 *start, __u32 *next, void *keys, void *values,
			       __u32 *count);

int kmesh_bpf_object_pin(int fd, const char *path);
int kmesh_bpf_object_get(const char *path);
int kmesh_bpf_map_facts(int map, struct kmesh_bpf_map_facts *facts);
int kmesh_bpf_link_facts(int link, struct kmesh_bpf_link_facts *facts);
int kmesh_bpf_program_id(int program, __u32 *id);
int kmesh_bpf_program_open(__u32 id);
/* The first program that is attached; returns how many there are. */
int kmesh_bpf_program_query(int target, __u32 attach_type, __u32 *id);

/* `target`: a descriptor; for BPF_XDP an interface's index in the calling thread's network namespace. */
int kmesh_bpf_link_create(int program, int target, __u32 attach_type, __u32 flags);
int kmesh_bpf_link_update(int link, int program);
int kmesh_bpf_link_detach(int link);
int kmesh_bpf_program_attach(int program, int target, __u32 attach_type);
int kmesh_bpf_program_load(__u32 type, __u32 attach_type, const struct bpf_insn *instructions, __u32 count);

/* What came of test runs, and the mean time of one. */
struct kmesh_bpf_run {
	__u32 result;
	__u32 duration_ns;
};

/* Runs a program on a packet. `*room`: bytes of `output`; afterwards those of the packet that it left. */
int kmesh_bpf_program_run(int program, const void *packet, __u32 size, void *output, __u32 *room,
			  __u32 repeat, struct kmesh_bpf_run *run);

/* Runs an sk_lookup program on the search for the listening socket of a TCP connection. */
int kmesh_bpf_program_run_lookup(int program, const struct kmesh_socket_address *remote,
				 const struct kmesh_socket_address *local, __u32 repeat,
				 struct kmesh_bpf_run *run);

/* 1 when PATH lies in a mounted bpffs, else 0. */
int kmesh_is_bpf_file_system(const char *path);

#endif
