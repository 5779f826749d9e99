/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whose traffic is steered and observed. */
#ifndef KMESH_ENROLLED_MAP_H
#define KMESH_ENROLLED_MAP_H

#include <kmesh/abi/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_ENROLLED_MAX);
	__type(key, struct kmesh_enrolled_key);
	__type(value, struct kmesh_enrolled);
} km_enrolled SEC(".maps");

#endif
