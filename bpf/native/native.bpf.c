/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel-native engine's socket hooks: those of L4, and at connect() listeners and routes. Failure means:
 * the connection goes to its default, unless it shall go through a waypoint.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define KMESH_MORE_POLICIES "native_policies.h"
#include "l4_hooks.h"
#include "native_connect.h"

SEC("cgroup/connect4")
int kmesh_connect4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load4(ctx);

	return kmesh_native_connect(ctx, true, &dialed, &km_step4);
}

SEC("cgroup/connect6")
int kmesh_connect6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load6(ctx);

	return kmesh_native_connect(ctx, false, &dialed, &km_step6);
}

/* KMESH_STEP_ROUTE of both families; loaded only where the kernel module is. */
SEC("?cgroup/connect4")
int kmesh_route4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load4(ctx);

	return kmesh_native_route(ctx, true, &dialed);
}

SEC("?cgroup/connect6")
int kmesh_route6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load6(ctx);

	return kmesh_native_route(ctx, false, &dialed);
}

SEC("cgroup/sock_release")
int kmesh_sock_release(struct bpf_sock *sk)
{
	struct kmesh_counted *counted = bpf_sk_storage_get(&km_counted, sk, 0, 0);

	if (counted)
		kmesh_leave(counted);
	return KMESH_ALLOW;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
