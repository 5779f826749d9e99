/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Writes packets, or what is cut from them, into a ring buffer. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

enum { RECORD_MAX = 1024 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} test_ring SEC(".maps");

struct test_record {
	__u8 bytes[RECORD_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_record);
} test_record SEC(".maps");

/* The packet as one record. XDP_ABORTED when there is no room for it. */
SEC("xdp")
int write_record(struct xdp_md *ctx)
{
	__u32 index = 0;
	struct test_record *record = bpf_map_lookup_elem(&test_record, &index);
	__u64 last = bpf_xdp_get_buff_len(ctx) - 1;

	/* The verifier must see that a size is not 0, in the register that holds it. */
	barrier_var(last);
	if (!record || last >= RECORD_MAX)
		return XDP_DROP;
	if (bpf_xdp_load_bytes(ctx, 0, record->bytes, last + 1))
		return XDP_DROP;
	return bpf_ringbuf_output(&test_ring, record->bytes, last + 1, 0) ? XDP_ABORTED : XDP_PASS;
}

/* Begins a record and gives it up. */
SEC("xdp")
int discard_record(struct xdp_md *ctx)
{
	void *record = bpf_ringbuf_reserve(&test_ring, 100, 0);

	if (!record)
		return XDP_ABORTED;
	bpf_ringbuf_discard(record, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
