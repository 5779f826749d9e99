/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The head of an HTTP/1 request: what it says, by key. Pure code over bytes, which user space compiles too.
 *
 * It is as strict as the project's waypoint proxy, and refuses what that answers with an error: what two
 * servers could read in two ways is not routed by. <kmesh/abi/http.h> says what keys there are.
 */
#ifndef KMESH_HTTP_H
#define KMESH_HTTP_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#endif

#include "http.h"

/* Header lines of one request. More are refused, as the waypoint does. */
#define KMESH_HTTP_FIELDS 100

/* Offsets into the text: of the head, and of as much behind it for kmesh_http_finish(). */
struct kmesh_http_range {
	u16 start;
	u16 size;
};

struct kmesh_http_field {
	struct kmesh_http_range name; /* empty: joined to an earlier one */
	struct kmesh_http_range value; /* without white space around it */
	u32 hash; /* of the name, in lower case */
};

struct kmesh_http {
	/* Where the line begins that is read next; after the empty one, when the head is complete. */
	u16 next;
	u8 minor_version;
	u8 field_count;
	u8 option_count; /* of Connection */
	bool has_line;
	bool has_query;
	bool is_absolute;
	bool has_host; /* line */
	bool has_length; /* line */
	bool has_encoding; /* line */
	bool has_repeated; /* lines of one name */
	bool has_capitals; /* in the host */
	struct kmesh_http_range method;
	struct kmesh_http_range target;
	struct kmesh_http_range path;
	struct kmesh_http_range query;
	struct kmesh_http_range version;
	struct kmesh_http_range authority; /* of the target, or the Host line's value */
	struct kmesh_http_range host;
	struct kmesh_http_range port;
	struct kmesh_http_field fields[KMESH_HTTP_FIELDS];
};

enum kmesh_http_verdict {
	KMESH_HTTP_INCOMPLETE,
	KMESH_HTTP_COMPLETE,
	KMESH_HTTP_REFUSED, /* no HTTP/1, or not clear enough to be routed by */
};

struct kmesh_http_value {
	const u8 *text;
	u32 size;
};

static inline u8 kmesh_lower(u8 byte)
{
	return (u8)(byte - 'A') < 26 ? byte | 0x20 : byte;
}

/* As the function of the C library, but for `size` bytes whatever they are. */
static inline bool kmesh_equal_folded(const u8 *one, const u8 *other, u32 size)
{
	u32 at;

	for (at = 0; at < size; at++)
		if (kmesh_lower(one[at]) != kmesh_lower(other[at]))
			return false;
	return true;
}

u64 kmesh_hash(const u8 *text, u32 size, bool folded);

/*
 * Goes on reading after the lines that were read before; `http` is zeroed at first. `text` is always the same
 * bytes, or more of them: KMESH_HTTP_HEAD_MAX at most.
 */
enum kmesh_http_verdict kmesh_http_read(struct kmesh_http *http, const u8 *text, u32 size);

/* How many bytes kmesh_http_finish() needs. */
u32 kmesh_http_extra(const struct kmesh_http *http);

/* Makes a complete head ready to be asked: joins repeated lines and lowers the host, from text[at] on. */
void kmesh_http_finish(struct kmesh_http *http, u8 *text, u32 at);

/* Whether there is a part of this name. */
bool kmesh_http_find(const struct kmesh_http *http, const u8 *text, const u8 *key, u32 key_size,
		     struct kmesh_http_value *value);

/* struct kmesh_http_matcher: 1, 0, or -EINVAL when it is none. */
int kmesh_http_match(const struct kmesh_http *http, const u8 *text, const void *matcher, u32 matcher_size);

/* Of a part, or of its first `length` bytes, or of its last -length ones. 0: not there, or shorter. */
u64 kmesh_http_part_hash(const struct kmesh_http *http, const u8 *text, const u8 *key, u32 key_size,
			 s32 length, u32 flags);

#endif
