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
};

#endif
