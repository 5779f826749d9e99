/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Tells a waypoint what was dialed: in an option of the SYN, and in a TLV before the first bytes. For that
 * the socket is in km_metadata, where the kernel shows its messages to a program. It leaves while the first
 * of them is sent: there, a blocking recv() can end with EAGAIN, and large transfers are slow.
 */
#ifndef KMESH_WAYPOINT_METADATA_H
#define KMESH_WAYPOINT_METADATA_H

#include "count.h"
#include "peer.h"

/* By socket cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, KMESH_METADATA_SOCKETS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} km_metadata SEC(".maps");

enum { KMESH_TCP_SYN = 0x02 };

/* What is known of a socket that was redirected; 0 for any other. */
static __always_inline struct kmesh_peer *kmesh_redirected_peer(struct bpf_sock *sk, bool *is_mptcp)
{
	struct mptcp_sock *mptcp = kmesh_mptcp(sk);
	struct kmesh_peer *peer = kmesh_find_peer(sk, mptcp);

	*is_mptcp = mptcp;
	return peer && peer->redirect != KMESH_NOT_REDIRECTED ? peer : 0;
}

static __always_inline void kmesh_want(struct bpf_sock_ops *ctx, __u32 flag)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | flag);
}

static __always_inline void kmesh_unwant(struct bpf_sock_ops *ctx, __u32 flag)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~flag);
}

static __always_inline void kmesh_reserve_option(struct bpf_sock_ops *ctx, const struct kmesh_peer *peer)
{
	__u32 size = kmesh_is_v4(&peer->frontend_address) ? KMESH_OPTION_V4_SIZE : KMESH_OPTION_V6_SIZE;

	if (ctx->skb_tcp_flags & KMESH_TCP_SYN && bpf_reserve_hdr_opt(ctx, size, 0))
		kmesh_count(KMESH_REASON_OPTION_NOT_SENT);
}

static __always_inline void kmesh_send_option(struct bpf_sock_ops *ctx, const struct kmesh_peer *peer,
					      bool is_mptcp)
{
	bool has_tlv = kmesh_settings.metadata & KMESH_METADATA_TLV && !is_mptcp;
	__u8 option[KMESH_OPTION_V4_SIZE] = {};
	__u32 size;

	if (peer->redirect != KMESH_REDIRECT_CONNECTING)
		return;
	size = kmesh_write_option(option, &peer->frontend_address, peer->frontend_port,
				  has_tlv ? KMESH_OPTION_TLV : 0);
	if (size == KMESH_OPTION_V4_SIZE ? bpf_store_hdr_opt(ctx, option, KMESH_OPTION_V4_SIZE, 0) :
					   bpf_store_hdr_opt(ctx, option, KMESH_OPTION_V6_SIZE, 0))
		return; /* There was no room: it was counted. */
	kmesh_count(KMESH_REASON_OPTION_SENT);
}

