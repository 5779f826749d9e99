/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel-native engine's maps: see <kmesh/abi/native.h>. User space writes all but the last five. */
#ifndef KMESH_NATIVE_MAPS_H
#define KMESH_NATIVE_MAPS_H

#include <kmesh/abi/abi.h>

#define KMESH_NATIVE_HASH(name, entries, key_type, value_type) \
	struct {                                               \
		__uint(type, BPF_MAP_TYPE_HASH);               \
		__uint(map_flags, BPF_F_NO_PREALLOC);          \
		__uint(max_entries, entries);                  \
		__type(key, struct key_type);                  \
		__type(value, struct value_type);              \
	} name SEC(".maps")

#define KMESH_TEXT_MAP(size)                            \
	struct kmesh_text_##size {                      \
		__u8 matcher[KMESH_TEXT_##size##_SIZE]; \
	};                                              \
	KMESH_NATIVE_HASH(km_text_##size, KMESH_TEXTS_MAX, kmesh_text_key, kmesh_text_##size)

KMESH_NATIVE_HASH(km_listener, KMESH_LISTENERS_MAX, kmesh_frontend_key, kmesh_listener);
KMESH_NATIVE_HASH(km_chain, KMESH_LISTENER_CHAINS_MAX, kmesh_chain_key, kmesh_chain);
KMESH_NATIVE_HASH(km_route_table, KMESH_ROUTE_TABLES_MAX, kmesh_route_table_key, kmesh_route_table);
KMESH_NATIVE_HASH(km_host, KMESH_VIRTUAL_HOSTS_MAX, kmesh_host_key, kmesh_virtual_host);
KMESH_NATIVE_HASH(km_found, KMESH_FOUND_MAX, kmesh_found_key, kmesh_found);
KMESH_NATIVE_HASH(km_route, KMESH_ROUTE_ENTRIES_MAX, kmesh_route_key, kmesh_route);
KMESH_NATIVE_HASH(km_condition, KMESH_CONDITION_BLOCKS_MAX, kmesh_condition_key, kmesh_conditions);
KMESH_TEXT_MAP(64);
KMESH_TEXT_MAP(256);
KMESH_TEXT_MAP(4096);
KMESH_NATIVE_HASH(km_split, KMESH_SPLITS_MAX, kmesh_split_key, kmesh_split);
KMESH_NATIVE_HASH(km_share, KMESH_SPLIT_SHARES_MAX, kmesh_share_key, kmesh_share);
KMESH_NATIVE_HASH(km_limit, KMESH_LIMITS_MAX, kmesh_service_key, kmesh_limit);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMESH_CURSORS_MAX);
	__type(key, struct kmesh_service_key);
	__type(value, struct kmesh_cursor);
} km_cursor SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMESH_ACTIVE_MAX);
	__type(key, struct kmesh_endpoint_key);
	__type(value, struct kmesh_active);
} km_active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kmesh_counted);
} km_counted SEC(".maps");

#endif
