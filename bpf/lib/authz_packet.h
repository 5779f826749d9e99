/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Finds out whether a packet asks for a new TCP connection. What cannot be a connection passes; what hides
 * whether it is one is dropped, as RFC 1858, RFC 3128 and RFC 7112 ask for fragments.
 */
#ifndef KMESH_AUTHZ_PACKET_H
#define KMESH_AUTHZ_PACKET_H

#include "authz_flow.h"

enum {
	KMESH_TCP_FIN = 1,
	KMESH_TCP_SYN = 2,
	KMESH_TCP_RST = 4,
	KMESH_TCP_ACK = 16,

	/* What a packet is; other results are the reason to count, of which one drops it. */
	KMESH_PACKET_SYN = -1,
	KMESH_PACKET_OTHER = -2, /* of a connection, or nothing that policies are about: passes uncounted */

	/* More in front of TCP is not to be found in honest traffic. */
	KMESH_VLAN_TAGS = 2,
	KMESH_EXTENSIONS = 8,
	KMESH_EXTENSION_BYTES = 2048,
};

struct kmesh_packet {
	__u16 network_offset;
	__u16 transport_offset;
	bool is_v4;
	bool is_plain; /* neither options nor extension headers, and no fragment */
};

/* The transport header of what is no later fragment. `limit` is where IP says that the packet ends. */
static __always_inline int kmesh_parse_transport(void *data, void *data_end, __u8 protocol, __u32 offset,
						 __u32 limit)
{
	struct tcphdr *tcp = data + offset;
	__u8 flags;

	if (protocol == IPPROTO_UDP)
		return KMESH_REASON_UDP_PASSED;
	if (protocol != IPPROTO_TCP)
		return KMESH_REASON_OTHER_PROTOCOL;
	if ((void *)(tcp + 1) > data_end || offset + sizeof(*tcp) > limit)
		return KMESH_REASON_MALFORMED;
	flags = tcp->flags;
	if ((flags & (KMESH_TCP_SYN | KMESH_TCP_ACK)) != KMESH_TCP_SYN)
		return KMESH_PACKET_OTHER;
	if (tcp->offset >> 4 < 5)
		return KMESH_REASON_MALFORMED;
	return KMESH_PACKET_SYN;
}

/* A later fragment passes, unless it would cover the flags of the first one. `offset`: 8 bytes each. */
static __always_inline int kmesh_later_fragment(__u8 protocol, __u16 offset)
{
	return protocol == IPPROTO_TCP && offset == 1 ? KMESH_REASON_MALFORMED : KMESH_REASON_FRAGMENT_PASSED;
}

static __always_inline int kmesh_parse4(void *data, void *data_end, struct kmesh_packet *packet)
{
	struct iphdr *ip = data + packet->network_offset;
	__u32 length, limit;
	__u16 fragment;

	if ((void *)(ip + 1) > data_end)
		return KMESH_REASON_MALFORMED;
	length = (ip->version_length & 0xf) * 4;
	if (ip->version_length >> 4 != 4 || length < sizeof(*ip))
		return KMESH_REASON_MALFORMED;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & 0x1fff)
		return kmesh_later_fragment(ip->protocol, fragment & 0x1fff);
	packet->is_v4 = true;
	packet->is_plain = length == sizeof(*ip) && !(fragment & 0x2000);
	packet->transport_offset = packet->network_offset + length;
	/* 0 for a packet above 64 KiB, which only the kernel itself puts together. */
	limit = bpf_ntohs(ip->tot_len) ? packet->network_offset + bpf_ntohs(ip->tot_len) : ~0u;
	return kmesh_parse_transport(data, data_end, ip->protocol, packet->transport_offset, limit);
}

