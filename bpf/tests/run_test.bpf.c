/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Programs for test runs: they change a packet's size, and note what an sk_lookup program is told. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { TEST_PORT_REFUSED = 81 };

struct test_seen {
	__u32 family;
	__u32 protocol;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_seen);
} test_seen SEC(".maps");

SEC("xdp")
int shrink(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_tail(ctx, -40) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp")
int grow(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_tail(ctx, 40) ? XDP_ABORTED : XDP_DROP;
}

SEC("sk_lookup")
int note(struct bpf_sk_lookup *ctx)
{
	__u32 index = 0;
	struct test_seen *seen = bpf_map_lookup_elem(&test_seen, &index);

	if (!seen)
		return SK_DROP;
	seen->family = ctx->family;
	seen->protocol = ctx->protocol;
	/* The fields of the other family are 0. */
	seen->remote_ip4 = ctx->remote_ip4;
	seen->local_ip4 = ctx->local_ip4;
	seen->remote_ip6[0] = ctx->remote_ip6[0];
	seen->remote_ip6[1] = ctx->remote_ip6[1];
	seen->remote_ip6[2] = ctx->remote_ip6[2];
	seen->remote_ip6[3] = ctx->remote_ip6[3];
	seen->local_ip6[0] = ctx->local_ip6[0];
	seen->local_ip6[1] = ctx->local_ip6[1];
	seen->local_ip6[2] = ctx->local_ip6[2];
	seen->local_ip6[3] = ctx->local_ip6[3];
	seen->remote_port = bpf_ntohs(ctx->remote_port);
	seen->local_port = ctx->local_port;
	return ctx->local_port == TEST_PORT_REFUSED ? SK_DROP : SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
