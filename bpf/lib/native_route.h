/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From a request to its route: host, path, conditions. The maps that are read here do not change while they
 * are read: see <kmesh/abi/native.h>. What should be there and is not is a fault of ours.
 */
#ifndef KMESH_NATIVE_ROUTE_H
#define KMESH_NATIVE_ROUTE_H

#include "count.h"
#include "http_calls.h"
#include "native_maps.h"

enum kmesh_holding {
	KMESH_HOLDS_NOT = 0,
	KMESH_HOLDS = 1,
	KMESH_HOLDING_UNKNOWN = 2, /* a fault */
};

static __always_inline enum kmesh_holding kmesh_holding_of(int match)
{
	return match < 0 ? KMESH_HOLDING_UNKNOWN : match ? KMESH_HOLDS : KMESH_HOLDS_NOT;
}

#define KMESH_MATCH_TEXT(size, key)                                                              \
	({                                                                                       \
		struct kmesh_text_##size *text_ = bpf_map_lookup_elem(&km_text_##size, key);     \
		kmesh_holding_of(text_ ? bpf_kmesh_http_match(ctx, text_, sizeof(*text_)) : -1); \
	})

/* Does the request fit to the matcher that `text` refers to? Returns enum kmesh_holding. */
__noinline int kmesh_holds(struct bpf_sock_addr *ctx, __u32 text)
{
	struct kmesh_text_key key = { .number = text & KMESH_TEXT_NUMBER_MASK };

	switch (text >> KMESH_TEXT_CLASS_SHIFT) {
	case KMESH_TEXT_64:
		return KMESH_MATCH_TEXT(64, &key);
	case KMESH_TEXT_256:
		return KMESH_MATCH_TEXT(256, &key);
	case KMESH_TEXT_4096:
		return KMESH_MATCH_TEXT(4096, &key);
	}
	return KMESH_HOLDING_UNKNOWN;
}

#define KMESH_HASH_KEY_OF(size, number_key)                                                             \
	({                                                                                              \
		struct kmesh_text_##size *text_ = bpf_map_lookup_elem(&km_text_##size, number_key);     \
		text_ ? bpf_kmesh_http_hash(ctx, text_->matcher + sizeof(struct kmesh_http_matcher),    \
					    sizeof(*text_) - sizeof(struct kmesh_http_matcher), 0, 0) : \
			0;                                                                              \
	})

/* The hash of what the request has under the key of the matcher that `text` refers to; 0: nothing. */
__noinline __u32 kmesh_hash_of(struct bpf_sock_addr *ctx, __u32 text)
{
	struct kmesh_text_key key = { .number = text & KMESH_TEXT_NUMBER_MASK };
	__u64 hash = 0;

	switch (text >> KMESH_TEXT_CLASS_SHIFT) {
	case KMESH_TEXT_64:
		hash = KMESH_HASH_KEY_OF(64, &key);
		break;
	case KMESH_TEXT_256:
		hash = KMESH_HASH_KEY_OF(256, &key);
		break;
	case KMESH_TEXT_4096:
		hash = KMESH_HASH_KEY_OF(4096, &key);
		break;
	}
	return hash ^ (hash >> 32);
}

static __always_inline __u64 kmesh_hash_probed(struct bpf_sock_addr *ctx, const struct kmesh_probe *probe)
{
	switch (probe->kind) {
	case KMESH_PROBE_HOST:
		return bpf_kmesh_http_hash_constant(ctx, ":host", probe->length, 0);
	case KMESH_PROBE_AUTHORITY:
		return bpf_kmesh_http_hash_constant(ctx, ":authority", probe->length, 0);
	case KMESH_PROBE_PATH:
		return bpf_kmesh_http_hash_constant(ctx, ":path", probe->length, 0);
	case KMESH_PROBE_PATH_ANY_CASE:
		return bpf_kmesh_http_hash_constant(ctx, ":path", probe->length, KMESH_MATCH_IGNORE_CASE);
	}
	return 0;
}

/* One look for a host or path among those of a table or virtual host. */
struct kmesh_walk {
	struct bpf_sock_addr *ctx;
	const struct kmesh_probe *probes;
	__u32 owner_id;
	__u32 found_id; /* a virtual host, or the least number of a route that fits; 0: none yet */
	__u32 is_faulty;
	__u32 number; /* of the route that is looked at */
};

/* What was found with the probe, 0 for nothing. */
static __always_inline __u32 kmesh_find(struct kmesh_walk *walk, const struct kmesh_probe *probe)
{
	struct kmesh_found_key key = { .owner_id = walk->owner_id, .probe = *probe };
	const struct kmesh_found *found;

	key.hash = kmesh_hash_probed(walk->ctx, probe);
	if (!key.hash)
		return 0;
	found = bpf_map_lookup_elem(&km_found, &key);
	if (!found)
		return 0;
	switch (kmesh_holds(walk->ctx, found->text)) {
	case KMESH_HOLDS:
		return found->found_id;
	case KMESH_HOLDS_NOT:
		return 0;
	}
	walk->is_faulty = 1;
	return 0;
}

static long kmesh_find_host_next(__u32 index, struct kmesh_walk *walk)
{
	struct kmesh_probe probe;

	if (index >= KMESH_PROBES_MAX)
		return 1;
	probe = walk->probes[index];
	walk->found_id = kmesh_find(walk, &probe);
	return walk->found_id || walk->is_faulty;
}

