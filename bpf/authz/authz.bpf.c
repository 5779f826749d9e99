/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Decides on new connections to the workload whose network namespace it is in: on its interface (XDP, a chain
 * of tail calls), or where the network stack looks for a listening socket (sk_lookup). Failure means: the
 * verdict that --authz-default names, which is to deny.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "authz_match.h"
#include "authz_packet.h"
#include "authz_report.h"
#include "authz_reset.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmesh_flow);
} km_authz_flow SEC(".maps");

static __always_inline struct kmesh_flow *kmesh_current_flow(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&km_authz_flow, &index);
}

static __always_inline bool kmesh_is_off(void)
{
	__u32 index = 0;
	struct kmesh_authz_switch *state = bpf_map_lookup_elem(&km_authz_switch, &index);

	return state && state->is_off;
}

int kmesh_authz_view(struct xdp_md *ctx);
int kmesh_authz_match(struct xdp_md *ctx);
int kmesh_authz_verdict(struct xdp_md *ctx);

/* Pinned: it is emptied when nobody in user space refers to it any more. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, KMESH_AUTHZ_STEP_MAX);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} km_authz_chain SEC(".maps") = {
	.values = {
		[KMESH_AUTHZ_STEP_VIEW] = (void *)&kmesh_authz_view,
		[KMESH_AUTHZ_STEP_MATCH] = (void *)&kmesh_authz_match,
		[KMESH_AUTHZ_STEP_VERDICT] = (void *)&kmesh_authz_verdict,
	},
};

/* The answer to a question goes where the packet was; the test run hands it back. */
static __always_inline void kmesh_answer(struct xdp_md *ctx, const struct kmesh_authz_answer *answer)
{
	struct kmesh_authz_answer *place = (void *)(long)ctx->data;

	if ((void *)(place + 1) <= (void *)(long)ctx->data_end)
		*place = *answer;
}

static __always_inline int kmesh_conclude(struct xdp_md *ctx, const struct kmesh_flow *flow,
					  const struct kmesh_authz_answer *answer)
{
	if (flow->is_question) {
		kmesh_answer(ctx, answer);
		return answer->is_allowed ? XDP_PASS : XDP_DROP;
	}
	kmesh_report(flow, answer);
	if (answer->is_allowed)
		return XDP_PASS;
	/* A bridge floods what it knows no port for: a SYN to a stranger is not ours to answer. */
	if (kmesh_authz_settings.deny != KMESH_AUTHZ_RESET || answer->reason == KMESH_REASON_NO_DESTINATION)
		return XDP_DROP;
	if (kmesh_make_reset(ctx, flow)) {
		kmesh_count(KMESH_REASON_RESET_SENT);
		return XDP_TX;
	}
	kmesh_count(KMESH_REASON_RESET_NOT_SENT);
	return XDP_DROP;
}

/* Something of ours is missing: the verdict that is configured for that. */
static __always_inline int kmesh_give_up(struct xdp_md *ctx, const struct kmesh_flow *flow,
					 enum kmesh_reason reason)
{
	struct kmesh_authz_answer answer = {
		.reason = reason,
		.is_allowed = kmesh_authz_settings.default_allow,
	};

	return kmesh_conclude(ctx, flow, &answer);
}

static __always_inline int kmesh_give_up_without_flow(void)
{
	kmesh_count(KMESH_REASON_NO_FLOW);
	return kmesh_authz_settings.default_allow ? XDP_PASS : XDP_DROP;
}

static __always_inline int kmesh_begin(struct xdp_md *ctx, bool is_question)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct kmesh_packet packet = {};
	int found = kmesh_parse(data, data_end, &packet);
	struct kmesh_flow *flow;

	if (found == KMESH_PACKET_OTHER)
		return XDP_PASS;
	if (found != KMESH_PACKET_SYN && found != KMESH_REASON_MALFORMED) {
		kmesh_count(found);
		return XDP_PASS;
	}
	if (!is_question && kmesh_is_off()) {
		kmesh_count(KMESH_REASON_SWITCHED_OFF);
		return XDP_PASS;
	}
	if (found == KMESH_REASON_MALFORMED) {
		kmesh_count(found);
		return XDP_DROP;
	}
	flow = kmesh_current_flow();
	if (!flow || !kmesh_make_flow(data, data_end, &packet, flow))
		return kmesh_give_up_without_flow();
	flow->is_question = is_question;
	bpf_tail_call(ctx, &km_authz_chain, KMESH_AUTHZ_STEP_VIEW);
	return kmesh_give_up(ctx, flow, KMESH_REASON_MISSED_TAIL_CALL);
}

