/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A program that takes long, and says when it runs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

enum {
	STATE_RUNNING = 1,
	STATE_DONE = 2,
	ROUNDS = 20, /* of 10 to 30 ms */
	STEPS = 1 << 22,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} test_state SEC(".maps");

static int step(__u32 index, void *unused)
{
	return 0;
}

static int round(__u32 index, void *unused)
{
	bpf_loop(STEPS, step, 0, 0);
	return 0;
}

SEC("xdp")
int run_long(struct xdp_md *ctx)
{
	__u32 index = 0;
	__u32 *state = bpf_map_lookup_elem(&test_state, &index);

	if (!state)
		return XDP_ABORTED;
	*(volatile __u32 *)state = STATE_RUNNING;
	bpf_loop(ROUNDS, round, 0, 0);
	*(volatile __u32 *)state = STATE_DONE;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
