/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads a sealed value until no update crosses the reading. */
#ifndef KMESH_SETTLED_H
#define KMESH_SETTLED_H

#include "count.h"
#include "sealed.h"

/* KMESH_TORN: updates crossed every attempt. */
static __always_inline enum kmesh_read kmesh_read_settled(void *map, const __u32 *key, int key_words,
							  __u32 *copy, int value_words)
{
	for (int attempt = 0; attempt < KMESH_ATTEMPTS_MAX; attempt++) {
		enum kmesh_read read = kmesh_read_sealed(map, key, key_words, copy, value_words);

		if (read != KMESH_TORN)
			return read;
		kmesh_count(KMESH_REASON_RETRIED);
	}
	return KMESH_TORN;
}

#define KMESH_READ_SETTLED(map, key, copy)                                                 \
	kmesh_read_settled(map, (const __u32 *)(key), sizeof(*(key)) / 4, (__u32 *)(copy), \
			   sizeof(*(copy)) / 4)

#endif
