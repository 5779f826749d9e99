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
#define KMESH_MAP_TRACE "km_trace"
#define KMESH_MAP_AUTHZ_SOURCE "km_authz_source"
#define KMESH_MAP_AUTHZ_DESTINATION "km_authz_dest"
#define KMESH_MAP_AUTHZ_VIEW "km_authz_view"
#define KMESH_MAP_AUTHZ_BLOCK "km_authz_block"
#define KMESH_MAP_AUTHZ_BITS "km_authz_bits"
#define KMESH_MAP_AUTHZ_PREFIX "km_authz_prefix"
#define KMESH_MAP_AUTHZ_TERM "km_authz_term"
#define KMESH_MAP_AUTHZ_POLICY "km_authz_policy"
#define KMESH_MAP_AUTHZ_PROBE "km_authz_probe"
#define KMESH_MAP_AUTHZ_SWITCH "km_authz_switch"
#define KMESH_MAP_AUTHZ_EVENT "km_authz_event"
#define KMESH_MAP_AUTHZ_FLOW "km_authz_flow"
#define KMESH_MAP_AUTHZ_PACE "km_authz_pace"
#define KMESH_MAP_AUTHZ_CHAIN "km_authz_chain"
#define KMESH_MAP_CONNECTION "km_connection"
#define KMESH_MAP_RECORD "km_record"

#endif
