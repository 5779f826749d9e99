/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Turns a denied SYN into the reset that answers it: RFC 9293, 3.10.7.1. */
#ifndef KMESH_AUTHZ_RESET_H
#define KMESH_AUTHZ_RESET_H

#include "authz_packet.h"

static __always_inline __u32 kmesh_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 kmesh_sum(const void *words, int count)
{
	const __u32 *word = words;
	__u64 sum = 0;

	for (int i = 0; i < count; i++)
		sum += word[i];
	return sum;
}

/*
 * Fills in the checksum of the reset, whose addresses are the SYN's the other way round: `addresses` is their
 * sum. A SYN that never was on a wire may come with the sum of the pseudo header alone, and the interface
 * completes it in what we send back too.
 */
static __always_inline void kmesh_reset_checksum(struct tcphdr *tcp, __u64 addresses, __u32 syn_length)
{
	__u64 pseudo = addresses + bpf_htonl(IPPROTO_TCP);
	bool is_partial = tcp->check == kmesh_fold(pseudo + bpf_htonl(syn_length));

	pseudo += bpf_htonl(sizeof(*tcp));
	tcp->check = 0;
	if (is_partial)
		tcp->check = kmesh_fold(pseudo);
	else
		tcp->check = ~kmesh_fold(pseudo + kmesh_sum(tcp, sizeof(*tcp) / 4));
}

/* `length` is that of the SYN with its header. */
static __always_inline void kmesh_reset_transport(struct tcphdr *tcp, __u64 addresses, __u32 length)
{
	__u32 payload = length - (tcp->offset >> 4) * 4;
	__be16 port = tcp->source;

	tcp->source = tcp->dest;
	tcp->dest = port;
	/* The SYN counts, and so does a FIN. */
	tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + payload + 1 + (tcp->flags & KMESH_TCP_FIN));
	tcp->seq = 0;
	tcp->offset = sizeof(*tcp) / 4 << 4;
	tcp->flags = KMESH_TCP_RST | KMESH_TCP_ACK;
	tcp->window = 0;
	tcp->urg_ptr = 0;
	kmesh_reset_checksum(tcp, addresses, length);
}

static __always_inline bool kmesh_reset4(void *data, void *data_end, __u32 offset)
{
	struct iphdr *ip = data + offset;
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 length;
	__be32 address;

	if ((void *)(tcp + 1) > data_end)
		return false;
	length = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	kmesh_reset_transport(tcp, (__u64)ip->saddr + ip->daddr, length);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	ip->tos = 0;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*tcp));
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->check = 0;
	ip->check = ~kmesh_fold(kmesh_sum(ip, sizeof(*ip) / 4));
	return true;
}

static __always_inline bool kmesh_reset6(void *data, void *data_end, __u32 offset)
{
	struct ipv6hdr *ip = data + offset;
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > data_end)
		return false;
	kmesh_reset_transport(tcp, kmesh_sum(ip->saddr, 8), bpf_ntohs(ip->payload_len));
	for (int i = 0; i < 4; i++) {
		__be32 word = ip->saddr[i];

		ip->saddr[i] = ip->daddr[i];
		ip->daddr[i] = word;
	}
	ip->version_class = 0x60;
	ip->class_flow[0] = ip->class_flow[1] = ip->class_flow[2] = 0;
	ip->payload_len = bpf_htons(sizeof(*tcp));
	ip->hop_limit = 64;
	return true;
}

/* Returns whether the packet is a reset now, to be sent back where it came from. */
static __always_inline bool kmesh_make_reset(struct xdp_md *ctx, const struct kmesh_flow *flow)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	__u32 offset = flow->network_offset;
	int surplus = data_end - data - flow->transport_offset - (int)sizeof(struct tcphdr);
	__u8 address[6];
	bool is_made;

	if (!flow->can_be_reset || (void *)(ethernet + 1) > data_end)
		return false;
	/* What the verifier knew of the offset is not kept between programs. */
	if (offset > sizeof(*ethernet) + KMESH_VLAN_TAGS * sizeof(struct vlan_hdr))
		return false;
	if (kmesh_is_v4(&flow->source))
		is_made = kmesh_reset4(data, data_end, offset);
	else
		is_made = kmesh_reset6(data, data_end, offset);
	if (!is_made)
		return false;
	__builtin_memcpy(address, ethernet->h_dest, sizeof(address));
	__builtin_memcpy(ethernet->h_dest, ethernet->h_source, sizeof(address));
	__builtin_memcpy(ethernet->h_source, address, sizeof(address));
	return surplus <= 0 || !bpf_xdp_adjust_tail(ctx, -surplus);
}

#endif
