/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From a flow to its verdict: the code that all hooks share. What is read here does not change while it is
 * read, but for sources and destinations, which are sealed: see <kmesh/abi/authz.h>.
 */
#ifndef KMESH_AUTHZ_MATCH_H
#define KMESH_AUTHZ_MATCH_H

#include "authz_flow.h"
#include "authz_maps.h"
#include "count.h"
#include "sealed.h"

static __always_inline void kmesh_count_flow(const struct kmesh_flow *flow, enum kmesh_reason reason)
{
	if (!flow->is_question)
		kmesh_count(reason);
}

/* Reads until no update crosses the reading. */
static __always_inline bool kmesh_find_source(struct kmesh_flow *flow, struct kmesh_authz_source *source)
{
	for (int i = 0; i < KMESH_ATTEMPTS_MAX; i++) {
		enum kmesh_read read = KMESH_READ(&km_authz_source, &flow->source, source);

		if (read != KMESH_TORN)
			return read == KMESH_FOUND;
		kmesh_count_flow(flow, KMESH_REASON_RETRIED);
	}
	flow->fault = KMESH_REASON_TORN;
	return false;
}

static __always_inline bool kmesh_find_destination(struct kmesh_flow *flow,
						   struct kmesh_authz_destination *destination)
{
	for (int i = 0; i < KMESH_ATTEMPTS_MAX; i++) {
		enum kmesh_read read = KMESH_READ(&km_authz_dest, &flow->destination, destination);

		if (read != KMESH_TORN)
			return read == KMESH_FOUND;
		kmesh_count_flow(flow, KMESH_REASON_RETRIED);
	}
	flow->fault = KMESH_REASON_TORN;
	return false;
}

static __always_inline bool kmesh_is_probe(const struct kmesh_flow *flow,
					   const struct kmesh_authz_source *source)
{
	struct kmesh_authz_probe_key key = {
		.address = flow->destination,
		.port = flow->destination_port,
	};

	return kmesh_authz_settings.probes_pass && source->flags & KMESH_AUTHZ_SOURCE_NODE &&
	       bpf_map_lookup_elem(&km_authz_probe, &key);
}

/* Who is it, and what protects the destination? Returns whether it is a probe that passes. */
static __always_inline bool kmesh_identify(struct kmesh_flow *flow)
{
	struct kmesh_authz_destination destination;
	struct kmesh_authz_source source;

	if (kmesh_find_source(flow, &source)) {
		flow->identity = source.identity;
		flow->namespace_id = source.namespace_id;
		if (kmesh_is_probe(flow, &source))
			return true;
	}
	if (kmesh_find_destination(flow, &destination))
		flow->view_id = destination.view_id;
	else if (!flow->fault)
		flow->fault = KMESH_REASON_NO_DESTINATION;
	return false;
}

static __always_inline const struct kmesh_authz_vector *
kmesh_find_bits(__u32 block_id, enum kmesh_authz_dimension dimension, __u32 value)
{
	struct kmesh_authz_bits_key key = {
		.block_id = block_id,
		.dimension = dimension,
		.value = value,
	};

	return bpf_map_lookup_elem(&km_authz_bits, &key);
}

static __always_inline const struct kmesh_authz_vector *
kmesh_find_prefix(__u32 block_id, enum kmesh_authz_dimension dimension, const struct kmesh_address *address)
{
	struct kmesh_authz_prefix_key key = {
		.prefix_length = KMESH_AUTHZ_PREFIX_BASE + 128,
		.block_id = block_id,
		.dimension = dimension,
		.address = *address,
	};

	return bpf_map_lookup_elem(&km_authz_prefix, &key);
}

static __always_inline bool kmesh_has(const struct kmesh_authz_block *block,
				      enum kmesh_authz_dimension dimension)
{
	return block->dimensions & 1u << dimension;
}

static __always_inline const struct kmesh_authz_vector *
kmesh_by_identity(const struct kmesh_flow *flow, __u32 block_id, const struct kmesh_authz_block *block)
{
	const struct kmesh_authz_vector *found = 0;

	if (!flow->identity)
		return &block->unidentified;
	if (kmesh_has(block, KMESH_AUTHZ_IDENTITY))
		found = kmesh_find_bits(block_id, KMESH_AUTHZ_IDENTITY, flow->identity);
	if (!found && kmesh_has(block, KMESH_AUTHZ_NAMESPACE))
		found = kmesh_find_bits(block_id, KMESH_AUTHZ_NAMESPACE, flow->namespace_id);
	return found ? found : &block->identified;
}

static __always_inline void kmesh_hit(struct kmesh_authz_hit *hit, __u64 bits, __u32 block_id, __u32 word)
{
	if (hit->bits || !bits)
		return;
	hit->bits = bits;
	hit->block_id = block_id;
	hit->word = word;
}

/*
 * Which terms of the block match? Returns 0 always, for it must return a number. A global function, so that
 * the verifier looks at it once and not for all that a caller may know of the flow.
 */
