/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Programs to attach and to replace: each counts how often it has run, by the kind of what came. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	SLOT_XDP_FIRST = 0,
	SLOT_XDP_SECOND = 1,
	SLOT_LOOKUP_PASS = 2,
	SLOT_LOOKUP_DROP = 3,
	SLOT_RELEASE = 4,
	SLOTS = 5,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} test_count SEC(".maps");

static __always_inline void count(__u32 slot)
{
	__u32 *value = bpf_map_lookup_elem(&test_count, &slot);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* UDP over IPv4 alone: the stack sends other things by itself. */
static __always_inline int count_datagram(struct xdp_md *ctx, __u32 slot)
{
	struct ethhdr *link = (void *)(long)ctx->data;
	struct iphdr *header = (void *)(link + 1);

	if ((void *)(header + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (link->h_proto == bpf_htons(ETH_P_IP) && header->protocol == IPPROTO_UDP)
		count(slot);
	return XDP_PASS;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	return count_datagram(ctx, SLOT_XDP_FIRST);
}

SEC("xdp")
int xdp_second(struct xdp_md *ctx)
{
	return count_datagram(ctx, SLOT_XDP_SECOND);
}

SEC("sk_lookup")
int lookup_pass(struct bpf_sk_lookup *ctx)
{
	count(SLOT_LOOKUP_PASS);
	return SK_PASS;
}

SEC("sk_lookup")
int lookup_drop(struct bpf_sk_lookup *ctx)
{
	count(SLOT_LOOKUP_DROP);
	return SK_DROP;
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *ctx)
{
	count(SLOT_RELEASE);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
