// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The state of a deferred connection: how it comes to a socket, what it hooks there, and how it goes.
 *
 * It is found by the slot for upper layer protocols, with operations that are not registered: nobody can
 * ask for them by name. The slot brings a release when the socket is destroyed; and as long as it is taken,
 * listen() is refused (there is no clone operation), and so are TLS and maps of sockets, which would copy
 * our hooks.
 */
#include <linux/bpf-cgroup.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kmesh.h"
#define CREATE_TRACE_POINTS
#include "kmesh_trace.h"

/* A connect() that programs refuse after one of them armed it leaves the state behind for so long. */
#define KMESH_ARMED_MS 1000
/* Longer than any timer that makes sense, and far from an overflow. */
#define KMESH_TIMER_MAX_MS (3600 * 1000)

/* With the lock held: its spinlock too. */
struct kmesh_defer *kmesh_get(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ulp_ops != &kmesh_ulp_ops)
		return NULL;
	return (struct kmesh_defer *)rcu_dereference_raw(icsk->icsk_ulp_data);
}

/* Nobody looks for it without the lock: no grace period. */
void kmesh_put(struct kmesh_defer *defer)
{
	if (!refcount_dec_and_test(&defer->refs))
		return;
	kfree(defer->text);
	kfree(defer->http);
	kfree(defer);
}

void kmesh_queue(struct kmesh_defer *defer, unsigned long delay)
{
	struct sock *sk = defer->sk;

	sock_hold(sk);
	refcount_inc(&defer->refs);
	if (mod_delayed_work(kmesh_workqueue, &defer->work, delay)) {
		/* It was queued already, and has its references. */
		kmesh_put(defer);
		sock_put(sk);
	}
}

/* In place of one that runs already, even when it has ended and waits for the lock. */
void kmesh_start_timer(struct kmesh_defer *defer, u32 milliseconds)
{
	if (!milliseconds)
		return;
	defer->has_timer = true;
	defer->ends = jiffies + msecs_to_jiffies(milliseconds);
	kmesh_queue(defer, msecs_to_jiffies(milliseconds));
}

void kmesh_stop_timer(struct sock *sk, struct kmesh_defer *defer)
{
	defer->has_timer = false;
	if (cancel_delayed_work(&defer->work)) {
		kmesh_put(defer);
		sock_put(sk);
	}
}

static void kmesh_state_change(struct sock *sk);

/* Everything goes back to what it was, but for the slot. */
static void kmesh_unhook(struct sock *sk, struct kmesh_defer *defer)
{
	const struct kmesh_family *family = defer->family;
	struct socket *sock = sk->sk_socket;

	if (sk->sk_prot == &family->own_prot)
		WRITE_ONCE(sk->sk_prot, family->prot);
	if (sock && READ_ONCE(sock->ops) == &family->own_ops)
		WRITE_ONCE(sock->ops, family->ops);
	if (sk->sk_state_change == kmesh_state_change)
		WRITE_ONCE(sk->sk_state_change, defer->state_change);
	else if (defer->state_change)
		/* Somebody else (KCM, SMC, NBD) has put ours aside, and will put it back: never unload it. */
		__module_get(THIS_MODULE);
	if (defer->state == KMESH_DEFERRED) {
		inet_clear_bit(DEFER_CONNECT, sk);
		kfree(tcp_sk(sk)->fastopen_req);
		tcp_sk(sk)->fastopen_req = NULL;
	}
	kmesh_stop_timer(sk, defer);
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, NULL);
	kmesh_delist(sk);
	kmesh_put(defer);
}

/*
 * The caller is inside kmesh_enter(), runs from our queue, or does not sleep any more. It needs a reference
 * of its own to look at `defer` again.
 */
void kmesh_detach(struct sock *sk, struct kmesh_defer *defer)
{
	/* connect() has succeeded already: a second one shall not say so again. */
	if (sk->sk_socket && (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT))
		sk->sk_socket->state = SS_CONNECTED;
	kmesh_unhook(sk, defer);
	inet_csk(sk)->icsk_ulp_ops = NULL;
	module_put(THIS_MODULE);
}

/* The socket is destroyed; the core empties the slot and drops the reference. */
static void kmesh_ulp_release(struct sock *sk)
{
	struct kmesh_defer *defer = kmesh_get(sk);

	if (defer)
		kmesh_unhook(sk, defer);
}

struct tcp_ulp_ops kmesh_ulp_ops = {
	.name = "kmesh",
	.owner = THIS_MODULE,
	.release = kmesh_ulp_release,
};

