/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel-native engine's maps, beside those of l4.h:
 *
 *	listener -> filter chain -> route table -> virtual host -> route -> split -> service port -> endpoint
 *
 * A cluster is a service port of l4.h that has no frontends: whatever chooses one ends in its id. Listeners
 * are the only entries that change in place, so they are sealed. Everything that they lead to has ids of its
 * own for each form that it takes: it is written before the listener leads to it, never changes, and is
 * removed a grace period of RCU after nothing leads to it any more.
 *
 * What clients send is looked up by hashes (http.h), and each find is compared with the text itself before it
 * counts. Hosts are in lower case.
 */
#ifndef KMESH_ABI_NATIVE_H
#define KMESH_ABI_NATIVE_H

/* Of these maps together with those of l4.h: raise it with every change of either. */
enum { KMESH_NATIVE_LAYOUT_VERSION = 1 };

/* What happens to a connection or request, and to what `target` refers. */
enum kmesh_action {
	KMESH_ACTION_ROUTE = 1, /* by its HTTP request: a route table. Never that of a route */
	KMESH_ACTION_SPLIT = 2, /* to one of several service ports, by weight: a split */
	KMESH_ACTION_SERVICE = 3, /* to an endpoint of a service port */
	KMESH_ACTION_REFUSE = 4, /* refused: enum kmesh_reason */
};

/*
 * km_listener: what clients dial, by struct kmesh_frontend_key, ahead of km_frontend. That of an unspecified
 * address takes what is no listener's or service's at its port.
 */
struct kmesh_listener {
	__u32 action; /* enum kmesh_action; 0: by its filter chains */
	__u32 target;
	__u32 chains_id;
	__u32 chain_count; /* 0: `action` counts */
	/* Where streams go that are no HTTP: the id of a service port, or 0: to what was dialed. */
	__u32 service_id;
	/* How long a connection waits for its request, once it is read from, and in any case: ms. */
	__u32 read_ms;
	__u32 idle_ms;
	__u32 seal;
};

/* km_chain: the filter chains of a listener, from 0, the most specific first: the first that fits counts. */
struct kmesh_chain_key {
	__u32 chains_id;
	__u32 index;
};

struct kmesh_chain {
	struct kmesh_address source; /* the client workload's address begins with this many bits of it */
	__u32 source_bits; /* 0: any; else of 128, for IPv4 too */
	__u16 destination_port; /* 0: any */
	__u16 action; /* enum kmesh_action */
	__u32 target;
};

/*
 * How a table or host is searched: one lookup for each element, in this order. `length`: as many bytes from
 * the start (0: all, below 0: from the end) are hashed.
 */
struct kmesh_probe {
	__u16 kind; /* enum kmesh_probe_kind */
	__s16 length;
};

enum kmesh_probe_kind {
	KMESH_PROBE_HOST = 1, /* the host without its port */
	KMESH_PROBE_AUTHORITY = 2, /* with it */
	KMESH_PROBE_PATH = 3, /* the path without its query */
	KMESH_PROBE_PATH_ANY_CASE = 4,
};

/* km_route_table: a route table, by its id: how hosts are found. The first probe that finds one counts. */
struct kmesh_route_table_key {
	__u32 table_id;
};

struct kmesh_route_table {
	__u32 any_host; /* the virtual host of all others; 0: none */
	__u32 probe_count;
	struct kmesh_probe probes[KMESH_PROBES_MAX];
};

/* km_host: a virtual host, by its id: how routes are found. The least number that fits counts. */
struct kmesh_host_key {
	__u32 host_id;
};

struct kmesh_virtual_host {
	__u32 any_route; /* the first route that takes any path; 0: none */
	__u32 probe_count;
	struct kmesh_probe probes[KMESH_PROBES_MAX];
};

/* km_found: what has the hashed text: for a table the id of a virtual host, for a host the first route. */
struct kmesh_found_key {
	__u32 owner_id; /* a table or virtual host; their ids are of one space */
	struct kmesh_probe probe;
	__u64 hash;
};

struct kmesh_found {
	__u32 found_id;
	__u32 text; /* the matcher that must hold too: see KMESH_TEXT */
};

/* km_route: the routes of a virtual host, from 1, in the order of the configuration. */
struct kmesh_route_key {
	__u32 host_id;
	__u32 number;
};