/* The handshake is over: from here on the kernel shows the socket's messages to kmesh_sk_msg. */
static __always_inline void kmesh_await_message(struct bpf_sock_ops *ctx, struct kmesh_peer *peer,
						bool is_mptcp)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (peer->redirect != KMESH_REDIRECT_CONNECTING)
		return;
	peer->redirect = KMESH_REDIRECT_DONE;
	if (kmesh_settings.metadata & KMESH_METADATA_TLV && !is_mptcp) {
		/* Fast Open has sent bytes with the SYN, or the map is full: the option alone has to do. */
		if (!ctx->data_segs_out && !bpf_sock_hash_update(ctx, &km_metadata, &cookie, BPF_ANY)) {
			peer->first_sequence = ctx->snd_nxt;
			peer->redirect = KMESH_REDIRECT_TLV_WAITS;
			kmesh_want(ctx, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
			return;
		}
		kmesh_count(KMESH_REASON_TLV_NOT_SENT);
	}
	kmesh_unwant(ctx, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
}

/*
 * A packet is being laid out: after the TLV, the socket leaves the map. This runs inside of the send() that
 * the TLV goes with, so that no later call of the application finds the socket there.
 */
static __always_inline void kmesh_release_socket(struct bpf_sock_ops *ctx, struct kmesh_peer *peer)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (peer->redirect == KMESH_REDIRECT_TLV_WAITS) {
		if (!ctx->skb_len)
			return;
		/* These bytes were on their way into the socket when it came into the map. */
		kmesh_count(KMESH_REASON_TLV_NOT_SENT);
	}
	peer->redirect = KMESH_REDIRECT_DONE;
	bpf_map_delete_elem(&km_metadata, &cookie);
	kmesh_unwant(ctx, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
}

static __always_inline void kmesh_lay_out(struct bpf_sock_ops *ctx, struct kmesh_peer *peer)
{
	switch (peer->redirect) {
	case KMESH_REDIRECT_CONNECTING:
		kmesh_reserve_option(ctx, peer);
		break;
	case KMESH_REDIRECT_TLV_WAITS:
	case KMESH_REDIRECT_TLV_PAST:
		kmesh_release_socket(ctx, peer);
		break;
	}
}

static __always_inline int kmesh_tell_waypoint(struct bpf_sock_ops *ctx)
{
	struct kmesh_peer *peer;
	struct bpf_sock *sk;
	__u32 op = ctx->op;
	bool is_mptcp;

	if (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_HDR_OPT_LEN_CB && op != BPF_SOCK_OPS_WRITE_HDR_OPT_CB)
		return 1;
	sk = ctx->sk;
	peer = sk ? kmesh_redirected_peer(sk, &is_mptcp) : 0;
	if (!peer)
		return 1;
	switch (op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		if (kmesh_settings.metadata & KMESH_METADATA_OPTION)
			kmesh_want(ctx, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		kmesh_lay_out(ctx, peer);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		kmesh_send_option(ctx, peer, is_mptcp);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		kmesh_await_message(ctx, peer, is_mptcp);
		break;
	}
	return 1;
}

/* Puts `size` bytes before those of the message; false when it is not whole any more. */
static __always_inline bool kmesh_prepend(struct sk_msg_md *message, const __u8 *bytes, __u32 size)
{
	__u8 *data;

	if (bpf_msg_pull_data(message, 0, size, 0))
		return false;
	data = message->data;
	if ((void *)(data + size) > message->data_end)
		return false;
	for (__u32 i = 0; i < size; i++)
		data[i] = bytes[i];
	return true;
}

static __always_inline int kmesh_tell_waypoint_first(struct sk_msg_md *message)
{
	struct bpf_sock *sk = message->sk;
	struct kmesh_peer *peer = sk ? bpf_sk_storage_get(&km_peer, sk, 0, 0) : 0;
	__u8 tlv[KMESH_TLV_V6_SIZE];
	struct tcp_sock *tcp;
	__u32 size;
	bool is_whole;

	if (!peer || peer->redirect != KMESH_REDIRECT_TLV_WAITS)
		return SK_PASS;
	peer->redirect = KMESH_REDIRECT_TLV_PAST;
	tcp = bpf_skc_to_tcp_sock(sk);
	size = kmesh_write_tlv(tlv, &peer->frontend_address, peer->frontend_port);
	/* A send() that waited for the handshake goes by the map: behind its bytes the TLV would do harm. */
	if (!tcp || tcp->write_seq != peer->first_sequence || bpf_msg_push_data(message, 0, size, 0)) {
		kmesh_count(KMESH_REASON_TLV_NOT_SENT);
		return SK_PASS;
	}
	is_whole = size == KMESH_TLV_V4_SIZE ? kmesh_prepend(message, tlv, KMESH_TLV_V4_SIZE) :
					       kmesh_prepend(message, tlv, KMESH_TLV_V6_SIZE);
	if (!is_whole) {
		/* The message has room in front that nobody filled. */
		kmesh_count(KMESH_REASON_MESSAGE_DROPPED);
		return SK_DROP;
	}
	kmesh_count(KMESH_REASON_TLV_SENT);
	return SK_PASS;
}

#endif
