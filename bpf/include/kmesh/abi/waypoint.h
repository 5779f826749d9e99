/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How connections get to a waypoint, and how it learns what was dialed; docs/metadata.md has the rules. */
#ifndef KMESH_ABI_WAYPOINT_H
#define KMESH_ABI_WAYPOINT_H

/*
 * Where a service or a workload's address names the service port of its waypoint, this says that it shall go
 * through one that is not in force: refuse.
 */
#define KMESH_WAYPOINT_MISSING 0xffffffffu

/* km_waypoint: the addresses of waypoint instances, by the first of which a client is known to be one. */
struct kmesh_waypoint {
	__u32 pad;
	__u32 seal;
};

/* How waypoints are told what was dialed. */
enum kmesh_metadata {
	KMESH_METADATA_OPTION = 1, /* in a TCP option of the SYN */
	KMESH_METADATA_TLV = 2, /* in front of the first bytes */
};

/* How far a redirected connection has told what was dialed. */
enum kmesh_redirect {
	KMESH_NOT_REDIRECTED = 0,
	KMESH_REDIRECT_CONNECTING = 1,
	KMESH_REDIRECT_TLV_WAITS = 2, /* for the first bytes; the socket is in km_metadata */
	KMESH_REDIRECT_TLV_PAST = 3, /* the socket leaves km_metadata at the next occasion */
	KMESH_REDIRECT_DONE = 4,
};

/*
 * The option: kind, length, ExID (2 bytes, RFC 6994), flags, then address and port for IPv4, or the hash of
 * both for IPv6, which has no room in a SYN. All in network byte order.
 */
enum {
	KMESH_OPTION_KIND = 253,
	KMESH_OPTION_EXID = 0x4b4d,
	KMESH_OPTION_V4_SIZE = 11,
	KMESH_OPTION_V6_SIZE = 9,
};

enum kmesh_option_flags {
	KMESH_OPTION_TLV = 1, /* the TLV goes before the first bytes, unless it cannot */
	KMESH_OPTION_HASH = 2, /* IPv6: the destination is given by its hash */
};

/* The TLV: type, length (4 bytes), address and port; then the type that ends it, with length 0. */
enum {
	KMESH_TLV_DESTINATION = 0x01,
	KMESH_TLV_END = 0xfe,
	KMESH_TLV_V4_SIZE = 16,
	KMESH_TLV_V6_SIZE = 28,
};

static inline __attribute__((always_inline)) int kmesh_is_v4(const struct kmesh_address *address)
{
	const __u8 *bytes = (const __u8 *)address->words;

	return !address->words[0] && !address->words[1] && !bytes[8] && !bytes[9] && bytes[10] == 0xff &&
	       bytes[11] == 0xff;
}

/* What stands for an IPv6 address and port in the option. The port is in host byte order. */
static inline __attribute__((always_inline)) __u32 kmesh_destination_hash(const struct kmesh_address *address,
									  __u16 port)
{
	__u32 hash = KMESH_SEAL_START;

	for (int i = 0; i < 4; i++)
		hash = kmesh_seal_word(hash, address->words[i]);
	return kmesh_seal_word(hash, port);
}

/* Writes the option of a destination; `option` has room for the longer one. Returns its length. */
static inline __attribute__((always_inline)) __u32
kmesh_write_option(__u8 *option, const struct kmesh_address *address, __u16 port, __u8 flags)
{
	const __u8 *bytes = (const __u8 *)address->words;
	__u32 hash;

	option[0] = KMESH_OPTION_KIND;
	option[2] = KMESH_OPTION_EXID >> 8;
	option[3] = KMESH_OPTION_EXID & 0xff;
	if (kmesh_is_v4(address)) {
		option[1] = KMESH_OPTION_V4_SIZE;
		option[4] = flags;
		for (int i = 0; i < 4; i++)
			option[5 + i] = bytes[12 + i];
		option[9] = port >> 8;
		option[10] = port & 0xff;
		return KMESH_OPTION_V4_SIZE;
	}
	hash = kmesh_destination_hash(address, port);
	option[1] = KMESH_OPTION_V6_SIZE;
	option[4] = flags | KMESH_OPTION_HASH;
	for (int i = 0; i < 4; i++)
		option[5 + i] = (hash >> (24 - 8 * i)) & 0xff;
	return KMESH_OPTION_V6_SIZE;
}

/* Writes the TLV of a destination; `tlv` has room for the longer one. Returns its length. */
static inline __attribute__((always_inline)) __u32
kmesh_write_tlv(__u8 *tlv, const struct kmesh_address *address, __u16 port)
{
	const __u8 *bytes = (const __u8 *)address->words;
	int is_v4 = kmesh_is_v4(address);
	int size = is_v4 ? 4 : 16;

	for (int i = 0; i < KMESH_TLV_V6_SIZE; i++)
		tlv[i] = 0;
	tlv[0] = KMESH_TLV_DESTINATION;
	tlv[4] = size + 2;
	if (is_v4) {
		for (int i = 0; i < 4; i++)
			tlv[5 + i] = bytes[12 + i];
		tlv[9] = port >> 8;
		tlv[10] = port & 0xff;
		tlv[11] = KMESH_TLV_END;
		return KMESH_TLV_V4_SIZE;
	}
	for (int i = 0; i < 16; i++)
		tlv[5 + i] = bytes[i];
	tlv[21] = port >> 8;
	tlv[22] = port & 0xff;
	tlv[23] = KMESH_TLV_END;
	return KMESH_TLV_V6_SIZE;
}

_Static_assert(sizeof(struct kmesh_waypoint) == 8, "layout");

#endif