/* The real connect has ended, it may be. In a soft interrupt too: never sleeps. */
void kmesh_settle(struct sock *sk, struct kmesh_defer *defer)
{
	if (defer->is_seen_through || kmesh_is_connecting(sk))
		return;
	if (sk->sk_state == TCP_CLOSE)
		kmesh_count(sk, KMESH_COUNT_FAILED);
	else if (defer->sent < defer->accepted) {
		kmesh_queue(defer, 0);
		return;
	}
	kmesh_detach(sk, defer);
}

static void kmesh_state_change(struct sock *sk)
{
	struct kmesh_defer *defer = kmesh_get(sk);
	void (*state_change)(struct sock * sk) = kmesh_family(sk)->state_change;

	if (defer && defer->state_change) {
		state_change = defer->state_change;
		kmesh_settle(sk, defer);
	}
	state_change(sk);
}

/* So that we learn when the real connect has ended. */
void kmesh_watch_state(struct sock *sk, struct kmesh_defer *defer)
{
	if (defer->state_change)
		return;
	defer->state_change = sk->sk_state_change;
	WRITE_ONCE(sk->sk_state_change, kmesh_state_change);
}

/* Sockets of the kernel have no file; those of MPTCP, SMC, TLS and of socket maps have other operations. */
static int kmesh_may_arm(const struct sock *sk, const struct kmesh_family *family)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct socket *sock = sk->sk_socket;

	if (sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP || !sock || !sock->file)
		return -EOPNOTSUPP;
	if (sk->sk_prot != family->prot || sock->ops != family->ops)
		return icsk->icsk_ulp_ops == &kmesh_ulp_ops ? -EBUSY : -EOPNOTSUPP;
	if (sk->sk_state != TCP_CLOSE || sock->state != SS_UNCONNECTED || icsk->icsk_ulp_ops ||
	    tcp_sk(sk)->repair)
		return -EBUSY;
	return 0;
}

/* From a program in connect(): with the lock held, and without sleep. */
int kmesh_arm(struct sock *sk, const void *address, u32 size, u32 read_ms, u32 idle_ms)
{
	const struct kmesh_family *family = kmesh_family(sk);
	struct kmesh_defer *defer;
	int error = kmesh_may_arm(sk, family);

	if (error)
		return error;
	if (size < sizeof(sa_family_t))
		return -EINVAL;
	if (!kmesh_enlist(sk))
		return -EUSERS;
	defer = kzalloc(sizeof(*defer), GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!defer || !try_module_get(THIS_MODULE)) {
		kfree(defer);
		kmesh_delist(sk);
		return -ENOMEM;
	}
	refcount_set(&defer->refs, 1);
	defer->sk = sk;
	defer->family = family;
	defer->read_ms = min_t(u32, read_ms, KMESH_TIMER_MAX_MS);
	defer->idle_ms = min_t(u32, idle_ms, KMESH_TIMER_MAX_MS);
	defer->dialed_size = min_t(u32, size, sizeof(defer->dialed));
	memcpy(&defer->dialed, address, defer->dialed_size);
	INIT_DELAYED_WORK(&defer->work, kmesh_work);
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, (void *)defer);
	inet_csk(sk)->icsk_ulp_ops = &kmesh_ulp_ops;
	WRITE_ONCE(sk->sk_prot, (struct proto *)&family->own_prot);
	kmesh_start_timer(defer, KMESH_ARMED_MS);
	return 0;
}

/* The connect() before was refused after it had been armed. */
static int kmesh_pre_connect(struct sock *sk, struct kmesh_sockaddr *address, int size)
{
	struct kmesh_defer *defer = kmesh_get(sk);
	int error;

	kmesh_enter();
	if (defer)
		kmesh_detach(sk, defer);
	error = kmesh_family(sk)->prot->pre_connect(sk, address, size);
	kmesh_leave();
	return error;
}

/*
 * A send() that waits for the lock already, in the kernel's own operations, would take the state for that of
 * Fast Open, and connect a socket that has no endpoint. It gives up when a request is under way already. The
 * core frees the request in disconnect and destroy.
 */
static bool kmesh_defer(struct sock *sk, struct kmesh_defer *defer)
{
	struct tcp_fastopen_request *request = kzalloc(sizeof(*request), GFP_KERNEL_ACCOUNT);

	if (!request)
		return false;
	defer->state = KMESH_DEFERRED;
	tcp_sk(sk)->fastopen_req = request;
	WRITE_ONCE(sk->sk_socket->ops, &defer->family->own_ops);
	inet_set_bit(DEFER_CONNECT, sk);
	smp_store_release(&sk->sk_state, TCP_SYN_SENT);
	kmesh_count(sk, KMESH_COUNT_DEFERRED);
	trace_kmesh_defer(sk, &defer->dialed, defer->dialed_size, 0);
	kmesh_stop_timer(sk, defer);
	kmesh_start_timer(defer, defer->idle_ms);
	return true;
}

