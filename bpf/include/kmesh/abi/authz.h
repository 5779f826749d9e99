/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Authorization: destination -> view -> blocks of terms; a connection's attributes -> the terms that they
 * satisfy. docs/authorization.md says how policies become terms.
 *
 * A term is a conjunction over four dimensions: the source's identity, its address, the destination's address
 * and its port. A block has up to KMESH_AUTHZ_TERMS terms, a bit each; for each dimension one lookup gives
 * the terms that an attribute satisfies, and the AND of all is the terms that match.
 *
 * Views, blocks and what belongs to blocks never change once a destination leads to them, but for entries of
 * identities that no source has yet. An update makes new ones and then turns the destinations over, each in
 * one step. What nothing leads to any more is removed after a grace period of RCU, so that programs may read
 * it in place.
 */
#ifndef KMESH_ABI_AUTHZ_H
#define KMESH_ABI_AUTHZ_H

/* Version of these maps' layouts: part of their pin directory's name. Raise it with every change. */
enum { KMESH_AUTHZ_LAYOUT_VERSION = 1 };

/* A bit for each term of a block. */
struct kmesh_authz_vector {
	__u64 words[KMESH_AUTHZ_WORDS];
};

enum kmesh_authz_source_flags {
	KMESH_AUTHZ_SOURCE_NODE = 1, /* an address of this node, where kubelet's probes come from */
};

/* km_authz_source: who is behind an address, by struct kmesh_address. Not there: nobody that we know. */
struct kmesh_authz_source {
	__u32 identity; /* 0: none, for the address is shared or a node's */
	__u32 namespace_id; /* of the identity; 0: none */
	__u32 flags; /* enum kmesh_authz_source_flags */
	__u32 seal;
};

/* km_authz_dest: what protects an address of an enrolled workload, by struct kmesh_address. */
struct kmesh_authz_destination {
	__u32 view_id; /* never 0 */
	__u32 seal;
};

enum kmesh_authz_view_flags {
	KMESH_AUTHZ_VIEW_ALLOW = 1, /* there is a policy that allows: what none allows is denied */
	KMESH_AUTHZ_VIEW_TRIAL_ALLOW = 2, /* the same among the policies under trial */
};

/* km_authz_view: the policies of a destination, by the view's id. */
struct kmesh_authz_view_key {
	__u32 view_id;
};

struct kmesh_authz_view {
	__u32 flags; /* enum kmesh_authz_view_flags */
	__u32 block_count;
	__u32 block_ids[KMESH_AUTHZ_VIEW_BLOCKS];
};

/* Dimensions of terms. */
enum kmesh_authz_dimension {
	KMESH_AUTHZ_IDENTITY = 1,
	KMESH_AUTHZ_NAMESPACE = 2, /* for identities of the namespace that have no entry of their own */
	KMESH_AUTHZ_PORT = 3, /* of the destination */
	KMESH_AUTHZ_SOURCE = 4, /* address blocks: km_authz_prefix */
	KMESH_AUTHZ_DESTINATION = 5,
};

/* km_authz_block: by the block's id, never 0. */
struct kmesh_authz_block_key {
	__u32 block_id;
};

struct kmesh_authz_block {
	__u32 word_count; /* words of its vectors that are in use; the others are 0 */
	__u32 dimensions; /* 1 << enum kmesh_authz_dimension for each that has entries */
	/* Terms by what their policy does. */
	struct kmesh_authz_vector deny;
	struct kmesh_authz_vector allow;
	struct kmesh_authz_vector trial_deny;
	struct kmesh_authz_vector trial_allow;
	/* Terms that an attribute without an entry of its own satisfies. */
	struct kmesh_authz_vector identified; /* a source with an identity */
	struct kmesh_authz_vector unidentified; /* a source without one; it has no entries */
	struct kmesh_authz_vector source;
	struct kmesh_authz_vector destination;
	struct kmesh_authz_vector port;
};

/* km_authz_bits: the terms of a block that an identity, a namespace or a port satisfies. */
struct kmesh_authz_bits_key {
	__u32 block_id;
	__u32 dimension;
	__u32 value; /* an identity, a namespace's id, or a port */
};

