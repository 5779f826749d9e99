/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The L4 maps. User space writes the first seven; capacities are of limits.h or of the daemon's flags. */
#ifndef KMESH_L4_MAPS_H
#define KMESH_L4_MAPS_H

#include "enrolled_map.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_FRONTENDS_MAX);
	__type(key, struct kmesh_frontend_key);
	__type(value, struct kmesh_frontend);
} km_frontend SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_SERVICES_MAX);
	__type(key, struct kmesh_service_key);
	__type(value, struct kmesh_service);
} km_service SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_ENDPOINTS_MAX);
	__type(key, struct kmesh_slot_key);
	__type(value, struct kmesh_slot);
} km_slot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_TABLES_MAX);
	__type(key, struct kmesh_service_key);
	__type(value, struct kmesh_table);
} km_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_ENDPOINTS_MAX);
	__type(key, struct kmesh_endpoint_key);
	__type(value, struct kmesh_endpoint);
} km_endpoint SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KMESH_WAYPOINTS_MAX);
	__type(key, struct kmesh_address);
	__type(value, struct kmesh_waypoint);
} km_waypoint SEC(".maps");

/* Evicts the least recently used: evictions are what was counted as created and is not there any more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMESH_AFFINITIES_MAX);
	__type(key, struct kmesh_affinity_key);
	__type(value, struct kmesh_affinity);
} km_affinity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMESH_UDP_FLOWS_MAX);
	__type(key, struct kmesh_udp_session_key);
	__type(value, struct kmesh_udp_session);
} km_udp_session SEC(".maps");

#endif
