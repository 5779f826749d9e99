/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How maps by key are declared. */
#ifndef KMESH_HASH_MAP_H
#define KMESH_HASH_MAP_H

/* Takes memory as it fills. */
#define KMESH_HASH_MAP(name, entries, key_type, value_type) \
	struct {                                            \
		__uint(type, BPF_MAP_TYPE_HASH);            \
		__uint(map_flags, BPF_F_NO_PREALLOC);       \
		__uint(max_entries, entries);               \
		__type(key, struct key_type);               \
		__type(value, struct value_type);           \
	} name SEC(".maps")

/* Evicts the least recently used entry when it is full. */
#define KMESH_LRU_HASH_MAP(name, entries, key_type, value_type) \
	struct {                                                \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);            \
		__uint(max_entries, entries);                   \
		__type(key, struct key_type);                   \
		__type(value, struct value_type);               \
	} name SEC(".maps")

#endif
