/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Names of maps and pins: at most 15 characters, the kernel's limit. */
#ifndef KMESH_ABI_NAMES_H
#define KMESH_ABI_NAMES_H

#define KMESH_MAP_FRONTEND "km_frontend"
#define KMESH_MAP_SERVICE "km_service"
#define KMESH_MAP_SLOT "km_slot"
#define KMESH_MAP_TABLE "km_table"
#define KMESH_MAP_ENDPOINT "km_endpoint"
#define KMESH_MAP_ENROLLED "km_enrolled"
#define KMESH_MAP_AFFINITY "km_affinity"
#define KMESH_MAP_UDP_SESSION "km_udp_session"
#define KMESH_MAP_UDP_REPLY "km_udp_reply"
#define KMESH_MAP_PEER "km_peer"
#define KMESH_MAP_REASON "km_reason"
#define KMESH_MAP_WAYPOINT "km_waypoint"
#define KMESH_MAP_METADATA "km_metadata"

#endif
