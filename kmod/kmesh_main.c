// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Loading and unloading, and the operations of the two address families. */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/wait_bit.h>

#include "kmesh.h"

struct workqueue_struct *kmesh_workqueue;

static struct kmesh_family kmesh_v4 __read_mostly;
static struct kmesh_family kmesh_v6 __read_mostly;
static atomic_t kmesh_inside;

const struct kmesh_family *kmesh_family(const struct sock *sk)
{
	return sk->sk_family == AF_INET6 ? &kmesh_v6 : &kmesh_v4;
}

bool kmesh_has_v6(void)
{
	return kmesh_v6.prot;
}

/*
 * Around what may sleep. The reference makes unloading be refused: the socket's own may be gone while we are
 * still here, as another task detached it. The count is for a task that came when the module was already on
 * its way out.
 */
void kmesh_enter(void)
{
	__module_get(THIS_MODULE);
	atomic_inc(&kmesh_inside);
}

void kmesh_leave(void)
{
	module_put(THIS_MODULE);
	if (atomic_dec_and_test(&kmesh_inside))
		wake_up_var(&kmesh_inside);
}

/* Taken from a socket, as not all of them are exported; IPv6 may be absent, or off. */
static int kmesh_start_family(struct kmesh_family *family, int number)
{
	struct socket *sock;
	int error = sock_create_kern(&init_net, number, SOCK_STREAM, IPPROTO_TCP, &sock);

	if (error)
		return error;
	family->prot = sock->sk->sk_prot;
	family->ops = sock->ops;
	family->state_change = sock->sk->sk_state_change;
	sock_release(sock);
	family->own_prot = *family->prot;
	kmesh_hook_prot(&family->own_prot);
	family->own_ops = *family->ops;
	kmesh_hook_ops(&family->own_ops);
	return 0;
}

static int __init kmesh_init(void)
{
	int error = kmesh_start_family(&kmesh_v4, AF_INET);

	if (error)
		return error;
	/* Without it no IPv6 socket can come, either. */
	if (kmesh_start_family(&kmesh_v6, AF_INET6))
		pr_info("kmesh: no IPv6\n");
	kmesh_workqueue = alloc_workqueue("kmesh", WQ_UNBOUND, 0);
	if (!kmesh_workqueue)
		return -ENOMEM;
	error = kmesh_stats_start();
	if (error)
		goto no_stats;
	/* The last step: it cannot be undone, and programs may come at once. */
	error = kmesh_register_kfuncs();
	if (!error)
		return 0;
	kmesh_stats_stop();
no_stats:
	destroy_workqueue(kmesh_workqueue);
	return error;
}

/*
 * No socket and no program refers to us. But a task may be between loading one of our operations and its
 * first instruction: it has arrived before it sleeps. Another may be in its last ones, also in a soft
 * interrupt.
 */
static void __exit kmesh_exit(void)
{
	synchronize_rcu_tasks();
	wait_var_event(&kmesh_inside, !atomic_read(&kmesh_inside));
	synchronize_rcu_tasks();
	synchronize_rcu();
	destroy_workqueue(kmesh_workqueue);
	kmesh_stats_stop();
}

module_init(kmesh_init);
module_exit(kmesh_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Routes connections by their first HTTP request");
MODULE_VERSION("1.0.0");
