/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Policies that only the kernel-native engine has; part of l4_lookup.h. */
#ifndef KMESH_NATIVE_POLICIES_H
#define KMESH_NATIVE_POLICIES_H

#include "native_maps.h"

/* Whose turn it is in the service port: counts from 0. */
static __always_inline __u32 kmesh_next_turn(__u32 service_id)
{
	struct kmesh_service_key key = { .service_id = service_id };
	struct kmesh_cursor *cursor = bpf_map_lookup_elem(&km_cursor, &key);
	struct kmesh_cursor first = { .next = 1 };

	if (!cursor) {
		if (!bpf_map_update_elem(&km_cursor, &key, &first, BPF_NOEXIST))
			return 0;
		/* Another CPU was faster. */
		cursor = bpf_map_lookup_elem(&km_cursor, &key);
	}
	return cursor ? __sync_fetch_and_add(&cursor->next, 1) : 0;
}

/* How many connections the endpoint has of which we know. */
static __always_inline __u32 kmesh_load_of(const struct kmesh_choice *choice)
{
	struct kmesh_endpoint_key key = {
		.service_id = choice->service_id,
		.endpoint_id = choice->endpoint_id,
	};
	const struct kmesh_active *active = bpf_map_lookup_elem(&km_active, &key);

	return active ? active->count : 0;
}

/* The less busy of two that are taken at random. */
static __always_inline bool kmesh_choose_less_busy(const struct kmesh_service *service,
						   struct kmesh_choice *choice)
{
	__u32 count = service->endpoint_count;
	__u32 first = bpf_get_prandom_u32() % count;
	__u32 first_id, first_load, second;

	if (!kmesh_read_slot(service, first, choice))
		return false;
	if (count == 1)
		return true;
	first_id = choice->endpoint_id;
	first_load = kmesh_load_of(choice);
	second = bpf_get_prandom_u32() % (count - 1);
	if (second >= first)
		second++;
	if (!kmesh_read_slot(service, second, choice))
		return false;
	if (first_load <= kmesh_load_of(choice))
		choice->endpoint_id = first_id;
	return true;
}

static __always_inline bool kmesh_choose_otherwise(const struct kmesh_service *service,
						   struct kmesh_choice *choice)
{
	switch (service->policy) {
	case KMESH_POLICY_ROUND_ROBIN:
		return kmesh_read_slot(service, kmesh_next_turn(choice->service_id) % service->endpoint_count,
				       choice);
	case KMESH_POLICY_TABLE_ROUND_ROBIN:
		return kmesh_read_table(kmesh_next_turn(choice->service_id), choice);
	case KMESH_POLICY_LEAST_REQUEST:
		return kmesh_choose_less_busy(service, choice);
	}
	return false;
}

#endif
