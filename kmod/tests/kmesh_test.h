/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the test's program, its loader and mesh.py agree on. */
#ifndef KMESH_TEST_H
#define KMESH_TEST_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

struct test_endpoint {
	__u32 address; /* network order, as the port */
	__u16 port;
	__u16 pad;
};

enum test_mode {
	TEST_DEFER = 0,
	TEST_REFUSE = 1, /* after deferring */
	TEST_PLAIN = 2, /* without */
};

struct test_config {
	struct test_endpoint dialed;
	/*
	 * By default; of version v2; of the first retry; of those after it. Port 0: the address is left
	 * alone.
	 */
	struct test_endpoint endpoints[4];
	__u32 read_ms;
	__u32 idle_ms;
	__u32 mode; /* enum test_mode */
	__u32 retries;
	__s32 retval; /* of the path /deny, and of retries, when it is not 0 */
	__u32 refuses_retry;
};

/* A question about each request, and the answers. */
struct test_probe {
	__u32 runs[4]; /* by enum kmesh_connect_phase */
	__s32 deferred; /* what the function returned last, as all below */
	__s32 retries;
	__s32 length;
	__s32 matched;
	__u64 hash;
	__u32 hash_flags;
	__s32 hash_length;
	char key[64];
	__u8 matcher[8 + 4080];
	char value[4096];
};

#endif
