/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Every bound that the data plane has, with its reason. */
#ifndef KMESH_ABI_LIMITS_H
#define KMESH_ABI_LIMITS_H

enum {
	/*
	 * Slots of a table for weighted choice and Maglev: a prime, more than 100 times the endpoints of most
	 * services, so that shares are exact to a percent. A service with more endpoints than slots is
	 * refused.
	 */
	KMESH_TABLE_SLOTS = 16381,

	/*
	 * Tiers of a service's endpoints: readiness and locality rank, best first; five scopes, ready and
	 * not.
	 */
	KMESH_TIERS_MAX = 12,

	/* How often a program starts again when an update crossed its reading, before it passes. */
	KMESH_ATTEMPTS_MAX = 8,

	/* Default capacities. Maps take memory as they fill; the daemon's --max-… flags change them. */
	KMESH_FRONTENDS_MAX = 262144,
	KMESH_SERVICES_MAX = 131072,
	KMESH_ENDPOINTS_MAX = 1048576,
	KMESH_TABLES_MAX = 8192,
	KMESH_ENROLLED_MAX = 4096,
	KMESH_WAYPOINTS_MAX = 16384,

	/* Connections to waypoints that have not said yet where they are going. */
	KMESH_METADATA_SOCKETS_MAX = 65536,

	/* These evict the least recently used entry when they are full. */
	KMESH_AFFINITIES_MAX = 65536,
	KMESH_UDP_FLOWS_MAX = 65536,

	/* Bytes of the ring of traced verdicts: more than 2,000 of them. */
	KMESH_TRACE_RING_BYTES = 262144,

	/*
	 * Words of 64 terms in a block of authorization: the policies of most workloads fit into one block,
	 * and its value stays well below a page.
	 */
	KMESH_AUTHZ_WORDS = 16,
	KMESH_AUTHZ_TERMS = 64 * KMESH_AUTHZ_WORDS,
	/* Blocks that protect one destination: 65,536 terms. A destination with more is refused. */
	KMESH_AUTHZ_VIEW_BLOCKS = 64,

	/* Default capacities of authorization, as above. */
	KMESH_AUTHZ_SOURCES_MAX = 1048576,
	KMESH_AUTHZ_DESTINATIONS_MAX = 32768,
	KMESH_AUTHZ_BLOCKS_MAX = 65536,
	KMESH_AUTHZ_BITS_MAX = 4194304,
	KMESH_AUTHZ_TERMS_MAX = 4194304,
	KMESH_AUTHZ_POLICIES_MAX = 131072,
	KMESH_AUTHZ_PROBES_MAX = 65536,
	/* Bytes of the ring of events, and events that one CPU writes in a second. */
	KMESH_AUTHZ_RING_BYTES = 262144,
	KMESH_AUTHZ_EVENTS = 100,

	/*
	 * Bytes of the ring of connection records: at 20,000 connections a second, with both ends on this
	 * node, those of half a second in which nobody reads.
	 */
	KMESH_RECORD_RING_BYTES = 4194304,

	/*
	 * How many lengths of suffixes and prefixes, of hosts in a route table and of paths in a virtual
	 * host, are told apart, exact ones included. One with more is refused.
	 */
	KMESH_PROBES_MAX = 62,
	/* Conditions of a route that are read at once. */
	KMESH_CONDITIONS = 8,
	/* Of a route in all. One with more is refused. */
	KMESH_CONDITIONS_MAX = 1024,
	/* Filter chains of a listener. One with more is refused. */
	KMESH_CHAINS_MAX = 4096,
	/* Parts of a split. One with more is refused. */
	KMESH_SHARES_MAX = 65536,
	/* Routes of a virtual host. One with more is refused. */
	KMESH_ROUTES_MAX = 1048576,

	/* Default capacities of the kernel-native engine, as above. */
	KMESH_LISTENERS_MAX = 65536,
	KMESH_LISTENER_CHAINS_MAX = 65536,
	KMESH_ROUTE_TABLES_MAX = 65536,
	KMESH_VIRTUAL_HOSTS_MAX = 65536,
	KMESH_FOUND_MAX = 262144,
	KMESH_ROUTE_ENTRIES_MAX = 131072,
	KMESH_CONDITION_BLOCKS_MAX = 32768,
	KMESH_TEXTS_MAX = 131072,
	KMESH_SPLITS_MAX = 65536,
	KMESH_SPLIT_SHARES_MAX = 131072,
	KMESH_LIMITS_MAX = 131072,
	/*
	 * These evict the least recently used entry when they are full: round robin then begins anew, and
	 * what was counted is forgotten.
	 */
	KMESH_CURSORS_MAX = 16384,
	KMESH_ACTIVE_MAX = 65536,
};

#endif
