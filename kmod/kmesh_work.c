// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What happens outside of system calls: timers end, and connections of callers that do not wait are
 * established. Nothing here may wait for the socket: its wait queue goes away with its file.
 */
#include "kmesh.h"
#include "kmesh_trace.h"

/* Bytes that find no room in the socket's buffer are offered again after so long. */
#define KMESH_AGAIN_MS 20

/* Nobody has sent a whole request: the default endpoint. It may be the server that speaks first. */
static void kmesh_time_out(struct sock *sk, struct kmesh_defer *defer)
{
	int error;

	kmesh_count(sk, KMESH_COUNT_TIMEOUTS);
	trace_kmesh_timer(sk, &defer->dialed, defer->dialed_size, defer->accepted);
	error = kmesh_resolve(sk, defer, false);
	if (!error)
		return;
	kmesh_fail(sk, defer);
	WRITE_ONCE(sk->sk_err, -error);
	sk_error_report(sk);
}

static void kmesh_send_accepted(struct sock *sk, struct kmesh_defer *defer)
{
	int error = 0;

	/* An error of the connection is the application's to fetch. */
	if (sk->sk_state != TCP_CLOSE)
		error = kmesh_flush(sk, defer, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (error == -EAGAIN) {
		kmesh_queue(defer, msecs_to_jiffies(KMESH_AGAIN_MS));
		return;
	}
	kmesh_detach(sk, defer);
	/* Writers wait for this. */
	sk->sk_state_change(sk);
}

static void kmesh_end_timer(struct sock *sk, struct kmesh_defer *defer)
{
	if (!defer->has_timer)
		return;
	/* It was started anew while we waited for the lock. */
	if (time_before(jiffies, defer->ends))
		kmesh_queue(defer, defer->ends - jiffies);
	else if (defer->state == KMESH_DEFERRED)
		kmesh_time_out(sk, defer);
	else
		kmesh_detach(sk, defer);
}

void kmesh_work(struct work_struct *work)
{
	struct kmesh_defer *defer = container_of(to_delayed_work(work), struct kmesh_defer, work);
	struct sock *sk = defer->sk;

	lock_sock(sk);
	if (kmesh_get(sk) == defer && !defer->is_seen_through && !sock_flag(sk, SOCK_DEAD)) {
		if (defer->state <= KMESH_DEFERRED)
			kmesh_end_timer(sk, defer);
		else if (!kmesh_is_connecting(sk))
			kmesh_send_accepted(sk, defer);
	}
	release_sock(sk);
	sock_put(sk);
	kmesh_put(defer);
}
