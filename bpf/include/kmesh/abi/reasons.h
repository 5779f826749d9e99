/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Why a program decided as it did: one counter for each in km_reason. Numbers are never reused. */
#ifndef KMESH_ABI_REASONS_H
#define KMESH_ABI_REASONS_H

enum kmesh_reason {
	/* The destination was rewritten to an endpoint. */
	KMESH_REASON_STEERED = 0,
	/* The same, to the endpoint that ClientIP affinity or the UDP session remembered. */
	KMESH_REASON_STEERED_AFFINITY = 1,
	KMESH_REASON_STEERED_SESSION = 2,
	/* The destination was rewritten to an instance of its waypoint. */
	KMESH_REASON_REDIRECTED = 3,

	/* Untouched: not ours to decide. */
	KMESH_REASON_NOT_ENROLLED = 8,
	KMESH_REASON_NOT_A_SERVICE = 9,
	KMESH_REASON_OTHER_PROTOCOL = 10,
	KMESH_REASON_NO_ENDPOINT_PASSED = 11,
	KMESH_REASON_UNDECLARED_PORT_PASSED = 12,

	/* Refused with ECONNREFUSED. */
	KMESH_REASON_NO_ENDPOINT = 16,
	KMESH_REASON_NO_LOCAL_ENDPOINT = 17,
	KMESH_REASON_UNDECLARED_PORT = 18,
	/* Never let pass: a waypoint's rules must not be gone around. */
	KMESH_REASON_NO_WAYPOINT = 19,
	KMESH_REASON_NO_WAYPOINT_ENDPOINT = 20,
	KMESH_REASON_WAYPOINT_INCOMPLETE = 21,
	KMESH_REASON_NO_METADATA = 22,

	/* Our own fault: let pass, and somebody should look. */
	KMESH_REASON_INCOMPLETE = 24,
	KMESH_REASON_NO_PEER_STORAGE = 25,
	KMESH_REASON_NO_UDP_REPLY = 26,
	KMESH_REASON_OPTION_NOT_SENT = 27,
	KMESH_REASON_TLV_NOT_SENT = 28,
	KMESH_REASON_MESSAGE_DROPPED = 29,

	/* Not verdicts: what happened on the way. */
	KMESH_REASON_RETRIED = 32,
	KMESH_REASON_AFFINITY_CREATED = 33,
	KMESH_REASON_AFFINITY_EXPIRED = 34,
	KMESH_REASON_AFFINITY_ENDPOINT_GONE = 35,
	KMESH_REASON_SESSION_CREATED = 36,
	KMESH_REASON_SESSION_ENDPOINT_GONE = 37,
	KMESH_REASON_REPLY_TRANSLATED = 38,
	KMESH_REASON_PEER_TRANSLATED = 39,
	KMESH_REASON_UDP_REPLY_CREATED = 40,
	KMESH_REASON_FROM_WAYPOINT = 41,
	KMESH_REASON_OPTION_SENT = 42,
	KMESH_REASON_TLV_SENT = 43,

	/* Authorization: let in. */
	/* No policy protects the destination, or only such that deny others. */
	KMESH_REASON_NOT_RESTRICTED = 48,
	KMESH_REASON_ALLOWED = 49, /* by a policy that allows */
	KMESH_REASON_PROBE_PASSED = 50, /* kubelet's probe */
	KMESH_REASON_LOOPBACK_PASSED = 51, /* within the pod */
	KMESH_REASON_SWITCHED_OFF = 52, /* authorization is switched off */
	KMESH_REASON_UDP_PASSED = 53, /* policies are about TCP; counted for each packet */
	KMESH_REASON_FRAGMENT_PASSED = 54, /* a later fragment: its first one was decided on */

	/* Authorization: kept out. */
	KMESH_REASON_DENIED = 56, /* by a policy that denies */
	KMESH_REASON_NOT_ALLOWED = 57, /* policies allow others */
	KMESH_REASON_MALFORMED = 58, /* no host would accept it, or it hides what it is */

	/* Authorization: our own fault. Decided by the default, and somebody should look. */
	KMESH_REASON_NO_DESTINATION = 60, /* the address is not one that we know the workload by */
	KMESH_REASON_NO_VIEW = 61,
	KMESH_REASON_NO_BLOCK = 62,
	KMESH_REASON_MISSED_TAIL_CALL = 63,
	KMESH_REASON_NO_FLOW = 64,
	KMESH_REASON_TORN = 65, /* updates crossed every reading of an address */

	/* Not verdicts. */
	KMESH_REASON_TRIAL_DENIED = 66, /* a policy on trial would have kept it out */
	KMESH_REASON_RESET_SENT = 67, /* the denial was answered */
	KMESH_REASON_RESET_NOT_SENT = 68, /* the packet has a form that the program does not answer */
	KMESH_REASON_EVENT_LOST = 69, /* the ring of events was full */
	KMESH_REASON_EVENT_SUPPRESSED = 70, /* more in a second than are written */

	/* Steering again, not a verdict: a traced verdict was not written, the ring was full. */
	KMESH_REASON_TRACE_LOST = 71,

	/* Telemetry. */
	KMESH_REASON_RECORD_LOST = 72, /* the ring of connection records was full */
	KMESH_REASON_CONNECTION_UNSEEN = 73, /* no memory for what is noted of a connection */

	/* Kernel-native steering: an endpoint was chosen. */
	KMESH_REASON_ROUTED = 74, /* by an HTTP request */
	KMESH_REASON_SPLIT = 75, /* by a listener's weights */
	KMESH_REASON_DEFERRED = 76, /* where the connection goes unless its first request says otherwise */

	/* Kernel-native steering: refused. */
	KMESH_REASON_NO_CHAIN = 77, /* no filter chain of the listener fits */
	KMESH_REASON_NO_HOST = 78, /* no virtual host has the request's host */
	KMESH_REASON_NO_ROUTE = 79, /* no route of the virtual host fits to the request */
	KMESH_REASON_NO_BACKEND = 80, /* the route leads to nothing that exists */
	KMESH_REASON_NO_HTTP = 81, /* routes by requests, which cannot be read without the kernel module */
	KMESH_REASON_MAX_CONNECTIONS = 82, /* as many connections as the service port allows */

	/* Kernel-native steering: our own fault. The connection goes to the listener's default. */
	KMESH_REASON_MISSED_STEP = 83, /* a tail call */
	KMESH_REASON_NO_ROUTING_ENTRY = 84, /* something that a listener leads to is not there */
	KMESH_REASON_NOT_DEFERRED = 85, /* the kernel module would not: KMESH_FALLBACK says what comes then */
	KMESH_REASON_NOT_COUNTED = 86, /* no memory to count a connection */

	/* Not verdicts. */
	KMESH_REASON_ENDPOINT_REFUSED = 87, /* another endpoint was chosen, for one has refused */

	KMESH_REASON_MAX = 96,
};

#endif
