/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What programs note and report of the TCP connections of enrolled workloads. */
#ifndef KMESH_ABI_TELEMETRY_H
#define KMESH_ABI_TELEMETRY_H

/* As KMESH_LAYOUT_VERSION, for the maps of telemetry. */
enum { KMESH_TELEMETRY_LAYOUT_VERSION = 1 };

enum kmesh_direction {
	KMESH_INBOUND = 1,
	KMESH_OUTBOUND = 2,
};

enum kmesh_connection_flags {
	KMESH_CONNECTION_ESTABLISHED = 1, /* the handshake was completed */
	KMESH_CONNECTION_REPORTED = 2, /* a report was made before */
};

/* km_connection: socket storage, as long as the connection lives. */
struct kmesh_connection {
	__u64 opened_ns; /* monotonic: when it was established, or before that, when it was dialed */
	/* What reports have told; each tells what came since. */
	__u64 reported_sent;
	__u64 reported_received;
	__u64 reported_retransmissions;
	__u64 reported_lost;
	struct kmesh_address dialed_address; /* all 0: nothing was translated */
	__u16 dialed_port;
	__u8 direction; /* enum kmesh_direction */
	__u8 pad;
	__u32 flags; /* enum kmesh_connection_flags */
};

/* km_record: a connection as it is at `reported_ns`: closed, or still going on. */
struct kmesh_connection_record {
	__u64 netns_cookie;
	__u64 opened_ns;
	__u64 reported_ns;
	/* Bytes of payload since the beginning, and since the report before. */
	__u64 sent;
	__u64 received;
	__u64 new_sent;
	__u64 new_received;
	struct kmesh_address local_address;
	struct kmesh_address remote_address;
	struct kmesh_address dialed_address;
	__u16 local_port;
	__u16 remote_port;
	__u16 dialed_port;
	__u8 direction;
	__u8 state; /* the TCP state; that before the end for a connection that is closed */
	/* Segments. */
	__u32 retransmissions;
	__u32 lost;
	__u32 new_retransmissions;
	__u32 new_lost;
	__u32 srtt_us;
	__u32 min_rtt_us;
	__u32 error; /* the socket's errno: why it could not be established, or was cut off */
	__u32 flags; /* enum kmesh_connection_flags, and those below */
};

enum kmesh_record_flags {
	KMESH_RECORD_CLOSED = 16,
};

_Static_assert(sizeof(struct kmesh_connection) == 64, "layout");
_Static_assert(sizeof(struct kmesh_connection_record) == 144, "layout");

#endif
