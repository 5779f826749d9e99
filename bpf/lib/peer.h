/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What programs at different hooks know of one socket, and the settings that they share. */
#ifndef KMESH_PEER_H
#define KMESH_PEER_H

#include <kmesh/abi/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kmesh_peer);
} km_peer SEC(".maps");

/* Set by the loader. */
const volatile struct kmesh_l4_settings kmesh_settings = {};

/* The Multipath TCP socket that `sk` is a subflow of: the one that the application sees. */
static __always_inline struct mptcp_sock *kmesh_mptcp(struct bpf_sock *sk)
{
	/* Where the kernel does not know it, the verifier knows no such socket and must not see this. */
	return kmesh_settings.has_mptcp ? bpf_skc_to_mptcp_sock(sk) : 0;
}

/* `sk` is what a connect hook sees, which may be a subflow. */
static __always_inline struct kmesh_peer *kmesh_make_peer(struct bpf_sock *sk)
{
	struct mptcp_sock *mptcp = kmesh_mptcp(sk);

	if (mptcp)
		return bpf_sk_storage_get(&km_peer, mptcp, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return bpf_sk_storage_get(&km_peer, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* 0: nothing that it dialed was translated. `mptcp` is what kmesh_mptcp() says of `sk`. */
static __always_inline struct kmesh_peer *kmesh_find_peer(struct bpf_sock *sk, struct mptcp_sock *mptcp)
{
	if (mptcp)
		return bpf_sk_storage_get(&km_peer, mptcp, 0, 0);
	return bpf_sk_storage_get(&km_peer, sk, 0, 0);
}

static __always_inline void kmesh_forget_peer(struct bpf_sock *sk)
{
	struct mptcp_sock *mptcp = kmesh_mptcp(sk);

	if (mptcp)
		bpf_sk_storage_delete(&km_peer, mptcp);
	else
		bpf_sk_storage_delete(&km_peer, sk);
}

#endif
