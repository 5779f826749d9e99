/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The programs that all engines have alike: all but those of connect(). */
#ifndef KMESH_L4_HOOKS_H
#define KMESH_L4_HOOKS_H

#include "l4_sock_addr.h"
#include "waypoint_metadata.h"

/* Also for an AF_INET6 socket that sends to a v4-mapped address; its reply comes through recvmsg6. */
SEC("cgroup/sendmsg4")
int kmesh_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load4(ctx);

	return kmesh_sendmsg(ctx, true, &dialed);
}

SEC("cgroup/sendmsg6")
int kmesh_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load6(ctx);

	return kmesh_sendmsg(ctx, false, &dialed);
}

SEC("cgroup/recvmsg4")
int kmesh_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address actual = kmesh_load4(ctx);

	return kmesh_recvmsg(ctx, true, &actual);
}

SEC("cgroup/recvmsg6")
int kmesh_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address actual = kmesh_load6(ctx);

	return kmesh_recvmsg(ctx, false, &actual);
}

SEC("cgroup/getpeername4")
int kmesh_getpeername4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address actual = kmesh_load4(ctx);

	kmesh_show_dialed(ctx, true, &actual);
	return KMESH_ALLOW;
}

SEC("cgroup/getpeername6")
int kmesh_getpeername6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address actual = kmesh_load6(ctx);

	kmesh_show_dialed(ctx, false, &actual);
	return KMESH_ALLOW;
}

SEC("sockops")
int kmesh_sockops(struct bpf_sock_ops *ctx)
{
	return kmesh_tell_waypoint(ctx);
}

SEC("sk_msg")
int kmesh_sk_msg(struct sk_msg_md *message)
{
	return kmesh_tell_waypoint_first(message);
}

#endif
