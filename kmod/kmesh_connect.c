// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* From a deferred connection to a real one: which endpoint, the connect, the next endpoint, the bytes. */
#include <linux/bpf-cgroup.h>
#include <linux/uio.h>

#include "kmesh.h"
#include "kmesh_trace.h"

/* Lets the connect programs choose for a request. An address that they leave alone means the default. */
static int kmesh_choose(struct sock *sk, struct kmesh_defer *defer, u8 phase, union kmesh_address *to,
			u8 *size)
{
	union kmesh_address chosen = defer->dialed;
	int error;

	*to = defer->fallback;
	*size = defer->fallback_size;
	/* Programs may be gone meanwhile. */
	if (phase == KMESH_PHASE_CONNECT || !BPF_CGROUP_PRE_CONNECT_ENABLED(sk)) {
		kmesh_count(sk, KMESH_COUNT_PLAIN);
		trace_kmesh_resolve(sk, to, *size, 0);
		return 0;
	}
	defer->state = KMESH_RESOLVING;
	defer->phase = phase;
	error = defer->family->prot->pre_connect(sk, (void *)&chosen, defer->dialed_size);
	defer->state = KMESH_CONNECTING;
	if (phase == KMESH_PHASE_REQUEST)
		kmesh_count(sk, KMESH_COUNT_REQUESTS);
	if (error) {
		kmesh_count(sk, KMESH_COUNT_DENIED);
		trace_kmesh_resolve(sk, &defer->dialed, defer->dialed_size, error);
		/* Not even when the program says that it was an endpoint that refused. */
		defer->retries = 0;
		return error;
	}
	if (memcmp(&chosen, &defer->dialed, defer->dialed_size)) {
		*to = chosen;
		*size = defer->dialed_size;
	}
	trace_kmesh_resolve(sk, to, *size, 1);
	return 0;
}

/*
 * Chooses, and begins to connect: the phase is CONNECT for the default endpoint. The socket stays ours until
 * it is established, so that it shows the address that was dialed. An error leaves it closed, and ours.
 */
int kmesh_route(struct sock *sk, struct kmesh_defer *defer, u8 phase)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool fastopen_connect = tp->fastopen_connect;
	union kmesh_address to;
	u8 size;
	int error;

	defer->state = KMESH_CONNECTING;
	kmesh_watch_state(sk, defer);
	error = kmesh_choose(sk, defer, phase, &to, &size);
	if (!error) {
		/* Else it would defer the connect once more, for bytes that we have already. */
		tp->fastopen_connect = 0;
		error = defer->family->prot->connect(sk, (void *)&to, size);
		tp->fastopen_connect = fastopen_connect;
	}
	/* Without a route nobody changed the state that we had set. */
	if (error && sk->sk_state != TCP_CLOSE)
		smp_store_release(&sk->sk_state, TCP_CLOSE);
	return error;
}

/* Ends the deferral. DEFER_CONNECT and the request that fends others off go before anything is connected. */
int kmesh_resolve(struct sock *sk, struct kmesh_defer *defer, bool is_request)
{
	int error;

	/*
	 * A socket that is hashed already would be hashed twice. The bit and the request may be gone: a
	 * sendto(MSG_FASTOPEN) that has waited since before a disconnect takes them for its own when it gives
	 * up.
	 */
	if (WARN_ON_ONCE(sk->sk_state != TCP_SYN_SENT || !sk_unhashed(sk)))
		return -EINVAL;
	inet_clear_bit(DEFER_CONNECT, sk);
	kfree(tcp_sk(sk)->fastopen_req);
	tcp_sk(sk)->fastopen_req = NULL;
	kmesh_stop_timer(sk, defer);
	error = kmesh_route(sk, defer, is_request ? KMESH_PHASE_REQUEST : KMESH_PHASE_CONNECT);
	if (!error) {
		/* In repair mode it is established at once. */
		if (!kmesh_is_connecting(sk))
			kmesh_settle(sk, defer);
		return 0;
	}
	return error;
}

/* The connect has failed for good: the socket is as after a connect() that failed. */
void kmesh_fail(struct sock *sk, struct kmesh_defer *defer)
{
	kmesh_count(sk, KMESH_COUNT_FAILED);
	kmesh_detach(sk, defer);
	sk->sk_socket->state = SS_UNCONNECTED;
}