/*
 * km_authz_prefix: the terms of a block that addresses satisfy whose longest entry is this one. An entry
 * counts for its whole length, 64 bits before the address included. IPv4 addresses are v4-mapped; where a
 * block has an entry of less than 96 bits, it has one for ::ffff:0:0/96 too.
 */
struct kmesh_authz_prefix_key {
	__u32 prefix_length;
	__u32 block_id;
	__u32 dimension;
	struct kmesh_address address;
};

enum { KMESH_AUTHZ_PREFIX_BASE = 64 };

/* km_authz_term: whose a term is: for counters and logs. */
struct kmesh_authz_term_key {
	__u32 block_id;
	__u32 bit;
};

struct kmesh_authz_term {
	__u32 policy_id; /* never 0 */
};

/* km_authz_policy: what a policy has denied; user space makes the entries, and programs count. */
struct kmesh_authz_policy_key {
	__u32 policy_id;
};

struct kmesh_authz_policy {
	__u64 denied;
	__u64 trial_denied; /* would have been, were it not on trial */
};

/* km_authz_probe: ports that kubelet probes, on an address of an enrolled workload. */
struct kmesh_authz_probe_key {
	struct kmesh_address address;
	__u32 port;
};

struct kmesh_authz_probe {
	__u32 pad;
};

/* km_authz_switch: one entry. */
struct kmesh_authz_switch {
	__u32 is_off; /* everything passes */
};

/* km_authz_event: denials and those of policies under trial; a few each second, see KMESH_AUTHZ_EVENTS. */
struct kmesh_authz_event {
	__u64 time_ns; /* of the monotonic clock */
	struct kmesh_address source;
	struct kmesh_address destination;
	__u16 source_port;
	__u16 destination_port;
	__u32 reason; /* enum kmesh_reason */
	__u32 policy_id; /* 0: no single one */
	__u32 suppressed; /* events that were not written since the one before, on this CPU */
};

enum kmesh_authz_deny {
	KMESH_AUTHZ_DROP = 0,
	KMESH_AUTHZ_RESET = 1,
};

/* Constants of the programs: the whole of their .rodata, set before they are loaded. */
struct kmesh_authz_settings {
	__u32 default_allow; /* what happens to a connection when something of ours is missing */
	__u32 deny; /* enum kmesh_authz_deny */
	__u32 probes_pass; /* kubelet's probes are not subject to policy */
};

/* Programs of the chain, in km_authz_chain. */
enum kmesh_authz_step {
	KMESH_AUTHZ_STEP_VIEW = 0, /* who is it, and which policies protect the destination? */
	KMESH_AUTHZ_STEP_MATCH = 1, /* which terms match? */
	KMESH_AUTHZ_STEP_VERDICT = 2,
	KMESH_AUTHZ_STEP_MAX = 3,
};

_Static_assert(sizeof(struct kmesh_authz_vector) == 8 * KMESH_AUTHZ_WORDS, "layout");
_Static_assert(sizeof(struct kmesh_authz_source) == 16, "layout");
_Static_assert(sizeof(struct kmesh_authz_destination) == 8, "layout");
_Static_assert(sizeof(struct kmesh_authz_view) == 8 + 4 * KMESH_AUTHZ_VIEW_BLOCKS, "layout");
_Static_assert(sizeof(struct kmesh_authz_block) == 8 + 9 * 8 * KMESH_AUTHZ_WORDS, "layout");
_Static_assert(sizeof(struct kmesh_authz_bits_key) == 12, "layout");
_Static_assert(sizeof(struct kmesh_authz_prefix_key) == 28, "layout");
_Static_assert(sizeof(struct kmesh_authz_term_key) == 8, "layout");
_Static_assert(sizeof(struct kmesh_authz_policy) == 16, "layout");
_Static_assert(sizeof(struct kmesh_authz_probe_key) == 20, "layout");
_Static_assert(sizeof(struct kmesh_authz_event) == 56, "layout");

#endif
