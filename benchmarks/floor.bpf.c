/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What no engine that decides at connect() can do without: a program at that hook, and what the socket
 * dialed, noted where getpeername() finds it, and gone with the socket.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct dialed {
	__be32 address[4];
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dialed);
} dialed SEC(".maps");

SEC("cgroup/connect4")
int floor_empty(struct bpf_sock_addr *ctx)
{
	return 1;
}

SEC("cgroup/connect4")
int floor_note(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct dialed *note = sk ? bpf_sk_storage_get(&dialed, sk, 0, BPF_SK_STORAGE_GET_F_CREATE) : 0;

	if (note) {
		note->address[3] = ctx->user_ip4;
		note->port = ctx->user_port;
	}
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
