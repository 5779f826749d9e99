/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps of authorization; <kmesh/abi/authz.h> says how they hang together. User space writes all but the
 * last three. */
#ifndef KMESH_AUTHZ_MAPS_H
#define KMESH_AUTHZ_MAPS_H

#include <kmesh/abi/abi.h>

#include "hash_map.h"

KMESH_HASH_MAP(km_authz_source, KMESH_AUTHZ_SOURCES_MAX, kmesh_address, kmesh_authz_source);
KMESH_HASH_MAP(km_authz_dest, KMESH_AUTHZ_DESTINATIONS_MAX, kmesh_address, kmesh_authz_destination);
KMESH_HASH_MAP(km_authz_view, KMESH_AUTHZ_DESTINATIONS_MAX, kmesh_authz_view_key, kmesh_authz_view);
KMESH_HASH_MAP(km_authz_block, KMESH_AUTHZ_BLOCKS_MAX, kmesh_authz_block_key, kmesh_authz_block);
KMESH_HASH_MAP(km_authz_bits, KMESH_AUTHZ_BITS_MAX, kmesh_authz_bits_key, kmesh_authz_vector);
KMESH_HASH_MAP(km_authz_term, KMESH_AUTHZ_TERMS_MAX, kmesh_authz_term_key, kmesh_authz_term);
KMESH_HASH_MAP(km_authz_policy, KMESH_AUTHZ_POLICIES_MAX, kmesh_authz_policy_key, kmesh_authz_policy);
KMESH_HASH_MAP(km_authz_probe, KMESH_AUTHZ_PROBES_MAX, kmesh_authz_probe_key, kmesh_authz_probe);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_AUTHZ_BITS_MAX);
	__type(key, struct kmesh_authz_prefix_key);
	__type(value, struct kmesh_authz_vector);
} km_authz_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmesh_authz_switch);
} km_authz_switch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMESH_AUTHZ_RING_BYTES);
} km_authz_event SEC(".maps");

/* How many events this CPU has written in the second. */
struct kmesh_authz_pace {
	__u64 second;
	__u32 events;
	__u32 suppressed;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmesh_authz_pace);
} km_authz_pace SEC(".maps");

/* Set by the loader. */
const volatile struct kmesh_authz_settings kmesh_authz_settings = {};

#endif
