/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Runs the L4 lookup on a "packet" that is a struct kmesh_lookup_case: the request goes in, the verdict comes
 * out. The socket hooks themselves cannot be run by BPF_PROG_TEST_RUN.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "l4_lookup.h"

/* Filled up to the smallest packet that a test run takes. */
struct kmesh_lookup_case {
	struct kmesh_request request;
	struct kmesh_choice choice;
	__u32 reason;
	__u32 pad;
};

SEC("xdp")
int lookup(struct xdp_md *ctx)
{
	struct kmesh_lookup_case *packet = (void *)(long)ctx->data;
	struct kmesh_request request;
	struct kmesh_choice choice = {};

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	request = packet->request;
	packet->reason = kmesh_l4_lookup(&request, &choice);
	packet->choice = choice;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
