// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Counters: of a network namespace in /proc/net/kmesh_stat, of all in /sys/module/kmesh/stats; and what the
 * module is, in /sys/module/kmesh/abi and /sys/module/kmesh/features.
 */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "kmesh.h"

struct kmesh_counts {
	unsigned long values[KMESH_COUNTERS];
};

struct kmesh_net {
	struct kmesh_counts __percpu *counts;
	atomic_t live;
};

static DEFINE_PER_CPU(struct kmesh_counts, kmesh_totals);
static atomic_t kmesh_live;
static unsigned int kmesh_net_id __read_mostly;

static unsigned int max_deferred = 65536;
module_param(max_deferred, uint, 0644);
MODULE_PARM_DESC(max_deferred, "Connections of one network namespace that may be deferred at a time");

static const char *const kmesh_proc_names[KMESH_COUNTERS] = {
	[KMESH_COUNT_DEFERRED] = "KmeshDeferred",
	[KMESH_COUNT_REQUESTS] = "KmeshRequests",
	[KMESH_COUNT_PLAIN] = "KmeshPlain",
	[KMESH_COUNT_TIMEOUTS] = "KmeshTimeouts",
	[KMESH_COUNT_DENIED] = "KmeshDenied",
	[KMESH_COUNT_BUFFERED] = "KmeshBuffered",
	[KMESH_COUNT_FAILED] = "KmeshFailed",
	[KMESH_COUNT_RETRIED] = "KmeshRetried",
	[KMESH_COUNT_REJECTED_CAP] = "KmeshRejectedCap",
};

static struct kmesh_net *kmesh_net(const struct sock *sk)
{
	return net_generic(sock_net(sk), kmesh_net_id);
}

void kmesh_count(const struct sock *sk, enum kmesh_counter counter)
{
	this_cpu_inc(kmesh_totals.values[counter]);
	this_cpu_inc(kmesh_net(sk)->counts->values[counter]);
}

/* Whether there is room for one more. */
bool kmesh_enlist(const struct sock *sk)
{
	struct kmesh_net *net = kmesh_net(sk);

	if ((unsigned int)atomic_inc_return(&net->live) > READ_ONCE(max_deferred)) {
		atomic_dec(&net->live);
		kmesh_count(sk, KMESH_COUNT_REJECTED_CAP);
		return false;
	}
	atomic_inc(&kmesh_live);
	return true;
}

void kmesh_delist(const struct sock *sk)
{
	atomic_dec(&kmesh_net(sk)->live);
	atomic_dec(&kmesh_live);
}

static unsigned long kmesh_sum(const struct kmesh_counts __percpu *counts, enum kmesh_counter counter)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) sum += READ_ONCE(per_cpu_ptr(counts, cpu)->values[counter]);
	return sum;
}

static int __maybe_unused kmesh_proc_show(struct seq_file *file, void *unused)
{
	const struct kmesh_net *net = net_generic(seq_file_single_net(file), kmesh_net_id);
	int counter;

	for (counter = 0; counter < KMESH_COUNTERS; counter++)
		seq_printf(file, "%-32s\t%lu\n", kmesh_proc_names[counter], kmesh_sum(net->counts, counter));
	seq_printf(file, "%-32s\t%u\n", "KmeshLive", atomic_read(&net->live));
	return 0;
}

static int __net_init kmesh_net_init(struct net *net)
{
	struct kmesh_net *own = net_generic(net, kmesh_net_id);

	own->counts = alloc_percpu_gfp(struct kmesh_counts, GFP_KERNEL_ACCOUNT);
	if (!own->counts)
		return -ENOMEM;
#ifdef CONFIG_PROC_FS
	if (!proc_create_net_single("kmesh_stat", 0444, net->proc_net, kmesh_proc_show, NULL)) {
		free_percpu(own->counts);
		return -ENOMEM;
	}
#endif
	return 0;
}

/* Sockets that are deferred belong to processes, and hold their namespace: none is left here. */
static void __net_exit kmesh_net_exit(struct net *net)
{
	struct kmesh_net *own = net_generic(net, kmesh_net_id);

	remove_proc_entry("kmesh_stat", net->proc_net);
	free_percpu(own->counts);
}

