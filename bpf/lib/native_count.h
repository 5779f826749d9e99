/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Counts the connections of service ports whose connections are limited, or are chosen by their number. A
 * socket counts from its connect() to its release, or until it connects again.
 */
#ifndef KMESH_NATIVE_COUNT_H
#define KMESH_NATIVE_COUNT_H

#include "l4_lookup.h"
#include "native_maps.h"
#include "peer.h"
#include "settled.h"

static __always_inline struct kmesh_active *kmesh_find_active(const struct kmesh_endpoint_key *key)
{
	struct kmesh_active *active = bpf_map_lookup_elem(&km_active, key);
	struct kmesh_active none = {};

	if (active)
		return active;
	bpf_map_update_elem(&km_active, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&km_active, key);
}

static __always_inline void kmesh_count_down(const struct kmesh_endpoint_key *key)
{
	struct kmesh_active *active = bpf_map_lookup_elem(&km_active, key);

	/* What was evicted since has begun anew. */
	if (active && !__sync_fetch_and_add(&active->count, -1))
		__sync_fetch_and_add(&active->count, 1);
}

/* The socket counts no more. */
static __always_inline void kmesh_leave(struct kmesh_counted *counted)
{
	struct kmesh_endpoint_key key = {
		.service_id = counted->service_id,
		.endpoint_id = counted->endpoint_id,
	};

	if (!key.service_id)
		return;
	counted->service_id = 0;
	kmesh_count_down(&key);
	key.endpoint_id = 0;
	kmesh_count_down(&key);
}

/* How many connections the service port may have; 0: any number. */
static __always_inline __u32 kmesh_limit_of(__u32 service_id)
{
	struct kmesh_service_key key = { .service_id = service_id };
	struct kmesh_limit limit;

	return KMESH_READ_SETTLED(&km_limit, &key, &limit) == KMESH_FOUND ? limit.max_connections : 0;
}

/* Counts the socket where it is about to connect. Returns false when the service port has too many. */
static __always_inline bool kmesh_enter(struct kmesh_counted *counted, const struct kmesh_choice *choice,
					bool is_limited)
{
	struct kmesh_endpoint_key key = { .service_id = choice->service_id };
	__u32 limit = is_limited ? kmesh_limit_of(key.service_id) : 0;
	struct kmesh_active *active = kmesh_find_active(&key);

	if (!active) {
		kmesh_count(KMESH_REASON_NOT_COUNTED);
		return true;
	}
	if (__sync_fetch_and_add(&active->count, 1) >= limit && limit) {
		__sync_fetch_and_add(&active->count, -1);
		return false;
	}
	key.endpoint_id = choice->endpoint_id;
	active = kmesh_find_active(&key);
	if (active)
		__sync_fetch_and_add(&active->count, 1);
	counted->service_id = key.service_id;
	counted->endpoint_id = key.endpoint_id;
	return true;
}

static __always_inline struct kmesh_counted *kmesh_counted_of(struct bpf_sock *sk, __u64 flags)
{
	struct mptcp_sock *mptcp = kmesh_mptcp(sk);

	if (mptcp)
		return bpf_sk_storage_get(&km_counted, mptcp, 0, flags);
	return bpf_sk_storage_get(&km_counted, sk, 0, flags);
}

/*
 * The socket is about to connect to the choice, or (`choice` is 0) to something else. Returns 0 when the
 * service port has as many connections as it may have.
 */
static __noinline int kmesh_admit(struct bpf_sock *sk, const struct kmesh_choice *choice, int is_limited)
{
	bool counts = choice && choice->service_flags & (KMESH_SERVICE_COUNTED | KMESH_SERVICE_LIMITED);
	struct kmesh_counted *counted;

	if (!sk)
		return 1;
	counted = kmesh_counted_of(sk, counts ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!counted) {
		if (counts)
			kmesh_count(KMESH_REASON_NOT_COUNTED);
		return 1;
	}
	kmesh_leave(counted);
	return !counts ||
	       kmesh_enter(counted, choice, is_limited && choice->service_flags & KMESH_SERVICE_LIMITED);
}

#endif
