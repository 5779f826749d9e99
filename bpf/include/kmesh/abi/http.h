/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel-native engine and the kernel module agree on. The module parses the first request of a
 * deferred connection; programs ask for its parts by key, and let it be matched and hashed.
 *
 * Keys: ":method"; ":path", without query and fragment, "/" when it is empty; ":host", of an absolute
 * target or else the Host header, in lower case and without its port; ":authority", the same with its port,
 * if it has one; ":port", of the same, empty without one (HTTP/1.0 may have none of the three); ":target", as
 * it was sent; ":version", "HTTP/1.1" or "HTTP/1.0"; "?name" for the first parameter of the query with the
 * name, nothing decoded, empty without a "="; else the name of a header, in any case. A header that is there
 * more than once has its values joined by ", ".
 *
 * All of this is as the waypoint has it, and what that refuses as ambiguous or wrong, and CONNECT, is no
 * request here: the connection goes to its default endpoint.
 */
#ifndef KMESH_ABI_HTTP_H
#define KMESH_ABI_HTTP_H

/* Raise it when a kernel function, or something here, changes its meaning. Programs fit to one version. */
enum { KMESH_MODULE_ABI = 1 };

/* What this build of the module can do. The engine asks for all that it needs. */
enum kmesh_module_feature {
	KMESH_MODULE_DEFERS_V4 = 1,
	KMESH_MODULE_DEFERS_V6 = 2,
	KMESH_MODULE_MATCHES = 4, /* bpf_kmesh_http_match() and bpf_kmesh_http_hash() */
	KMESH_MODULE_RETRIES = 8,
};

/* Why a connect program runs. */
enum kmesh_connect_phase {
	KMESH_PHASE_OTHER = 0, /* not a TCP socket */
	KMESH_PHASE_CONNECT = 1, /* the application connects: nothing is known of a request */
	KMESH_PHASE_REQUEST = 2, /* a deferred connection has its first request */
	KMESH_PHASE_RETRY = 3, /* as before, and the endpoint that was chosen last has refused */
};

enum {
	/* Bytes of a request's head that are looked at. One that is longer is not routed by. */
	KMESH_HTTP_HEAD_MAX = 8192,
	/* Endpoints that are tried for one connection, besides the first. */
	KMESH_RETRIES_MAX = 5,
	/* Of a key with its value in a matcher. */
	KMESH_HTTP_MATCHER_TEXT_MAX = 4080,
};

enum kmesh_match_kind {
	KMESH_MATCH_EXACT = 1,
	KMESH_MATCH_PREFIX = 2,
	KMESH_MATCH_SUFFIX = 3,
	KMESH_MATCH_CONTAINS = 4,
	KMESH_MATCH_PRESENT = 5,
	KMESH_MATCH_SEGMENTS = 6, /* of a path: the prefix ends where a segment does */
};

enum kmesh_match_flags {
	KMESH_MATCH_IGNORE_CASE = 1, /* of ASCII letters */
	/* What is not there matches nothing, inverted or not; but PRESENT inverted. */
	KMESH_MATCH_INVERT = 2,
	KMESH_MATCH_MISSING_IS_EMPTY = 4,
};

/* A condition on one part of a request. Key and value follow each other in `text`, without an end. */
struct kmesh_http_matcher {
	__u8 kind; /* enum kmesh_match_kind */
	__u8 flags; /* enum kmesh_match_flags */
	__u16 key_size;
	__u16 value_size;
	__u16 pad;
	__u8 text[];
};

/*
 * FNV-1a, of 64 bits: finds candidates, which are compared byte by byte before they count. 0 stands for
 * "there is none", so no text has it.
 */
#define KMESH_HASH_START 0xcbf29ce484222325ull
#define KMESH_HASH_FACTOR 0x100000001b3ull

static inline __attribute__((always_inline)) __u64 kmesh_hash_byte(__u64 hash, __u8 byte)
{
	return (hash ^ byte) * KMESH_HASH_FACTOR;
}

static inline __attribute__((always_inline)) __u64 kmesh_hash_end(__u64 hash)
{
	return hash ? hash : 1;
}

_Static_assert(sizeof(struct kmesh_http_matcher) == 8, "layout");

#endif