static struct pernet_operations kmesh_net_ops = {
	.init = kmesh_net_init,
	.exit = kmesh_net_exit,
	.id = &kmesh_net_id,
	.size = sizeof(struct kmesh_net),
};

struct kmesh_attribute {
	struct module_attribute base;
	int counter;
};

static ssize_t kmesh_stat_show(kmesh_module_attribute *attribute, struct module_kobject *kobject, char *text)
{
	const struct kmesh_attribute *own = container_of(attribute, struct kmesh_attribute, base);

	if (own->counter == KMESH_COUNTERS)
		return sysfs_emit(text, "%u\n", atomic_read(&kmesh_live));
	return sysfs_emit(text, "%lu\n", kmesh_sum(&kmesh_totals, own->counter));
}

static ssize_t kmesh_abi_show(kmesh_module_attribute *attribute, struct module_kobject *kobject, char *text)
{
	return sysfs_emit(text, "%u\n", KMESH_MODULE_ABI);
}

static ssize_t kmesh_features_show(kmesh_module_attribute *attribute, struct module_kobject *kobject,
				   char *text)
{
	unsigned int features = KMESH_MODULE_DEFERS_V4 | KMESH_MODULE_MATCHES | KMESH_MODULE_RETRIES;

	if (kmesh_has_v6())
		features |= KMESH_MODULE_DEFERS_V6;
	return sysfs_emit(text, "%x\n", features);
}

#define KMESH_ATTRIBUTE(name, number)                              \
	static struct kmesh_attribute kmesh_stat_##name = {        \
		.base = __ATTR(name, 0444, kmesh_stat_show, NULL), \
		.counter = number,                                 \
	}

KMESH_ATTRIBUTE(deferred, KMESH_COUNT_DEFERRED);
KMESH_ATTRIBUTE(requests, KMESH_COUNT_REQUESTS);
KMESH_ATTRIBUTE(plain, KMESH_COUNT_PLAIN);
KMESH_ATTRIBUTE(timeouts, KMESH_COUNT_TIMEOUTS);
KMESH_ATTRIBUTE(denied, KMESH_COUNT_DENIED);
KMESH_ATTRIBUTE(buffered, KMESH_COUNT_BUFFERED);
KMESH_ATTRIBUTE(failed, KMESH_COUNT_FAILED);
KMESH_ATTRIBUTE(retried, KMESH_COUNT_RETRIED);
KMESH_ATTRIBUTE(rejected_cap, KMESH_COUNT_REJECTED_CAP);
KMESH_ATTRIBUTE(live, KMESH_COUNTERS);

static struct attribute *kmesh_stat_attributes[] = {
	&kmesh_stat_deferred.base.attr,
	&kmesh_stat_requests.base.attr,
	&kmesh_stat_plain.base.attr,
	&kmesh_stat_timeouts.base.attr,
	&kmesh_stat_denied.base.attr,
	&kmesh_stat_buffered.base.attr,
	&kmesh_stat_failed.base.attr,
	&kmesh_stat_retried.base.attr,
	&kmesh_stat_rejected_cap.base.attr,
	&kmesh_stat_live.base.attr,
	NULL,
};

static const struct attribute_group kmesh_stat_group = {
	.name = "stats",
	.attrs = kmesh_stat_attributes,
};

static struct module_attribute kmesh_abi = __ATTR(abi, 0444, kmesh_abi_show, NULL);
static struct module_attribute kmesh_features = __ATTR(features, 0444, kmesh_features_show, NULL);

static struct attribute *kmesh_own_attributes[] = {
	&kmesh_abi.attr,
	&kmesh_features.attr,
	NULL,
};

static const struct attribute_group kmesh_own_group = {
	.attrs = kmesh_own_attributes,
};

static const struct attribute_group *kmesh_groups[] = { &kmesh_stat_group, &kmesh_own_group, NULL };

int kmesh_stats_start(void)
{
	int error = register_pernet_subsys(&kmesh_net_ops);

	if (error)
		return error;
	error = sysfs_create_groups(&THIS_MODULE->mkobj.kobj, kmesh_groups);
	if (error)
		unregister_pernet_subsys(&kmesh_net_ops);
	return error;
}

void kmesh_stats_stop(void)
{
	sysfs_remove_groups(&THIS_MODULE->mkobj.kobj, kmesh_groups);
	unregister_pernet_subsys(&kmesh_net_ops);
}
