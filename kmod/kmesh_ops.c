// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Hooks in the operations of a deferred socket, but for sending: who wants to read starts a timer, and who
 * ends writing ends the deferral. For the application's sake only: see kmesh.h.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/splice.h>

#include "kmesh.h"

/*
 * So long close() waits at most, and shutdown() of a socket that does not wait otherwise, to send the rest.
 */
#define KMESH_CLOSE_WAIT (2 * HZ)
/* For each socket of a task that exits: it may have many. */
#define KMESH_EXIT_WAIT (HZ / 5)

/* A kernel thread closes what others leave, for everybody: it does not wait. */
static long kmesh_close_wait(void)
{
	if (current->flags & PF_KTHREAD)
		return 0;
	return current->flags & PF_EXITING ? KMESH_EXIT_WAIT : KMESH_CLOSE_WAIT;
}

/* Somebody wants to read before a word was written. With the lock held, or its spinlock. */
static void kmesh_want_read(struct sock *sk)
{
	struct kmesh_defer *defer = kmesh_get(sk);

	if (!defer || defer->state != KMESH_DEFERRED || defer->wants_read || defer->accepted)
		return;
	defer->wants_read = true;
	/* The other timer may end sooner. */
	if (!defer->has_timer || time_after(defer->ends, jiffies + msecs_to_jiffies(defer->read_ms)))
		kmesh_start_timer(defer, defer->read_ms);
}

static int kmesh_recvmsg(struct socket *sock, struct msghdr *message, size_t size, int flags)
{
	struct sock *sk = sock->sk;
	int received;

	kmesh_enter();
	lock_sock(sk);
	kmesh_want_read(sk);
	release_sock(sk);
	received = kmesh_family(sk)->ops->recvmsg(sock, message, size, flags);
	kmesh_leave();
	return received;
}

static ssize_t kmesh_splice_read(struct socket *sock, loff_t *position, struct pipe_inode_info *pipe,
				 size_t size, unsigned int flags)
{
	struct sock *sk = sock->sk;
	ssize_t received;

	kmesh_enter();
	lock_sock(sk);
	kmesh_want_read(sk);
	release_sock(sk);
	received = kmesh_family(sk)->ops->splice_read(sock, position, pipe, size, flags);
	kmesh_leave();
	return received;
}

/* It may sleep where it is put on a wait queue, but not for the lock: whoever has it sends, or reads. */
static __poll_t kmesh_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	__poll_t wanted = poll_requested_events(wait);
	struct sock *sk = sock->sk;
	struct kmesh_defer *defer;
	__poll_t events;

	kmesh_enter();
	events = kmesh_family(sk)->ops->poll(file, sock, wait);
	spin_lock_bh(&sk->sk_lock.slock);
	if (!sock_owned_by_user(sk)) {
		if ((wanted & (EPOLLIN | EPOLLRDNORM)) && !(wanted & (EPOLLOUT | EPOLLWRNORM)))
			kmesh_want_read(sk);
		defer = kmesh_get(sk);
		/* A send would not be taken: what was accepted before goes first. */
		if (defer && defer->state == KMESH_CONNECTING &&
		    (defer->sent < defer->accepted || defer->is_seen_through))
			events &= ~(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
	kmesh_leave();
	return events;
}

/* The peer is the one that was dialed, until the kernel has one to show. */
static int kmesh_getname(struct socket *sock, struct sockaddr *address, int peer)
{
	struct sock *sk = sock->sk;
	struct kmesh_defer *defer;
	int size = 0;

	kmesh_enter();
	if (peer) {
		lock_sock(sk);
		defer = kmesh_get(sk);
		if (defer && defer->state >= KMESH_DEFERRED) {
			size = sk->sk_family == AF_INET ? sizeof(struct sockaddr_in) :
							  sizeof(struct sockaddr_in6);
			memcpy(address, &defer->dialed, size);
		}
		release_sock(sk);
	}
	if (!size)
		size = kmesh_family(sk)->ops->getname(sock, address, peer);
	kmesh_leave();
	return size;
}

/* The core would let a second connect() that may wait do so for ever. */
static int kmesh_connect_again(struct socket *sock, struct kmesh_sockaddr *address, int size, int flags)
{
	struct sock *sk = sock->sk;
	struct kmesh_defer *defer;
	int error = 0;

	kmesh_enter();
	if (size < (int)sizeof(address->sa_family) || address->sa_family != AF_UNSPEC) {
		lock_sock(sk);
		defer = kmesh_get(sk);
		if (defer && defer->state == KMESH_DEFERRED)
			error = -EISCONN;
		release_sock(sk);
	}
	if (!error)
		error = kmesh_family(sk)->ops->connect(sock, address, size, flags);
	kmesh_leave();
	return error;
}

/* Nothing more will be written: connects, and sends what was accepted, for as long as `timeout`. */
static void kmesh_finish(struct sock *sk, struct kmesh_defer *defer, long timeout)
{
	long own_timeout = sk->sk_sndtimeo;
	int error = 0;

	if (defer->is_seen_through)
		return;
	kmesh_take_over(defer);
	if (defer->state == KMESH_DEFERRED)
		error = kmesh_resolve(sk, defer, false);
	defer->retries = 0;
	sk->sk_sndtimeo = timeout;
	kmesh_see_through(sk, defer, error, &timeout, MSG_NOSIGNAL);
	sk->sk_sndtimeo = own_timeout;
	kmesh_let_go(sk, defer);
}

static bool kmesh_has_rest(const struct kmesh_defer *defer)
{
	return defer->state >= KMESH_DEFERRED && defer->sent < defer->accepted;
}

/*
 * The kernel disconnects a socket that is not established, for which there would be no reason had the
 * connect not been deferred.
 */
static int kmesh_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	long timeout = sk->sk_sndtimeo;
	struct kmesh_defer *defer;
	int error;

	kmesh_enter();
	if (sock->file && sock->file->f_flags & O_NONBLOCK)
		timeout = min_t(long, timeout, KMESH_CLOSE_WAIT);
	lock_sock(sk);
	defer = kmesh_get(sk);
	if (defer && (kmesh_has_rest(defer) || (defer->state == KMESH_DEFERRED && how != SHUT_RDWR)))
		kmesh_finish(sk, defer, timeout);
	release_sock(sk);
	error = kmesh_family(sk)->ops->shutdown(sock, how);
	kmesh_leave();
	return error;
}

static int kmesh_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	const struct proto_ops *ops;
	struct kmesh_defer *defer;
	int error;

	if (!sk)
		return 0;
	kmesh_enter();
	ops = kmesh_family(sk)->ops;
	lock_sock(sk);
	defer = kmesh_get(sk);
	/* Who does not linger throws away what was not sent. */
	if (defer && kmesh_has_rest(defer) && (!sock_flag(sk, SOCK_LINGER) || sk->sk_lingertime))
		kmesh_finish(sk, defer, kmesh_close_wait());
	release_sock(sk);
	error = ops->release(sock);
	kmesh_leave();
	return error;
}

void kmesh_hook_ops(struct proto_ops *ops)
{
	ops->release = kmesh_release;
	ops->connect = kmesh_connect_again;
	ops->getname = kmesh_getname;
	ops->poll = kmesh_poll;
	ops->shutdown = kmesh_shutdown;
	ops->sendmsg = kmesh_sendmsg;
	ops->recvmsg = kmesh_recvmsg;
	ops->splice_read = kmesh_splice_read;
}