static __always_inline bool kmesh_is_mapped(const __be32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

static __always_inline int kmesh_parse6(void *data, void *data_end, struct kmesh_packet *packet)
{
	struct ipv6hdr *ip = data + packet->network_offset;
	__u32 offset = packet->network_offset + sizeof(*ip);
	__u32 limit;
	__u8 next;

	if ((void *)(ip + 1) > data_end || ip->version_class >> 4 != 6)
		return KMESH_REASON_MALFORMED;
	/* On a wire it would pass for an IPv4 address here; the kernel drops such a source, too. */
	if (kmesh_is_mapped(ip->saddr) || kmesh_is_mapped(ip->daddr))
		return KMESH_REASON_MALFORMED;
	next = ip->nexthdr;
	limit = bpf_ntohs(ip->payload_len) ? offset + bpf_ntohs(ip->payload_len) : ~0u;
	packet->is_plain = true;
	for (int i = 0; i <= KMESH_EXTENSIONS; i++) {
		struct ipv6_opt_hdr *extension = data + offset;
		__u32 length;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH) {
			packet->transport_offset = offset;
			return kmesh_parse_transport(data, data_end, next, offset, limit);
		}
		/* All of them have at least these 8 bytes. */
		if ((void *)extension + 8 > data_end || offset + 8 > limit)
			return KMESH_REASON_MALFORMED;
		packet->is_plain = false;
		length = 8 + extension->length * 8;
		if (next == IPPROTO_AH)
			length = 8 + extension->length * 4;
		if (next == IPPROTO_FRAGMENT) {
			__u16 fragment = bpf_ntohs(((struct frag_hdr *)extension)->frag_off) >> 3;

			if (fragment)
				return kmesh_later_fragment(extension->next, fragment);
			length = 8;
		}
		next = extension->next;
		offset += length;
		if (offset > KMESH_EXTENSION_BYTES)
			return KMESH_REASON_MALFORMED;
	}
	return KMESH_REASON_MALFORMED;
}

static __always_inline int kmesh_parse(void *data, void *data_end, struct kmesh_packet *packet)
{
	struct ethhdr *ethernet = data;
	__u32 offset = sizeof(*ethernet);
	__be16 protocol;

	if ((void *)(ethernet + 1) > data_end)
		return KMESH_PACKET_OTHER;
	protocol = ethernet->h_proto;
	for (int i = 0; i < KMESH_VLAN_TAGS; i++) {
		struct vlan_hdr *tag = data + offset;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > data_end)
			return KMESH_PACKET_OTHER;
		protocol = tag->h_vlan_encapsulated_proto;
		offset += sizeof(*tag);
	}
	packet->network_offset = offset;
	if (protocol == bpf_htons(ETH_P_IP))
		return kmesh_parse4(data, data_end, packet);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return kmesh_parse6(data, data_end, packet);
	if (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD))
		return KMESH_REASON_MALFORMED;
	return KMESH_PACKET_OTHER;
}

/*
 * The verifier of older kernels takes no offset into a packet that may be near 64 KiB, and it forgets the
 * bounds of one that was narrowed to 16 bits. Ours are of a few headers.
 */
static __always_inline __u32 kmesh_bounded(__u32 offset)
{
	asm volatile("%0 &= 0x3fff" : "+r"(offset));
	return offset;
}

/* Makes the flow of a packet that kmesh_parse found to be a SYN. Returns false for one that is too short. */
static __always_inline bool kmesh_make_flow(void *data, void *data_end, const struct kmesh_packet *packet,
					    struct kmesh_flow *flow)
{
	struct tcphdr *tcp = data + kmesh_bounded(packet->transport_offset);

	if ((void *)(tcp + 1) > data_end)
		return false;
	*flow = (struct kmesh_flow){
		.source_port = bpf_ntohs(tcp->source),
		.destination_port = bpf_ntohs(tcp->dest),
		.network_offset = packet->network_offset,
		.transport_offset = packet->transport_offset,
		.can_be_reset = packet->is_plain,
	};
	if (packet->is_v4) {
		struct iphdr *ip = data + kmesh_bounded(packet->network_offset);

		if ((void *)(ip + 1) > data_end)
			return false;
		flow->source.words[2] = flow->destination.words[2] = bpf_htonl(0xffff);
		flow->source.words[3] = ip->saddr;
		flow->destination.words[3] = ip->daddr;
	} else {
		struct ipv6hdr *ip = data + kmesh_bounded(packet->network_offset);

		if ((void *)(ip + 1) > data_end)
			return false;
		for (int i = 0; i < 4; i++) {
			flow->source.words[i] = ip->saddr[i];
			flow->destination.words[i] = ip->daddr[i];
		}
	}
	return true;
}

#endif
