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

	/* Our own fault: let pass, and somebody should look. */
	KMESH_REASON_INCOMPLETE = 24,
	KMESH_REASON_NO_PEER_STORAGE = 25,
	KMESH_REASON_NO_UDP_REPLY = 26,

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

	KMESH_REASON_MAX = 48,
};

#endif
