/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A new connection on its way to a verdict. */
#ifndef KMESH_AUTHZ_FLOW_H
#define KMESH_AUTHZ_FLOW_H

#include <kmesh/abi/abi.h>

/* Terms that matched, in one word of one block: the first that did. */
struct kmesh_authz_hit {
	__u64 bits; /* 0: none */
	__u32 block_id;
	__u32 word;
};

struct kmesh_flow {
	struct kmesh_address source;
	struct kmesh_address destination;
	__u16 source_port;
	__u16 destination_port;
	/* Run for somebody who asks: nothing is counted, and the answer goes into the packet. */
	__u32 is_question;
	/* Where the packet's headers are, from its start: for the answer to a denial. */
	__u16 network_offset;
	__u16 transport_offset;
	__u32 can_be_reset;

	__u32 identity;
	__u32 namespace_id;
	__u32 view_id;
	__u32 fault; /* enum kmesh_reason when something of ours is missing, else 0 */
	struct kmesh_authz_hit deny;
	struct kmesh_authz_hit allow;
	struct kmesh_authz_hit trial_deny;
	__u32 trial_allows; /* whether a term of a policy on trial that allows matched */
	__u32 view_flags;
};

/* The verdict. */
struct kmesh_authz_answer {
	__u32 reason; /* enum kmesh_reason */
	__u32 is_allowed;
	__u32 policy_id; /* that decided; 0: no single one */
	__u32 trial_policy_id; /* on trial, that would have denied by a rule */
	__u32 is_trial_denied; /* those on trial that allow do not allow this, or the one before denies it */
};

#endif
