/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tracepoints. */
/* clang-format off */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmesh

#if !defined(KMESH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KMESH_TRACE_H

#include <linux/tracepoint.h>

#include "kmesh.h"

/* A connection, the address that it has to do with, and what came of it: a negative error, or more. */
DECLARE_EVENT_CLASS(kmesh_connection,
	TP_PROTO(const struct sock *sk, const union kmesh_address *address, u8 size, int result),
	TP_ARGS(sk, address, size, result),
	TP_STRUCT__entry(
		__field(const void *, sk)
		__field(int, result)
		__array(u8, address, sizeof(struct sockaddr_in6))
	),
	TP_fast_assign(
		__entry->sk = sk;
		__entry->result = result;
		memset(__entry->address, 0, sizeof(__entry->address));
		memcpy(__entry->address, address, min_t(size_t, size, sizeof(__entry->address)));
	),
	TP_printk("sk=%p address=%pISpc result=%d", __entry->sk, __entry->address, __entry->result)
);

/* connect() was deferred. The address is the one that was dialed. */
DEFINE_EVENT(kmesh_connection, kmesh_defer,
	TP_PROTO(const struct sock *sk, const union kmesh_address *address, u8 size, int result),
	TP_ARGS(sk, address, size, result)
);

/* An endpoint was chosen: by a request (result 1), by default (0), or none (an error). */
DEFINE_EVENT(kmesh_connection, kmesh_resolve,
	TP_PROTO(const struct sock *sk, const union kmesh_address *address, u8 size, int result),
	TP_ARGS(sk, address, size, result)
);

/* The endpoint that was chosen before did not answer, with the error; another one may be chosen. */
DEFINE_EVENT(kmesh_connection, kmesh_retry,
	TP_PROTO(const struct sock *sk, const union kmesh_address *address, u8 size, int result),
	TP_ARGS(sk, address, size, result)
);

/* A timer ended the deferral of the dialed address, of which so many bytes were there. */
DEFINE_EVENT(kmesh_connection, kmesh_timer,
	TP_PROTO(const struct sock *sk, const union kmesh_address *address, u8 size, int result),
	TP_ARGS(sk, address, size, result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE kmesh_trace
#include <trace/define_trace.h>
