/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What programs at different hooks know of one socket, and the settings that they share. */
#ifndef KMESH_PEER_H
#define KMESH_PEER_H

#include <kmesh/abi/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kmesh_peer);
} km_peer SEC(".maps");

/* Set by the loader. */
const volatile struct kmesh_l4_settings kmesh_settings = {};

#endif
