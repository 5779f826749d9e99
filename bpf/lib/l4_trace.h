/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Verdicts of the socket address hooks, and the ring that those of traced workloads are written to. */
#ifndef KMESH_L4_TRACE_H
#define KMESH_L4_TRACE_H

#include "l4_lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMESH_TRACE_RING_BYTES);
} km_trace SEC(".maps");

struct kmesh_verdict {
	struct kmesh_request request;
	struct kmesh_choice choice;
	int reason;
	__u32 trace_until_s; /* of the client's workload */
};

static __always_inline bool kmesh_is_steered(int reason)
{
	return reason == KMESH_REASON_STEERED || reason == KMESH_REASON_STEERED_AFFINITY ||
	       reason == KMESH_REASON_STEERED_SESSION || reason == KMESH_REASON_REDIRECTED ||
	       (reason >= KMESH_REASON_ROUTED && reason <= KMESH_REASON_DEFERRED);
}

/* Apart from the programs, so that they are as short as without it for everybody else. */
static __noinline int kmesh_write_trace(struct bpf_sock_addr *ctx, const struct kmesh_verdict *verdict)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct kmesh_trace_event *event;
	__u64 thread;

	if (!verdict || now_ns / 1000000000 >= verdict->trace_until_s)
		return 0;
	event = bpf_ringbuf_reserve(&km_trace, sizeof(*event), 0);
	if (!event) {
		kmesh_count(KMESH_REASON_TRACE_LOST);
		return 0;
	}
	thread = bpf_get_current_pid_tgid();
	*event = (struct kmesh_trace_event){
		.time_ns = now_ns,
		.netns_cookie = bpf_get_netns_cookie(ctx),
		.socket_cookie = bpf_get_socket_cookie(ctx),
		.dialed_address = verdict->request.frontend.address,
		.dialed_port = verdict->request.frontend.port,
		.service_id = verdict->choice.service_id,
		.reason = verdict->reason,
		.process_id = thread >> 32,
		.thread_id = (__u32)thread,
		.protocol = verdict->request.frontend.protocol,
	};
	/* What was read for a verdict that does not steer may be anything. */
	if (kmesh_is_steered(verdict->reason)) {
		event->endpoint_address = verdict->choice.endpoint.address;
		event->endpoint_port = verdict->choice.endpoint.port;
	}
	bpf_get_current_comm(event->command, sizeof(event->command));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void kmesh_trace(struct bpf_sock_addr *ctx, const struct kmesh_verdict *verdict)
{
	if (verdict->trace_until_s)
		kmesh_write_trace(ctx, verdict);
}

#endif
