/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys and values of the L4 maps: frontend -> service -> slot or table -> endpoint. */
#ifndef KMESH_ABI_L4_H
#define KMESH_ABI_L4_H

/*
 * km_frontend: an address that clients dial. Port 0 with protocol 0 marks the address itself: as a service's,
 * so that a port it does not declare can be refused, or as a workload's whose TCP connections go through a
 * waypoint. Ports are in host byte order everywhere.
 */
struct kmesh_frontend_key {
	struct kmesh_address address;
	__u16 port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad;
};

struct kmesh_frontend {
	__u32 service_id; /* in a marker 0 for a service's address, else a waypoint's: see waypoint.h */
	__u32 seal;
};

enum kmesh_policy {
	KMESH_POLICY_RANDOM = 1, /* any endpoint of the tier, by its slot */
	KMESH_POLICY_TABLE_RANDOM = 2, /* any slot of the table: weighted */
	KMESH_POLICY_TABLE_HASH =
		3, /* the table's slot by a hash, as of the client workload's address: Maglev */
	/* The kernel-native engine's only. */
	KMESH_POLICY_ROUND_ROBIN = 4, /* the tier's slots in turn */
	KMESH_POLICY_TABLE_ROUND_ROBIN = 5, /* the table's slots in turn: weighted */
	KMESH_POLICY_LEAST_REQUEST = 6, /* of two slots the one whose endpoint has fewer connections */
};

enum kmesh_service_flags {
	KMESH_SERVICE_AFFINITY = 1, /* a client stays with its endpoint for affinity_timeout_s */
	KMESH_SERVICE_STRICT = 2, /* the service has endpoints, but none where its locality asks for one */
	/* The kernel-native engine's only: connections are counted in km_active, and limited by km_limit. */
	KMESH_SERVICE_COUNTED = 4,
	KMESH_SERVICE_LIMITED = 8,
};

/* km_service: one port of one service in one address family. The key is its id, never 0. */
struct kmesh_service_key {
	__u32 service_id;
};

struct kmesh_service {
	__u32 policy; /* enum kmesh_policy */
	__u32 flags; /* enum kmesh_service_flags */
	__u32 tier; /* the best tier that has endpoints: the only one that is chosen from */
	__u32 endpoint_count; /* endpoints in that tier; 0: refuse */
	__u32 affinity_timeout_s;
	__u32 waypoint_id; /* where its connections go instead; 0: to its endpoints. See waypoint.h */
	__u32 seal;
};

/* km_slot: the endpoints of a tier, numbered without gaps from 0 to endpoint_count - 1. */
struct kmesh_slot_key {
	__u32 service_id;
	__u32 tier;
	__u32 index;
};

struct kmesh_slot {
	__u32 endpoint_id;
	__u32 seal;
};

/*
 * km_table: the slots of a weighted or Maglev service, filled from its best tier. Too large to be sealed: an
 * id that was read from a reused element is not an endpoint of the service, or it is a right one.
 */
struct kmesh_table {
	__u32 endpoint_ids[KMESH_TABLE_SLOTS];
};

/* km_endpoint: membership of a backend in a service port. What is not here is not served any more. */
struct kmesh_endpoint_key {
	__u32 service_id;
	__u32 endpoint_id; /* unique in the service, not in the mesh */
};

struct kmesh_endpoint {
	struct kmesh_address address;
	__u16 port;
	__u16 pad;
	__u32 seal;
};

/* km_enrolled: the network namespaces whose traffic is steered, by netns cookie. */
struct kmesh_enrolled_key {
	__u64 netns_cookie;
};

struct kmesh_enrolled {
	struct kmesh_address address; /* the workload's first address: its identity for affinity and Maglev */
	__u32 trace_until_s; /* verdicts are traced up to this second of the monotonic clock; 0: not */
	__u32 flags; /* none yet: 0 */
	__u32 seal;
};

/* km_affinity: the endpoint that a client of a ClientIP service stays with. */
struct kmesh_affinity_key {
	struct kmesh_address client;
	__u32 service_id;
};

struct kmesh_affinity {
	__u32 endpoint_id;
	__u32 last_used_s; /* seconds of the monotonic clock */
	__u32 seal;
};