struct kmesh_route {
	__u32 next; /* of those that were found alike, the next; 0: none */
	__u16 action; /* enum kmesh_action */
	__u16 retries; /* endpoints that are tried besides the first, where one refuses */
	__u32 target;
	__u32 hash_text; /* the matcher whose key consistent hashing goes by; 0: the client's address */
	__u32 condition_count;
	__u32 conditions[KMESH_CONDITIONS]; /* matchers that must all hold; more of them in km_condition */
};

/* km_condition: the conditions of a route beyond its first ones, KMESH_CONDITIONS at a time. */
struct kmesh_condition_key {
	__u32 host_id;
	__u32 number; /* of the route */
	__u32 block; /* from 0 */
};

struct kmesh_conditions {
	__u32 texts[KMESH_CONDITIONS];
};

/*
 * km_text_64, km_text_256, km_text_4096: struct kmesh_http_matcher with its text, by number. A reference is a
 * number with the map in its two topmost bits; 0 refers to none.
 */
#define KMESH_TEXT_CLASS_SHIFT 30
#define KMESH_TEXT_NUMBER_MASK 0x3fffffffu

enum kmesh_text_class {
	KMESH_TEXT_64 = 0,
	KMESH_TEXT_256 = 1,
	KMESH_TEXT_4096 = 2,
};

enum {
	KMESH_TEXT_64_SIZE = 64,
	KMESH_TEXT_256_SIZE = 256,
	KMESH_TEXT_4096_SIZE = 4088,
};

struct kmesh_text_key {
	__u32 number;
};

/*
 * km_split: shares of connections. The n-th takes place n * stride modulo total, so that any `total` of them
 * in a row are shared exactly, and the shares are mixed.
 */
struct kmesh_split_key {
	__u32 split_id;
};

struct kmesh_split {
	__u32 count;
	__u32 total; /* of all weights, not 0 */
	__u32 stride; /* has no factor in common with total */
	__u32 cursor; /* programs count here */
};

/* km_share: the parts of a split, from 0. */
struct kmesh_share_key {
	__u32 split_id;
	__u32 index;
};

struct kmesh_share {
	__u32 end; /* the places before this one, from the end of the part before */
	__u32 service_id; /* a service port; 0: there is none, and its share is refused */
};

/* km_limit: service ports whose connections are limited. */
struct kmesh_limit {
	__u32 max_connections;
	__u32 seal;
};

/*
 * km_cluster: what the service ports are that something of ours leads to, of which none need have frontends.
 * No program reads it: by it a daemon that starts knows which ids are whose.
 */
struct kmesh_cluster {
	__u32 digest[4]; /* a hash of name, port and address family */
	__u32 seal;
};

/* km_cursor: how far round robin has come in a service port. */
struct kmesh_cursor {
	__u32 next;
	__u32 pad;
};

/* km_active: sockets that are connected, or on their way, to an endpoint; 0: to any of the service port. */
struct kmesh_active {
	__u32 count;
	__u32 pad;
};

/* km_counted: socket storage: where the socket counts in km_active. */
struct kmesh_counted {
	__u32 service_id;
	__u32 endpoint_id;
};

/* Programs of the chain, in km_step4 and km_step6. */
enum kmesh_native_step {
	KMESH_STEP_ROUTE = 0, /* by the request */
	KMESH_STEP_MAX = 1,
};

enum kmesh_l7_fallback {
	KMESH_FALLBACK_REFUSE = 0,
	KMESH_FALLBACK_DEFAULT = 1, /* to the listener's own service port */
	KMESH_FALLBACK_WAYPOINT = 2, /* through the waypoint of what was dialed, else refused */
};

/* Constants of the kernel-native programs, beside kmesh_l4_settings. */
struct kmesh_native_settings {
	__u32 has_module; /* the kernel module is there, and can do what the programs ask for */
	__u32 l7_fallback; /* enum kmesh_l7_fallback: without it */
};

_Static_assert(sizeof(struct kmesh_listener) == 32, "layout");
_Static_assert(sizeof(struct kmesh_chain) == 28, "layout");
_Static_assert(sizeof(struct kmesh_probe) == 4, "layout");
_Static_assert(sizeof(struct kmesh_route_table) == 8 + 4 * KMESH_PROBES_MAX, "layout");
_Static_assert(sizeof(struct kmesh_virtual_host) == 8 + 4 * KMESH_PROBES_MAX, "layout");
_Static_assert(sizeof(struct kmesh_found_key) == 16, "layout");
_Static_assert(sizeof(struct kmesh_route) == 20 + 4 * KMESH_CONDITIONS, "layout");
_Static_assert(sizeof(struct kmesh_condition_key) == 12, "layout");
_Static_assert(sizeof(struct kmesh_split) == 16, "layout");

#endif
