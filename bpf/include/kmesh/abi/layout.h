/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How keys and values are laid out, and how a value proves that it belongs to its key. */
#ifndef KMESH_ABI_LAYOUT_H
#define KMESH_ABI_LAYOUT_H

/*
 * Version of the L4 maps' layouts. It is part of the pin directory's name, so that a program never meets maps
 * of another layout. Raise it with every change of a key, a value or a map's type.
 */
enum { KMESH_LAYOUT_VERSION = 4 };

/*
 * An address in a key or value: 16 bytes in network byte order, IPv4 as ::ffff:a.b.c.d, so that one map and
 * one function serve both families.
 */
struct kmesh_address {
	__u32 words[4];
};

/*
 * The kernel may reuse the memory of a hash map's element while a program still reads it. So the values that
 * steering depends on end in a seal over key and value; a reader copies the value, computes the seal again
 * and retries when it differs. A copy torn between two values, or a value that now belongs to another key,
 * never passes. Keys and values are sealed as words of 32 bits.
 */
#define KMESH_SEAL_START 0x6b6d6573u
#define KMESH_SEAL_FACTOR 0x9e3779b1u

static inline __attribute__((always_inline)) __u32 kmesh_seal_word(__u32 seal, __u32 word)
{
	return (seal ^ word) * KMESH_SEAL_FACTOR + (seal >> 15);
}

#endif
