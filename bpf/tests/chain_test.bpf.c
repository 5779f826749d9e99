/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A chain of one tail call whose end returns a constant; and maps to size and to adopt. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct test_settings {
	__u32 answer;
	__u32 missed; /* what is returned when the chain is empty */
};

const volatile struct test_settings test_settings;

/* Of another part of the same object. */
SEC(".rodata.more")
const volatile __u32 test_more;

int step(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} test_chain SEC(".maps") = {
	.values = { [0] = (void *)&step },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} test_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} test_ring SEC(".maps");

SEC("xdp")
int enter(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &test_chain, 0);
	return test_settings.missed;
}

SEC("xdp")
int more(struct xdp_md *ctx)
{
	return test_more;
}

SEC("xdp")
int step(struct xdp_md *ctx)
{
	__u32 key = 1;

	/* Verified against the map's real sizes, also when it is adopted. */
	return bpf_map_lookup_elem(&test_hash, &key) ? (int)test_settings.answer + 1000 :
						       (int)test_settings.answer;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
