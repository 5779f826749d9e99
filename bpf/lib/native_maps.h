/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel-native engine's maps: see <kmesh/abi/native.h>. User space writes all but the last three. */
#ifndef KMESH_NATIVE_MAPS_H
#define KMESH_NATIVE_MAPS_H

#include <kmesh/abi/abi.h>

#include "hash_map.h"

#define KMESH_TEXT_MAP(size)                            \
	struct kmesh_text_##size {                      \
		__u8 matcher[KMESH_TEXT_##size##_SIZE]; \
	};                                              \
	KMESH_HASH_MAP(km_text_##size, KMESH_TEXTS_MAX, kmesh_text_key, kmesh_text_##size)

KMESH_HASH_MAP(km_listener, KMESH_LISTENERS_MAX, kmesh_frontend_key, kmesh_listener);
KMESH_HASH_MAP(km_chain, KMESH_LISTENER_CHAINS_MAX, kmesh_chain_key, kmesh_chain);
KMESH_HASH_MAP(km_route_table, KMESH_ROUTE_TABLES_MAX, kmesh_route_table_key, kmesh_route_table);
KMESH_HASH_MAP(km_host, KMESH_VIRTUAL_HOSTS_MAX, kmesh_host_key, kmesh_virtual_host);
KMESH_HASH_MAP(km_found, KMESH_FOUND_MAX, kmesh_found_key, kmesh_found);
KMESH_HASH_MAP(km_route, KMESH_ROUTE_ENTRIES_MAX, kmesh_route_key, kmesh_route);
KMESH_HASH_MAP(km_condition, KMESH_CONDITION_BLOCKS_MAX, kmesh_condition_key, kmesh_conditions);
KMESH_TEXT_MAP(64);
KMESH_TEXT_MAP(256);
KMESH_TEXT_MAP(4096);
KMESH_HASH_MAP(km_split, KMESH_SPLITS_MAX, kmesh_split_key, kmesh_split);
KMESH_HASH_MAP(km_share, KMESH_SPLIT_SHARES_MAX, kmesh_share_key, kmesh_share);
KMESH_HASH_MAP(km_limit, KMESH_LIMITS_MAX, kmesh_service_key, kmesh_limit);
KMESH_HASH_MAP(km_cluster, KMESH_LIMITS_MAX, kmesh_service_key, kmesh_cluster);

KMESH_LRU_HASH_MAP(km_cursor, KMESH_CURSORS_MAX, kmesh_service_key, kmesh_cursor);
KMESH_LRU_HASH_MAP(km_active, KMESH_ACTIVE_MAX, kmesh_endpoint_key, kmesh_active);

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kmesh_counted);
} km_counted SEC(".maps");

#endif
