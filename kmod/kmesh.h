/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the parts of the module share.
 *
 * A connection is deferred in these steps; each holds the socket's lock.
 *
 *   connect()   the connect programs run. One calls bpf_kmesh_connect_defer(), which puts a struct
 *               kmesh_defer into the socket's slot for upper layer protocols and exchanges sk->sk_prot:
 *               ARMED. The program goes on to an endpoint by default. The core reads sk->sk_prot again, and
 *               so calls our connect, which notes that endpoint and exchanges sock->ops: DEFERRED. connect()
 *               succeeds, in the state in which TCP Fast Open leaves it as well.
 *   send()      our sendmsg gathers the head of a request. When it is complete, the connect programs run once
 *               more: RESOLVING. The endpoint that they choose is connected to: CONNECTING. What was gathered
 *               is sent, and the socket becomes an ordinary one.
 *
 * Nothing but what is reached by sk->sk_prot is relied upon to keep a socket in order: a task may be waiting
 * for the lock in the kernel's own operations, which it loaded before they were exchanged. It comes back by
 * sk_prot->disconnect, or finds a Fast Open request under way.
 */
#ifndef KMESH_H
#define KMESH_H

#include <linux/in6.h>
#include <linux/net.h>
#include <linux/workqueue.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "kmesh_compat.h"
#include "kmesh_http.h"

enum kmesh_state {
	KMESH_ARMED, /* connect() has not come back from the programs, or they refused it */
	KMESH_DEFERRED, /* connect() has succeeded, and nothing has left the host */
	KMESH_RESOLVING, /* the programs run; the lock is held all the time */
	KMESH_CONNECTING, /* the real connect is under way, or what was taken before is not sent yet */
};

union kmesh_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The operations of one address family: the kernel's, and our copies with hooks in them. */
struct kmesh_family {
	struct proto *prot;
	const struct proto_ops *ops;
	void (*state_change)(struct sock *sk);
	struct proto own_prot;
	struct proto_ops own_ops;
};

/* Everything but `refs` is under the socket's lock. */
struct kmesh_defer {
	refcount_t refs; /* the socket's, that of queued work, those of tasks that sleep */
	u8 state; /* enum kmesh_state */
	u8 phase; /* enum kmesh_connect_phase, while RESOLVING */
	u8 retries; /* endpoints that may be tried after this one */
	bool wants_read; /* the timer of a reader was started */
	bool has_timer;
	/* A task sees the connect through: it retries, sends and detaches. Nobody else does. */
	bool is_seen_through;
	u8 dialed_size;
	u8 fallback_size;
	u32 read_ms;
	u32 idle_ms;
	struct sock *sk;
	const struct kmesh_family *family;
	void (*state_change)(struct sock *sk); /* the socket's own, while ours is there */
	unsigned long ends; /* jiffies, of the timer */
	struct delayed_work work;
	union kmesh_address dialed;
	union kmesh_address fallback; /* that the first run of the programs chose */

	struct kmesh_http *http;
	u8 *text;
	u32 capacity; /* of `text` */
	u32 size; /* bytes in `text` that the application gave, or that were looked at */
	u32 accepted; /* of them: we answer for those */
	u32 sent; /* of those */
};

enum kmesh_counter {
	KMESH_COUNT_DEFERRED,
	KMESH_COUNT_REQUESTS,
	KMESH_COUNT_PLAIN,
	KMESH_COUNT_TIMEOUTS,
	KMESH_COUNT_DENIED,
	KMESH_COUNT_BUFFERED,
	KMESH_COUNT_FAILED,
	KMESH_COUNT_RETRIED,
	KMESH_COUNT_REJECTED_CAP,
	KMESH_COUNTERS,
};

/* kmesh_main.c */
extern struct workqueue_struct *kmesh_workqueue;
const struct kmesh_family *kmesh_family(const struct sock *sk);
bool kmesh_has_v6(void);
void kmesh_enter(void);
void kmesh_leave(void);

/* kmesh_defer.c */
extern struct tcp_ulp_ops kmesh_ulp_ops;
struct kmesh_defer *kmesh_get(const struct sock *sk);
int kmesh_arm(struct sock *sk, const void *address, u32 size, u32 read_ms, u32 idle_ms);
void kmesh_put(struct kmesh_defer *defer);
void kmesh_detach(struct sock *sk, struct kmesh_defer *defer);
void kmesh_queue(struct kmesh_defer *defer, unsigned long delay);
void kmesh_start_timer(struct kmesh_defer *defer, u32 milliseconds);
void kmesh_stop_timer(struct sock *sk, struct kmesh_defer *defer);
void kmesh_watch_state(struct sock *sk, struct kmesh_defer *defer);
void kmesh_settle(struct sock *sk, struct kmesh_defer *defer);
void kmesh_hook_prot(struct proto *prot);

/* kmesh_request.c */
int kmesh_peek(struct kmesh_defer *defer, struct msghdr *message, size_t size, gfp_t gfp);
enum kmesh_http_verdict kmesh_parse(struct kmesh_defer *defer);

/* kmesh_connect.c */
int kmesh_route(struct sock *sk, struct kmesh_defer *defer, u8 phase);
int kmesh_resolve(struct sock *sk, struct kmesh_defer *defer, bool is_request);
int kmesh_see_through(struct sock *sk, struct kmesh_defer *defer, int error, long *timeout, int flags);
void kmesh_take_over(struct kmesh_defer *defer);
void kmesh_let_go(struct sock *sk, struct kmesh_defer *defer);
void kmesh_fail(struct sock *sk, struct kmesh_defer *defer);
int kmesh_flush(struct sock *sk, struct kmesh_defer *defer, int flags);

/* kmesh_work.c */
void kmesh_work(struct work_struct *work);

/* kmesh_ops.c, kmesh_send.c */
void kmesh_hook_ops(struct proto_ops *ops);
int kmesh_sendmsg(struct socket *sock, struct msghdr *message, size_t size);

/* kmesh_kfuncs.c */
int kmesh_register_kfuncs(void);

/* kmesh_stats.c */
void kmesh_count(const struct sock *sk, enum kmesh_counter counter);
bool kmesh_enlist(const struct sock *sk);
void kmesh_delist(const struct sock *sk);
int kmesh_stats_start(void);
void kmesh_stats_stop(void);

static inline bool kmesh_is_connecting(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV);
}

#endif
