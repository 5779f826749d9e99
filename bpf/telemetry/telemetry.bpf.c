/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Observes the TCP connections of enrolled workloads, for every engine alike: a record in a ring when one
 * ends, and a walk over those that go on when user space asks. Attached only while somebody wants to know.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "connection_record.h"
#include "count.h"
#include "enrolled_map.h"
#include "peer.h"

/* Nobody is woken for a record: who reads comes at intervals, long before the ring is full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMESH_RECORD_RING_BYTES);
} km_record SEC(".maps");

static __always_inline bool kmesh_is_observed(struct bpf_sock_ops *ctx)
{
	struct kmesh_enrolled_key key = { .netns_cookie = bpf_get_netns_cookie(ctx) };

	return bpf_map_lookup_elem(&km_enrolled, &key);
}

static __always_inline void kmesh_open(struct bpf_sock_ops *ctx, __u8 direction, __u32 flags)
{
	struct bpf_sock *sk = ctx->sk;
	struct kmesh_connection *connection;

	if (!sk || !kmesh_is_observed(ctx))
		return;
	connection = bpf_sk_storage_get(&km_connection, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection) {
		kmesh_count(KMESH_REASON_CONNECTION_UNSEEN);
		return;
	}
	/* A socket that failed to connect and dials again begins anew. */
	*connection = (struct kmesh_connection){
		.opened_ns = bpf_ktime_get_ns(),
		.direction = direction,
		.flags = flags,
	};
	if (direction == KMESH_OUTBOUND) {
		struct kmesh_peer *peer = kmesh_find_peer(sk, kmesh_mptcp(sk));

		if (peer) {
			connection->dialed_address = peer->frontend_address;
			connection->dialed_port = peer->frontend_port;
		}
	}
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void kmesh_establish(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct kmesh_connection *connection = sk ? bpf_sk_storage_get(&km_connection, sk, 0, 0) : 0;

	if (!connection)
		return;
	connection->opened_ns = bpf_ktime_get_ns();
	connection->flags |= KMESH_CONNECTION_ESTABLISHED;
}

static __always_inline void kmesh_close(struct bpf_sock_ops *ctx, __u32 state)
{
	struct bpf_sock *sk = ctx->sk;
	struct kmesh_connection *connection = sk ? bpf_sk_storage_get(&km_connection, sk, 0, 0) : 0;
	struct kmesh_connection_record *record;
	struct tcp_sock *tcp;

	if (!connection || !connection->direction)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	record = bpf_ringbuf_reserve(&km_record, sizeof(*record), 0);
	if (!record) {
		kmesh_count(KMESH_REASON_RECORD_LOST);
		connection->direction = 0;
		return;
	}
	kmesh_describe(record, tcp, connection);
	record->netns_cookie = bpf_get_netns_cookie(ctx);
	record->state = state;
	record->flags |= KMESH_RECORD_CLOSED;
	/* The walk must not tell of it any more. */
	connection->direction = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

SEC("sockops")
int kmesh_telemetry(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		kmesh_open(ctx, KMESH_OUTBOUND, 0);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		kmesh_establish(ctx);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		kmesh_open(ctx, KMESH_INBOUND, KMESH_CONNECTION_ESTABLISHED);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			kmesh_close(ctx, ctx->args[0]);
		break;
	}
	return 1;
}

/* Writes a record of each connection that goes on to whom reads the walk. */
SEC("iter/bpf_sk_storage_map")
int kmesh_report(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct kmesh_connection_record record = {};
	struct kmesh_connection *connection = ctx->value;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tcp;

	if (!sk || !connection)
		return 0;
	if (!connection->direction || !(connection->flags & KMESH_CONNECTION_ESTABLISHED))
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	kmesh_describe(&record, tcp, connection);
	record.netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
