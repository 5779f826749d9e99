/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The L4 maps. User space writes the first seven; capacities are of limits.h or of the daemon's flags. */
#ifndef KMESH_L4_MAPS_H
#define KMESH_L4_MAPS_H

#include "enrolled_map.h"
#include "hash_map.h"

KMESH_HASH_MAP(km_frontend, KMESH_FRONTENDS_MAX, kmesh_frontend_key, kmesh_frontend);
KMESH_HASH_MAP(km_service, KMESH_SERVICES_MAX, kmesh_service_key, kmesh_service);
KMESH_HASH_MAP(km_slot, KMESH_ENDPOINTS_MAX, kmesh_slot_key, kmesh_slot);
KMESH_HASH_MAP(km_table, KMESH_TABLES_MAX, kmesh_service_key, kmesh_table);
KMESH_HASH_MAP(km_endpoint, KMESH_ENDPOINTS_MAX, kmesh_endpoint_key, kmesh_endpoint);
KMESH_HASH_MAP(km_waypoint, KMESH_WAYPOINTS_MAX, kmesh_address, kmesh_waypoint);

/* What was counted as created and is not there any more was evicted. */
KMESH_LRU_HASH_MAP(km_affinity, KMESH_AFFINITIES_MAX, kmesh_affinity_key, kmesh_affinity);
KMESH_LRU_HASH_MAP(km_udp_session, KMESH_UDP_FLOWS_MAX, kmesh_udp_session_key, kmesh_udp_session);

#endif