/* km_udp_session: the endpoint that an unconnected UDP socket stays with, for each service. */
struct kmesh_udp_session_key {
	__u64 socket_cookie;
	__u32 service_id;
	__u32 pad;
};

struct kmesh_udp_session {
	__u32 endpoint_id;
	__u32 seal;
};

/* km_udp_reply: which frontend an endpoint's reply to an unconnected UDP socket comes from. */
struct kmesh_udp_reply_key {
	__u64 socket_cookie;
	struct kmesh_address endpoint_address;
	__u16 endpoint_port;
	__u16 pad[3];
};

struct kmesh_udp_reply {
	struct kmesh_address frontend_address;
	__u16 frontend_port;
	__u16 pad;
	__u32 seal;
};

/* km_peer: socket storage of a connected socket: what it dialed and where it was sent. */
struct kmesh_peer {
	struct kmesh_address frontend_address;
	struct kmesh_address endpoint_address;
	__u16 frontend_port;
	__u16 endpoint_port;
	__u32 service_id; /* whose endpoint it is: a waypoint's when the connection was redirected */
	__u32 redirect; /* enum kmesh_redirect */
	union {
		__u32 first_sequence; /* redirected: the sequence number of the first byte that it sends */
		__u32 table_id; /* kernel-native: between two programs of the chain, what to route by */
	};
};

/* km_trace: a verdict of a workload that is traced. When the ring is full, events are counted as lost. */
struct kmesh_trace_event {
	__u64 time_ns; /* of the monotonic clock */
	__u64 netns_cookie;
	__u64 socket_cookie;
	struct kmesh_address dialed_address;
	struct kmesh_address endpoint_address; /* 0, as its port, when the verdict was not to steer */
	__u16 dialed_port;
	__u16 endpoint_port;
	__u32 service_id; /* what was chosen from, a waypoint's if redirected; 0 when there is none */
	__u32 reason; /* enum kmesh_reason */
	__u32 process_id; /* as the node's first process sees it */
	__u32 thread_id;
	__u32 protocol; /* as in km_frontend; 0 for another one */
	__u8 command[16]; /* the thread's name, ending in 0 */
};

/* Constants of the programs: the whole of their .rodata, set before they are loaded. */
struct kmesh_l4_settings {
	__u32 pass_without_endpoint; /* leave a service without an endpoint alone instead of refusing */
	__u32 metadata; /* enum kmesh_metadata: how waypoints are told what was dialed */
	__u32 has_mptcp; /* whether the kernel knows Multipath TCP */
};

_Static_assert(sizeof(struct kmesh_frontend_key) == 20, "layout");
_Static_assert(sizeof(struct kmesh_frontend) == 8, "layout");
_Static_assert(sizeof(struct kmesh_service) == 28, "layout");
_Static_assert(sizeof(struct kmesh_slot_key) == 12, "layout");
_Static_assert(sizeof(struct kmesh_slot) == 8, "layout");
_Static_assert(sizeof(struct kmesh_table) == 4 * KMESH_TABLE_SLOTS, "layout");
_Static_assert(sizeof(struct kmesh_endpoint_key) == 8, "layout");
_Static_assert(sizeof(struct kmesh_endpoint) == 24, "layout");
_Static_assert(sizeof(struct kmesh_enrolled_key) == 8, "layout");
_Static_assert(sizeof(struct kmesh_enrolled) == 28, "layout");
_Static_assert(sizeof(struct kmesh_affinity_key) == 20, "layout");
_Static_assert(sizeof(struct kmesh_affinity) == 12, "layout");
_Static_assert(sizeof(struct kmesh_udp_session_key) == 16, "layout");
_Static_assert(sizeof(struct kmesh_udp_session) == 8, "layout");
_Static_assert(sizeof(struct kmesh_udp_reply_key) == 32, "layout");
_Static_assert(sizeof(struct kmesh_udp_reply) == 24, "layout");
_Static_assert(sizeof(struct kmesh_peer) == 48, "layout");
_Static_assert(sizeof(struct kmesh_trace_event) == 96, "layout");

#endif
