/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading values whose memory the kernel may reuse at any moment: see layout.h. */
#ifndef KMESH_SEALED_H
#define KMESH_SEALED_H

#include <kmesh/abi/abi.h>

enum kmesh_read {
	KMESH_FOUND,
	KMESH_ABSENT,
	KMESH_TORN, /* an update crossed the reading: read again */
};

static __always_inline __u32 kmesh_seal(const __u32 *key, int key_words, const __u32 *value, int value_words)
{
	__u32 seal = KMESH_SEAL_START;

	for (int i = 0; i < key_words; i++)
		seal = kmesh_seal_word(seal, key[i]);
	for (int i = 0; i < value_words; i++)
		seal = kmesh_seal_word(seal, value[i]);
	return seal;
}

/* Copies the value of `key` and checks its seal; `value_words` counts the seal, which comes last. */
static __always_inline enum kmesh_read kmesh_read_sealed(void *map, const __u32 *key, int key_words,
							 __u32 *copy, int value_words)
{
	/* Each word is read once, so that what is checked is what is used. */
	const volatile __u32 *value = bpf_map_lookup_elem(map, key);

	if (!value)
		return KMESH_ABSENT;
	for (int i = 0; i < value_words; i++)
		copy[i] = value[i];
	if (kmesh_seal(key, key_words, copy, value_words - 1) != copy[value_words - 1])
		return KMESH_TORN;
	return KMESH_FOUND;
}

#define KMESH_READ(map, key, copy) \
	kmesh_read_sealed(map, (const __u32 *)(key), sizeof(*(key)) / 4, (__u32 *)(copy), sizeof(*(copy)) / 4)

#define KMESH_SEAL(key, value)                                                                        \
	((value)->seal = kmesh_seal((const __u32 *)(key), sizeof(*(key)) / 4, (const __u32 *)(value), \
				    sizeof(*(value)) / 4 - 1))

#endif
