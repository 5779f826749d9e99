/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The dual engine's socket hooks. Failure means: the connection goes where the application sent it, unless
 * it shall go through a waypoint.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "l4_hooks.h"

SEC("cgroup/connect4")
int kmesh_connect4(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load4(ctx);

	return kmesh_connect(ctx, true, &dialed);
}

SEC("cgroup/connect6")
int kmesh_connect6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address dialed = kmesh_load6(ctx);

	return kmesh_connect(ctx, false, &dialed);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