/* sendto(MSG_FASTOPEN): connect() that has its first bytes. They are looked at, and go out with the SYN. */
static int kmesh_connect_fast(struct sock *sk, struct kmesh_defer *defer)
{
	struct tcp_fastopen_request *request = tcp_sk(sk)->fastopen_req;
	bool is_request = request->data &&
			  kmesh_peek(defer, request->data, request->size, GFP_KERNEL_ACCOUNT) > 0 &&
			  kmesh_parse(defer) == KMESH_HTTP_COMPLETE;
	int error;

	kmesh_stop_timer(sk, defer);
	WRITE_ONCE(sk->sk_socket->ops, &defer->family->own_ops);
	error = kmesh_route(sk, defer, is_request ? KMESH_PHASE_REQUEST : KMESH_PHASE_CONNECT);
	if (error && kmesh_get(sk) == defer)
		kmesh_detach(sk, defer);
	return error;
}

static bool kmesh_is_destination(const struct sock *sk, const struct kmesh_sockaddr *address, int size)
{
	int least = sk->sk_family == AF_INET ? sizeof(struct sockaddr_in) : SIN6_LEN_RFC2133;

	return size >= least && address->sa_family == sk->sk_family;
}

/* After the programs. What the kernel will refuse, it refuses at once. */
static int kmesh_connect(struct sock *sk, struct kmesh_sockaddr *address, int size)
{
	struct proto *prot = kmesh_family(sk)->prot;
	struct kmesh_defer *defer = kmesh_get(sk);
	int error = 0;

	kmesh_enter();
	if (defer && BPF_CGROUP_PRE_CONNECT_ENABLED(sk) && kmesh_is_destination(sk, address, size)) {
		size = min_t(int, size, sizeof(defer->fallback));
		memcpy(&defer->fallback, address, size);
		defer->fallback_size = size;
		if (tcp_sk(sk)->fastopen_req) {
			error = kmesh_connect_fast(sk, defer);
			goto out;
		}
		if (kmesh_defer(sk, defer))
			goto out;
	}
	if (defer)
		kmesh_detach(sk, defer);
	error = prot->connect(sk, address, size);
out:
	kmesh_leave();
	return error;
}

/*
 * Every way back to an unconnected socket comes here with the lock held, also from tasks that loaded the
 * kernel's own operations before we exchanged them: connect(AF_UNSPEC), shutdown(), a connect that failed,
 * close() without lingering.
 */
static int kmesh_disconnect(struct sock *sk, int flags)
{
	struct kmesh_defer *defer = kmesh_get(sk);
	int error;

	kmesh_enter();
	if (defer)
		kmesh_detach(sk, defer);
	error = kmesh_family(sk)->prot->disconnect(sk, flags);
	kmesh_leave();
	return error;
}

/*
 * The kernel looks at the slot twice, without the lock, and copies to user space in between: it would read a
 * name at NULL when the slot is emptied meanwhile. Left is who went there before the slot was taken, and is
 * there still; on x86 that call fails with EFAULT.
 */
static int kmesh_get_ulp(struct sock *sk, char __user *text, int __user *size)
{
	char name[TCP_ULP_NAME_MAX] = {};
	int length;

	if (get_user(length, size))
		return -EFAULT;
	if (length < 0)
		return -EINVAL;
	length = min_t(int, length, sizeof(name));
	lock_sock(sk);
	if (inet_csk(sk)->icsk_ulp_ops)
		strscpy(name, inet_csk(sk)->icsk_ulp_ops->name, sizeof(name));
	else
		length = 0;
	release_sock(sk);
	return put_user(length, size) || copy_to_user(text, name, length) ? -EFAULT : 0;
}

static int kmesh_getsockopt(struct sock *sk, int level, int name, char __user *value, int __user *size)
{
	int error;

	kmesh_enter();
	if (level == SOL_TCP && name == TCP_ULP)
		error = kmesh_get_ulp(sk, value, size);
	else
		error = kmesh_family(sk)->prot->getsockopt(sk, level, name, value, size);
	kmesh_leave();
	return error;
}

void kmesh_hook_prot(struct proto *prot)
{
	prot->getsockopt = kmesh_getsockopt;
	prot->pre_connect = kmesh_pre_connect;
	prot->connect = kmesh_connect;
	prot->disconnect = kmesh_disconnect;
}
