/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One counter per reason and CPU. */
#ifndef KMESH_COUNT_H
#define KMESH_COUNT_H

#include <kmesh/abi/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KMESH_REASON_MAX);
	__type(key, __u32);
	__type(value, __u64);
} km_reason SEC(".maps");

static __always_inline void kmesh_count(enum kmesh_reason reason)
{
	__u32 index = reason;
	__u64 *count = bpf_map_lookup_elem(&km_reason, &index);

	if (count)
		*count += 1;
}

#endif
