/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counts verdicts, and tells user space of denials: a few in a second, so that a flood of them is cheap. */
#ifndef KMESH_AUTHZ_REPORT_H
#define KMESH_AUTHZ_REPORT_H

#include "authz_flow.h"
#include "authz_maps.h"
#include "count.h"

/* Whether this CPU may write one more event in this second. */
static __always_inline bool kmesh_may_report(struct kmesh_authz_pace *pace, __u64 now_ns)
{
	__u64 second = now_ns / 1000000000;

	if (pace->second != second) {
		pace->second = second;
		pace->events = 0;
	}
	if (pace->events >= KMESH_AUTHZ_EVENTS) {
		pace->suppressed++;
		kmesh_count(KMESH_REASON_EVENT_SUPPRESSED);
		return false;
	}
	pace->events++;
	return true;
}

static __noinline void kmesh_tell(const struct kmesh_flow *flow, __u32 reason, __u32 policy_id)
{
	__u64 now_ns = bpf_ktime_get_ns();
	__u32 index = 0;
	struct kmesh_authz_pace *pace = bpf_map_lookup_elem(&km_authz_pace, &index);
	struct kmesh_authz_event *event;

	if (!pace || !kmesh_may_report(pace, now_ns))
		return;
	event = bpf_ringbuf_reserve(&km_authz_event, sizeof(*event), 0);
	if (!event) {
		pace->suppressed++;
		kmesh_count(KMESH_REASON_EVENT_LOST);
		return;
	}
	*event = (struct kmesh_authz_event){
		.time_ns = now_ns,
		.source = flow->source,
		.destination = flow->destination,
		.source_port = flow->source_port,
		.destination_port = flow->destination_port,
		.reason = reason,
		.policy_id = policy_id,
		.suppressed = pace->suppressed,
	};
	pace->suppressed = 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline struct kmesh_authz_policy *kmesh_counters_of(__u32 policy_id)
{
	return policy_id ? bpf_map_lookup_elem(&km_authz_policy, &policy_id) : 0;
}

static __always_inline void kmesh_report(const struct kmesh_flow *flow,
					 const struct kmesh_authz_answer *answer)
{
	struct kmesh_authz_policy *policy;

	kmesh_count(answer->reason);
	if (!answer->is_allowed) {
		policy = kmesh_counters_of(answer->policy_id);
		if (policy)
			__sync_fetch_and_add(&policy->denied, 1);
		kmesh_tell(flow, answer->reason, answer->policy_id);
	}
	if (answer->is_trial_denied) {
		kmesh_count(KMESH_REASON_TRIAL_DENIED);
		policy = kmesh_counters_of(answer->trial_policy_id);
		if (policy)
			__sync_fetch_and_add(&policy->trial_denied, 1);
		kmesh_tell(flow, KMESH_REASON_TRIAL_DENIED, answer->trial_policy_id);
	}
}

#endif
