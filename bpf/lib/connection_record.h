/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a record says of a connection, read from its socket. */
#ifndef KMESH_CONNECTION_RECORD_H
#define KMESH_CONNECTION_RECORD_H

#include <kmesh/abi/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kmesh_connection);
} km_connection SEC(".maps");

static __always_inline void kmesh_describe_ends(struct kmesh_connection_record *record,
						const struct sock_common *sk)
{
	if (sk->skc_family == AF_INET) {
		record->local_address =
			(struct kmesh_address){ { 0, 0, bpf_htonl(0xffff), sk->skc_rcv_saddr } };
		record->remote_address = (struct kmesh_address){ { 0, 0, bpf_htonl(0xffff), sk->skc_daddr } };
	} else {
		for (int i = 0; i < 4; i++) {
			record->local_address.words[i] = sk->skc_v6_rcv_saddr.words[i];
			record->remote_address.words[i] = sk->skc_v6_daddr.words[i];
		}
	}
	record->local_port = sk->skc_num;
	record->remote_port = bpf_ntohs(sk->skc_dport);
}

/*
 * Raises what was told to `total` and returns by how much. Reports of one connection can be made on two CPUs
 * at once: none of them tells what another one has.
 */
static __always_inline __u64 kmesh_since(__u64 *told, __u64 total)
{
	__u64 before = *(volatile __u64 *)told;

	if (before >= total || __sync_val_compare_and_swap(told, before, total) != before)
		return 0;
	return total - before;
}

/* Fills all but the namespace's cookie. */
static __always_inline void kmesh_describe(struct kmesh_connection_record *record, struct tcp_sock *tcp,
					   struct kmesh_connection *connection)
{
	const struct sock *sk = &tcp->inet_conn.icsk_inet.sk;

	kmesh_describe_ends(record, &sk->__sk_common);
	record->opened_ns = connection->opened_ns;
	record->reported_ns = bpf_ktime_get_ns();
	record->dialed_address = connection->dialed_address;
	record->dialed_port = connection->dialed_port;
	record->direction = connection->direction;
	record->state = sk->__sk_common.skc_state;
	record->error = sk->sk_err;
	record->flags = connection->flags;
	/* bytes_acked would count the SYN and the FIN. */
	record->sent = tcp->bytes_sent - tcp->bytes_retrans;
	record->received = tcp->bytes_received;
	/* The peer's FIN is counted as a byte. */
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE) && record->received)
		record->received--;
	record->retransmissions = tcp->total_retrans;
	record->lost = tcp->lost;
	record->srtt_us = tcp->srtt_us >> 3;
	record->min_rtt_us = tcp->rtt_min.s[0].v;
	record->new_sent = kmesh_since(&connection->reported_sent, record->sent);
	record->new_received = kmesh_since(&connection->reported_received, record->received);
	record->new_retransmissions =
		kmesh_since(&connection->reported_retransmissions, record->retransmissions);
	record->new_lost = kmesh_since(&connection->reported_lost, record->lost);
	connection->flags |= KMESH_CONNECTION_REPORTED;
}

#endif