/* A packet is no new connection: it passes after one branch. Else the chain begins. */
SEC("xdp")
int kmesh_authz(struct xdp_md *ctx)
{
	return kmesh_begin(ctx, false);
}

/* For test runs: the packet comes back as a struct kmesh_authz_answer, and nothing is counted. */
SEC("xdp")
int kmesh_authz_ask(struct xdp_md *ctx)
{
	return kmesh_begin(ctx, true);
}

SEC("xdp")
int kmesh_authz_view(struct xdp_md *ctx)
{
	struct kmesh_flow *flow = kmesh_current_flow();

	if (!flow)
		return kmesh_give_up_without_flow();
	if (kmesh_identify(flow)) {
		struct kmesh_authz_answer answer = {
			.reason = KMESH_REASON_PROBE_PASSED,
			.is_allowed = 1,
		};

		return kmesh_conclude(ctx, flow, &answer);
	}
	if (flow->fault)
		return kmesh_give_up(ctx, flow, flow->fault);
	bpf_tail_call(ctx, &km_authz_chain, KMESH_AUTHZ_STEP_MATCH);
	return kmesh_give_up(ctx, flow, KMESH_REASON_MISSED_TAIL_CALL);
}

SEC("xdp")
int kmesh_authz_match(struct xdp_md *ctx)
{
	struct kmesh_flow *flow = kmesh_current_flow();

	if (!flow)
		return kmesh_give_up_without_flow();
	kmesh_match(flow);
	bpf_tail_call(ctx, &km_authz_chain, KMESH_AUTHZ_STEP_VERDICT);
	return kmesh_give_up(ctx, flow, KMESH_REASON_MISSED_TAIL_CALL);
}

SEC("xdp")
int kmesh_authz_verdict(struct xdp_md *ctx)
{
	struct kmesh_flow *flow = kmesh_current_flow();
	struct kmesh_authz_answer answer;

	if (!flow)
		return kmesh_give_up_without_flow();
	kmesh_decide(flow, &answer);
	return kmesh_conclude(ctx, flow, &answer);
}

static __always_inline void kmesh_lookup_flow(const struct bpf_sk_lookup *ctx, struct kmesh_flow *flow)
{
	if (ctx->family == AF_INET) {
		flow->source.words[2] = flow->destination.words[2] = bpf_htonl(0xffff);
		flow->source.words[3] = ctx->remote_ip4;
		flow->destination.words[3] = ctx->local_ip4;
	} else {
		for (int i = 0; i < 4; i++) {
			flow->source.words[i] = ctx->remote_ip6[i];
			flow->destination.words[i] = ctx->local_ip6[i];
		}
	}
	flow->source_port = bpf_ntohs(ctx->remote_port);
	flow->destination_port = ctx->local_port;
}

static __always_inline bool kmesh_is_loopback(const struct kmesh_address *address)
{
	if (kmesh_is_v4(address))
		return (address->words[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !address->words[0] && !address->words[1] && !address->words[2] &&
	       address->words[3] == bpf_htonl(1);
}

/*
 * Runs once for each new connection, and once more for one that SYN cookies have kept from being remembered.
 * A stray packet of no connection is judged like a new one: denied or not, a reset answers it. It may
 * interrupt a run of itself, so that its memory is its stack.
 */
SEC("sk_lookup")
int kmesh_authz_lookup(struct bpf_sk_lookup *ctx)
{
	struct kmesh_flow flow = {};
	struct kmesh_authz_answer answer = {
		.reason = KMESH_REASON_PROBE_PASSED,
		.is_allowed = 1,
	};

	if (ctx->protocol != IPPROTO_TCP) {
		kmesh_count(KMESH_REASON_UDP_PASSED);
		return SK_PASS;
	}
	if (kmesh_is_off()) {
		kmesh_count(KMESH_REASON_SWITCHED_OFF);
		return SK_PASS;
	}
	kmesh_lookup_flow(ctx, &flow);
	if (kmesh_is_loopback(&flow.source) && kmesh_is_loopback(&flow.destination)) {
		kmesh_count(KMESH_REASON_LOOPBACK_PASSED);
		return SK_PASS;
	}
	if (!kmesh_identify(&flow)) {
		if (!flow.fault)
			kmesh_match(&flow);
		kmesh_decide(&flow, &answer);
	}
	kmesh_report(&flow, &answer);
	return answer.is_allowed ? SK_PASS : SK_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
