/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What clients dial: its listener, and the filter chain that a connection takes. */
#ifndef KMESH_NATIVE_LISTENER_H
#define KMESH_NATIVE_LISTENER_H

#include "l4_lookup.h"
#include "native_maps.h"
#include "settled.h"

static __always_inline bool kmesh_read_listener(const struct kmesh_frontend_key *key,
						struct kmesh_listener *listener)
{
	return KMESH_READ_SETTLED(&km_listener, key, listener) == KMESH_FOUND;
}

/* The listener that takes what is dialed at a port, whatever the address of its family. */
static __always_inline bool kmesh_read_wildcard_listener(const struct kmesh_frontend_key *dialed,
							 struct kmesh_listener *listener)
{
	struct kmesh_frontend_key key = { .port = dialed->port, .protocol = dialed->protocol };

	if (kmesh_is_v4(&dialed->address))
		key.address.words[2] = bpf_htonl(0xffff);
	return kmesh_read_listener(&key, listener);
}

static __always_inline bool kmesh_begins_with(const struct kmesh_address *address,
					      const struct kmesh_address *prefix, __u32 bits)
{
	for (__u32 i = 0; i < 4; i++) {
		__u32 length = bits > 32 * i ? bits - 32 * i : 0;
		__u32 mask = length >= 32 ? ~0u : length ? bpf_htonl(~0u << (32 - length)) : 0;

		if ((address->words[i] ^ prefix->words[i]) & mask)
			return false;
	}
	return true;
}

struct kmesh_chain_walk {
	const struct kmesh_request *request;
	__u32 chains_id;
	__u32 action; /* enum kmesh_action, 0: none yet */
	__u32 target;
	__u32 is_faulty;
};

static long kmesh_find_chain_next(__u32 index, struct kmesh_chain_walk *walk)
{
	struct kmesh_chain_key key = { .chains_id = walk->chains_id, .index = index };
	const struct kmesh_chain *chain = bpf_map_lookup_elem(&km_chain, &key);

	if (!chain) {
		walk->is_faulty = 1;
		return 1;
	}
	if (chain->destination_port && chain->destination_port != walk->request->frontend.port)
		return 0;
	if (!kmesh_begins_with(&walk->request->client, &chain->source, chain->source_bits))
		return 0;
	walk->action = chain->action;
	walk->target = chain->target;
	return 1;
}

/* Puts the action of the chain that fits into the listener. Returns 0, or a verdict. */
static __always_inline int kmesh_find_chain(const struct kmesh_request *request,
					    struct kmesh_listener *listener)
{
	struct kmesh_chain_walk walk = { .request = request, .chains_id = listener->chains_id };

	bpf_loop(listener->chain_count, kmesh_find_chain_next, &walk, 0);
	if (walk.is_faulty)
		return KMESH_REASON_NO_ROUTING_ENTRY;
	if (!walk.action)
		return KMESH_REASON_NO_CHAIN;
	listener->action = walk.action;
	listener->target = walk.target;
	return 0;
}

#endif
