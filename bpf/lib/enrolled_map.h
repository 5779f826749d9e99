/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whose traffic is steered and observed. */
#ifndef KMESH_ENROLLED_MAP_H
#define KMESH_ENROLLED_MAP_H

#include <kmesh/abi/abi.h>

#include "hash_map.h"

KMESH_HASH_MAP(km_enrolled, KMESH_ENROLLED_MAX, kmesh_enrolled_key, kmesh_enrolled);

#endif
