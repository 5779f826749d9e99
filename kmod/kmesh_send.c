// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What send() and its like do with a socket that is deferred. */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "kmesh.h"

/* Flags that mean the same for the bytes that we took. */
#define KMESH_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)

/*
 * What was looked at is what is sent: a thread cannot exchange it in between. But some sends the kernel must
 * see whole: it tells their sender, of the pages or of the control message, what became of them.
 */
static bool kmesh_is_copied(const struct msghdr *message)
{
	return !(message->msg_flags & (MSG_ZEROCOPY | MSG_OOB)) && !message->msg_controllen;
}

/* Until no other task sees the connect through. */
static int kmesh_wait_turn(struct sock *sk, struct kmesh_defer *defer, long *timeout)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int error = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (!error && kmesh_get(sk) == defer && defer->is_seen_through) {
		if (!*timeout)
			error = -EAGAIN;
		else if (signal_pending(current))
			error = sock_intr_errno(*timeout);
		else if (sk_wait_event(sk, timeout, kmesh_get(sk) != defer || !defer->is_seen_through,
				       &wait) < 0)
			error = -EPIPE;
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return error;
}

/* The real connect is under way, for bytes that were given before. Afterwards the kernel sends. */
static int kmesh_follow(struct sock *sk, struct kmesh_defer *defer, int flags, long *timeout)
{
	int error;

	if (!*timeout)
		return -EAGAIN;
	refcount_inc(&defer->refs);
	error = kmesh_wait_turn(sk, defer, timeout);
	if (!error && kmesh_get(sk) == defer) {
		kmesh_take_over(defer);
		error = kmesh_see_through(sk, defer, 0, timeout, flags & KMESH_SEND_FLAGS);
		kmesh_let_go(sk, defer);
	}
	kmesh_put(defer);
	return error;
}

/*
 * Connects for the first `taken` bytes of a message, after `before` that were accepted earlier. Returns how
 * many of them are taken.
 */
static int kmesh_connect_for(struct sock *sk, struct kmesh_defer *defer, bool is_request, u32 before,
			     int taken, int flags, long *timeout)
{
	bool waits = *timeout;
	int error;

	defer->accepted = before + taken;
	kmesh_take_over(defer);
	error = kmesh_resolve(sk, defer, is_request);
	if (!waits)
		defer->retries = 0;
	error = kmesh_see_through(sk, defer, error, timeout, flags & KMESH_SEND_FLAGS);
	if (error && kmesh_get(sk) == defer) {
		if (error == -EAGAIN && !waits && taken) {
			/* They go out when the connection is established. */
			error = 0;
		} else {
			/* The caller keeps what has not gone out, and may give it again. */
			defer->accepted = max(before, defer->sent);
			taken = defer->accepted - before;
			if (taken)
				error = 0;
		}
	}
	kmesh_let_go(sk, defer);
	return error ?: taken;
}

/* Gathers the head of the first request. Returns how many bytes of the message are taken. */
static int kmesh_gather(struct sock *sk, struct kmesh_defer *defer, struct msghdr *message, size_t size,
			long *timeout)
{
	bool is_copied = kmesh_is_copied(message);
	enum kmesh_http_verdict verdict = KMESH_HTTP_REFUSED;
	u32 before = defer->accepted;
	int taken;

	if (!size)
		return 0;
	taken = kmesh_peek(defer, message, size, GFP_KERNEL_ACCOUNT);
	if (taken < 0)
		return taken;
	taken -= before;
	if (!(message->msg_flags & MSG_OOB))
		verdict = kmesh_parse(defer);
	if (verdict == KMESH_HTTP_INCOMPLETE && is_copied) {
		defer->accepted += taken;
		kmesh_count(sk, KMESH_COUNT_BUFFERED);
		kmesh_start_timer(defer, defer->idle_ms);
	} else {
		taken = kmesh_connect_for(sk, defer, verdict == KMESH_HTTP_COMPLETE, before,
					  is_copied ? taken : 0, message->msg_flags, timeout);
	}
	if (taken > 0)
		iov_iter_advance(&message->msg_iter, taken);
	return taken;
}

static int kmesh_take(struct sock *sk, struct kmesh_defer *defer, struct msghdr *message, size_t size)
{
	long timeout = sock_sndtimeo(sk, message->msg_flags & MSG_DONTWAIT);

	switch (defer->state) {
	case KMESH_DEFERRED:
		if (message->msg_flags & MSG_FASTOPEN)
			return -EISCONN;
		return kmesh_gather(sk, defer, message, size, &timeout);
	case KMESH_CONNECTING:
		if (message->msg_flags & MSG_FASTOPEN)
			return -EALREADY;
		return kmesh_follow(sk, defer, message->msg_flags, &timeout);
	default:
		return 0;
	}
}

/* Whether the kernel must not see what is sent now. */
static bool kmesh_is_held(const struct sock *sk)
{
	const struct kmesh_defer *defer = kmesh_get(sk);

	return defer && defer->state >= KMESH_DEFERRED;
}

int kmesh_sendmsg(struct socket *sock, struct msghdr *message, size_t size)
{
	struct sock *sk = sock->sk;
	struct kmesh_defer *defer;
	bool is_held;
	int taken = 0, sent;

	kmesh_enter();
	lock_sock(sk);
	defer = kmesh_get(sk);
	if (defer)
		taken = kmesh_take(sk, defer, message, size);
	is_held = kmesh_is_held(sk);
	if (taken == -EPIPE && !(message->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	release_sock(sk);
	if (taken >= 0 && !is_held && (taken < size || !size)) {
		sent = kmesh_family(sk)->ops->sendmsg(sock, message, size - taken);
		if (sent > 0 || !taken)
			taken += sent;
	}
	kmesh_leave();
	return taken;
}
