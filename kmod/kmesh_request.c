// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Gathers the head of a deferred connection's first request. */
#include <linux/slab.h>
#include <linux/uio.h>

#include "kmesh.h"

/* Room for `capacity` bytes of text; it is on the account of the task's memory group. */
static bool kmesh_reserve(struct kmesh_defer *defer, u32 capacity, gfp_t gfp)
{
	u8 *text;

	if (capacity <= defer->capacity)
		return true;
	text = krealloc(defer->text, capacity, gfp);
	if (!text)
		return false;
	defer->text = text;
	defer->capacity = capacity;
	return true;
}

/*
 * Copies what `message` begins with behind the bytes that were accepted; the message stays as it is. Returns
 * how many bytes there are now, of all, or an error.
 */
int kmesh_peek(struct kmesh_defer *defer, struct msghdr *message, size_t size, gfp_t gfp)
{
	u32 room = min_t(size_t, size, KMESH_HTTP_HEAD_MAX - defer->accepted);
	struct iov_iter bytes = message->msg_iter;
	size_t copied;

	if (!defer->http)
		defer->http = kzalloc(sizeof(*defer->http), gfp);
	/* Most requests come whole; of others nobody knows how many pieces there will be. */
	if (!defer->http || !kmesh_reserve(defer, defer->accepted ? KMESH_HTTP_HEAD_MAX : room, gfp))
		return -ENOMEM;
	copied = copy_from_iter(defer->text + defer->accepted, room, &bytes);
	if (!copied)
		return -EFAULT;
	defer->size = defer->accepted + copied;
	return defer->size;
}

/* REFUSED when there will be no request to route by. A complete one can be asked for its parts after this. */
enum kmesh_http_verdict kmesh_parse(struct kmesh_defer *defer)
{
	enum kmesh_http_verdict verdict = kmesh_http_read(defer->http, defer->text, defer->size);
	u32 extra;

	if (verdict == KMESH_HTTP_INCOMPLETE && defer->size == KMESH_HTTP_HEAD_MAX)
		return KMESH_HTTP_REFUSED;
	if (verdict != KMESH_HTTP_COMPLETE)
		return verdict;
	extra = kmesh_http_extra(defer->http);
	if (extra) {
		if (!kmesh_reserve(defer, defer->size + extra, GFP_KERNEL_ACCOUNT))
			return KMESH_HTTP_REFUSED;
		kmesh_http_finish(defer->http, defer->text, defer->size);
	}
	return KMESH_HTTP_COMPLETE;
}