/* The virtual host of the request; 0: there is none; below 0: a fault. */
__noinline int kmesh_find_host(struct bpf_sock_addr *ctx, __u32 table_id)
{
	struct kmesh_route_table_key key = { .table_id = table_id };
	const struct kmesh_route_table *table = bpf_map_lookup_elem(&km_route_table, &key);
	struct kmesh_walk walk = { .ctx = ctx, .owner_id = table_id };

	if (!table)
		return -1;
	walk.probes = table->probes;
	bpf_loop(table->probe_count, kmesh_find_host_next, &walk, 0);
	if (walk.is_faulty)
		return -1;
	return walk.found_id ? walk.found_id : table->any_host;
}

struct kmesh_condition_walk {
	struct bpf_sock_addr *ctx;
	struct kmesh_condition_key key;
	__u32 left; /* conditions that were not looked at yet */
	__u32 holding; /* enum kmesh_holding */
};

static __always_inline int kmesh_all_hold(struct bpf_sock_addr *ctx, const __u32 *texts, __u32 count)
{
	for (__u32 i = 0; i < KMESH_CONDITIONS && i < count; i++) {
		int holding = kmesh_holds(ctx, texts[i]);

		if (holding != KMESH_HOLDS)
			return holding;
	}
	return KMESH_HOLDS;
}

static long kmesh_more_hold(__u32 index, struct kmesh_condition_walk *walk)
{
	const struct kmesh_conditions *conditions;

	walk->key.block = index;
	conditions = bpf_map_lookup_elem(&km_condition, &walk->key);
	walk->holding =
		conditions ? kmesh_all_hold(walk->ctx, conditions->texts, walk->left) : KMESH_HOLDING_UNKNOWN;
	if (walk->holding != KMESH_HOLDS || walk->left <= KMESH_CONDITIONS)
		return 1;
	walk->left -= KMESH_CONDITIONS;
	return 0;
}

/* Do the route's conditions hold? Returns enum kmesh_holding, and in `next` the route's own. */
__noinline int kmesh_route_holds(struct bpf_sock_addr *ctx, struct kmesh_route_key *key, __u32 *next)
{
	struct kmesh_condition_walk walk = { .ctx = ctx };
	const struct kmesh_route *route;

	if (!key || !next)
		return KMESH_HOLDING_UNKNOWN;
	route = bpf_map_lookup_elem(&km_route, key);
	if (!route)
		return KMESH_HOLDING_UNKNOWN;
	*next = route->next;
	walk.holding = kmesh_all_hold(ctx, route->conditions, route->condition_count);
	if (walk.holding != KMESH_HOLDS || route->condition_count <= KMESH_CONDITIONS)
		return walk.holding;
	walk.left = route->condition_count - KMESH_CONDITIONS;
	walk.key.host_id = key->host_id;
	walk.key.number = key->number;
	bpf_loop(KMESH_CONDITIONS_MAX / KMESH_CONDITIONS, kmesh_more_hold, &walk, 0);
	return walk.holding;
}

static long kmesh_find_route_next(__u32 index, struct kmesh_walk *walk)
{
	struct kmesh_route_key key = { .host_id = walk->owner_id, .number = walk->number };
	__u32 next = 0;

	/* Those that follow have greater numbers. */
	if (!key.number || (walk->found_id && key.number >= walk->found_id))
		return 1;
	switch (kmesh_route_holds(walk->ctx, &key, &next)) {
	case KMESH_HOLDS:
		walk->found_id = key.number;
		return 1;
	case KMESH_HOLDS_NOT:
		walk->number = next;
		return 0;
	}
	walk->is_faulty = 1;
	return 1;
}

static long kmesh_find_path_next(__u32 index, struct kmesh_walk *walk)
{
	struct kmesh_probe probe;

	if (index >= KMESH_PROBES_MAX)
		return 1;
	probe = walk->probes[index];
	walk->number = kmesh_find(walk, &probe);
	if (walk->number)
		bpf_loop(KMESH_ROUTES_MAX, kmesh_find_route_next, walk, 0);
	return walk->is_faulty ? 1 : 0;
}

/* The number of the request's route in the virtual host; 0: there is none; below 0: a fault. */
__noinline int kmesh_find_route(struct bpf_sock_addr *ctx, __u32 host_id)
{
	struct kmesh_host_key key = { .host_id = host_id };
	const struct kmesh_virtual_host *host = bpf_map_lookup_elem(&km_host, &key);
	struct kmesh_walk walk = { .ctx = ctx, .owner_id = host_id };

	if (!host)
		return -1;
	walk.probes = host->probes;
	bpf_loop(host->probe_count, kmesh_find_path_next, &walk, 0);
	walk.number = host->any_route;
	if (!walk.is_faulty)
		bpf_loop(KMESH_ROUTES_MAX, kmesh_find_route_next, &walk, 0);
	return walk.is_faulty ? -1 : walk.found_id;
}

/*
 * The service port whose turn it is in the split: 0 when that part has none; below 0: a fault. Ids stay below
 * 2^31.
 */
__noinline int kmesh_take_share(__u32 split_id)
{
	struct kmesh_split_key key = { .split_id = split_id };
	struct kmesh_split *split = bpf_map_lookup_elem(&km_split, &key);
	struct kmesh_share_key part = { .split_id = split_id };
	const struct kmesh_share *share;
	__u32 low = 0, high, place;

	if (!split || !split->total || !split->count)
		return -1;
	place = (__u64)__sync_fetch_and_add(&split->cursor, 1) * split->stride % split->total;
	high = split->count - 1;
	/* As many halvings as lead to one of KMESH_SHARES_MAX. */
	for (int i = 0; i < 16 && low < high; i++) {
		part.index = low + (high - low) / 2;
		share = bpf_map_lookup_elem(&km_share, &part);
		if (!share)
			return -1;
		if (place < share->end)
			high = part.index;
		else
			low = part.index + 1;
	}
	part.index = low;
	share = bpf_map_lookup_elem(&km_share, &part);
	return share ? share->service_id : -1;
}

#endif
