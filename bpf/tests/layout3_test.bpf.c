/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The dual engine's programs over maps of layout 3, where an enrolled workload could not be traced: what a
 * daemon of that layout left pinned, for those that take it over.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <kmesh/abi/abi.h>

struct kmesh_enrolled_3 {
	struct kmesh_address address;
	__u32 trace_until_s; /* was padding: 0 */
	__u32 seal;
};

#define kmesh_enrolled kmesh_enrolled_3
#include "../dual/dual.bpf.c"