__noinline int kmesh_match_block(struct kmesh_flow *flow, __u32 block_id)
{
	const struct kmesh_authz_block *block = bpf_map_lookup_elem(&km_authz_block, &block_id);
	const struct kmesh_authz_vector *identity, *source = 0, *destination = 0, *port = 0;

	if (!flow)
		return 0;
	if (!block) {
		flow->fault = KMESH_REASON_NO_BLOCK;
		return 0;
	}
	identity = kmesh_by_identity(flow, block_id, block);
	if (kmesh_has(block, KMESH_AUTHZ_SOURCE))
		source = kmesh_find_prefix(block_id, KMESH_AUTHZ_SOURCE, &flow->source);
	if (kmesh_has(block, KMESH_AUTHZ_DESTINATION))
		destination = kmesh_find_prefix(block_id, KMESH_AUTHZ_DESTINATION, &flow->destination);
	if (kmesh_has(block, KMESH_AUTHZ_PORT))
		port = kmesh_find_bits(block_id, KMESH_AUTHZ_PORT, flow->destination_port);
	if (!source)
		source = &block->source;
	if (!destination)
		destination = &block->destination;
	if (!port)
		port = &block->port;

	for (__u32 i = 0; i < KMESH_AUTHZ_WORDS; i++) {
		__u64 terms;

		if (i >= block->word_count)
			break;
		terms = identity->words[i] & source->words[i] & destination->words[i] & port->words[i];
		if (!terms)
			continue;
		kmesh_hit(&flow->deny, terms & block->deny.words[i], block_id, i);
		kmesh_hit(&flow->allow, terms & block->allow.words[i], block_id, i);
		kmesh_hit(&flow->trial_deny, terms & block->trial_deny.words[i], block_id, i);
		if (terms & block->trial_allow.words[i])
			flow->trial_allows = 1;
	}
	return 0;
}

struct kmesh_match_walk {
	struct kmesh_flow *flow;
	const struct kmesh_authz_view *view;
};

static long kmesh_match_next(__u32 index, struct kmesh_match_walk *walk)
{
	if (index >= KMESH_AUTHZ_VIEW_BLOCKS)
		return 1;
	kmesh_match_block(walk->flow, walk->view->block_ids[index]);
	return walk->flow->fault ? 1 : 0;
}

/* Which terms of the destination's policies match? */
static __always_inline void kmesh_match(struct kmesh_flow *flow)
{
	struct kmesh_match_walk walk = { .flow = flow };

	walk.view = bpf_map_lookup_elem(&km_authz_view, &flow->view_id);
	if (!walk.view) {
		flow->fault = KMESH_REASON_NO_VIEW;
		return;
	}
	flow->view_flags = walk.view->flags;
	/* Most workloads have few policies. */
	if (walk.view->block_count == 1)
		kmesh_match_block(flow, walk.view->block_ids[0]);
	else if (walk.view->block_count)
		bpf_loop(walk.view->block_count, kmesh_match_next, &walk, 0);
}

/* The policy of the first term of a hit; 0 when there is none. */
static __noinline __u32 kmesh_policy_of(const struct kmesh_authz_hit *hit)
{
	struct kmesh_authz_term_key key = {};
	const struct kmesh_authz_term *term;
	__u64 bits = hit->bits;

	if (!bits)
		return 0;
	key.block_id = hit->block_id;
	key.bit = 64 * hit->word;
	for (__u32 half = 32; half; half /= 2) {
		if (bits & ((1ull << half) - 1))
			continue;
		bits >>= half;
		key.bit += half;
	}
	term = bpf_map_lookup_elem(&km_authz_term, &key);
	return term ? term->policy_id : 0;
}

/* DENY before ALLOW; where policies allow, what none allows is denied. */
static __always_inline void kmesh_decide(const struct kmesh_flow *flow, struct kmesh_authz_answer *answer)
{
	*answer = (struct kmesh_authz_answer){};
	if (flow->fault) {
		answer->reason = flow->fault;
		answer->is_allowed = kmesh_authz_settings.default_allow;
		return;
	}
	if (flow->deny.bits) {
		answer->reason = KMESH_REASON_DENIED;
		answer->policy_id = kmesh_policy_of(&flow->deny);
	} else if (flow->allow.bits) {
		answer->reason = KMESH_REASON_ALLOWED;
		answer->is_allowed = 1;
		if (flow->is_question)
			answer->policy_id = kmesh_policy_of(&flow->allow);
	} else if (flow->view_flags & KMESH_AUTHZ_VIEW_ALLOW) {
		answer->reason = KMESH_REASON_NOT_ALLOWED;
	} else {
		answer->reason = KMESH_REASON_NOT_RESTRICTED;
		answer->is_allowed = 1;
	}
	if (flow->trial_deny.bits) {
		answer->trial_policy_id = kmesh_policy_of(&flow->trial_deny);
		answer->is_trial_denied = 1;
	} else if (flow->view_flags & KMESH_AUTHZ_VIEW_TRIAL_ALLOW && !flow->trial_allows) {
		answer->is_trial_denied = 1;
	}
}

#endif