/* -EPIPE: a reader has fetched the error before us. */
static bool kmesh_may_retry(const struct sock *sk, const struct kmesh_defer *defer, int error)
{
	if (!defer->retries || sk->sk_state != TCP_CLOSE)
		return false;
	return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH ||
	       error == -ETIMEDOUT || error == -EPIPE;
}

/* The endpoint has refused, and the socket is closed. */
static int kmesh_retry(struct sock *sk, struct kmesh_defer *defer, int reason)
{
	int error = defer->family->prot->disconnect(sk, 0);

	if (error)
		return error;
	defer->retries--;
	kmesh_count(sk, KMESH_COUNT_RETRIED);
	trace_kmesh_retry(sk, &defer->dialed, defer->dialed_size, reason);
	return kmesh_route(sk, defer, KMESH_PHASE_RETRY);
}

/*
 * Sends what was accepted. `flags`: those of the application's send; MSG_DONTWAIT where no system call
 * keeps the socket's wait queue. Returns 0 when all is sent. It may sleep, without the lock: look who has
 * the socket afterwards.
 */
int kmesh_flush(struct sock *sk, struct kmesh_defer *defer, int flags)
{
	while (defer->sent < defer->accepted) {
		struct kvec bytes = {
			.iov_base = defer->text + defer->sent,
			.iov_len = defer->accepted - defer->sent,
		};
		struct msghdr message = { .msg_flags = flags };
		int sent;

		iov_iter_kvec(&message.msg_iter, ITER_SOURCE, &bytes, 1, bytes.iov_len);
		sent = tcp_sendmsg_locked(sk, &message, bytes.iov_len);
		if (sent <= 0)
			return sent ?: -EAGAIN;
		defer->sent += sent;
	}
	return 0;
}

/* A task begins to see the connect through. It keeps `defer` until it lets go. */
void kmesh_take_over(struct kmesh_defer *defer)
{
	refcount_inc(&defer->refs);
	defer->is_seen_through = true;
}

void kmesh_let_go(struct sock *sk, struct kmesh_defer *defer)
{
	defer->is_seen_through = false;
	if (kmesh_get(sk) == defer) {
		kmesh_settle(sk, defer);
		/* Others that want to send have waited for this. */
		sk->sk_state_change(sk);
	}
	kmesh_put(defer);
}

/* Until the connection is established, or has failed. */
static int kmesh_wait_connect(struct sock *sk, long *timeout)
{
	if (!*timeout && kmesh_is_connecting(sk)) {
		/* What is near by has answered already: its packets wait for the lock. */
		release_sock(sk);
		lock_sock(sk);
	}
	if (kmesh_is_connecting(sk))
		return sk_stream_wait_connect(sk, timeout);
	if (sk->sk_state == TCP_CLOSE)
		return sock_error(sk) ?: -EPIPE;
	return 0;
}

/*
 * For a system call that has taken over: waits until the connection is established, tries other endpoints
 * meanwhile, and sends what was accepted. `error` is what the connect began with. After 0 nothing is left to
 * do. After an error the connection may still be under way.
 */
int kmesh_see_through(struct sock *sk, struct kmesh_defer *defer, int error, long *timeout, int flags)
{
	for (;;) {
		if (!error)
			error = kmesh_wait_connect(sk, timeout);
		/* Another task has disconnected the socket, and perhaps connected it again. */
		if (kmesh_get(sk) != defer)
			return error ?: -EPIPE;
		if (!error || !kmesh_may_retry(sk, defer, error))
			break;
		error = kmesh_retry(sk, defer, error);
	}
	if (!error)
		error = kmesh_flush(sk, defer, flags);
	if (kmesh_get(sk) != defer)
		return error ?: -EPIPE;
	if (error && sk->sk_state == TCP_CLOSE) {
		kmesh_fail(sk, defer);
		sk->sk_disconnects++;
		if (defer->family->prot->disconnect(sk, 0))
			sk->sk_socket->state = SS_DISCONNECTING;
	}
	return error;
}
