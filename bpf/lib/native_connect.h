/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * connect() in the kernel-native engine. A connection whose listener routes by requests runs the hook twice:
 * at connect(), where it is deferred and gets its default, and when its first request is there, where the
 * route decides. The first part of that second run is the same program; a tail call leads to the other.
 */
#ifndef KMESH_NATIVE_CONNECT_H
#define KMESH_NATIVE_CONNECT_H

#include "l4_sock_addr.h"
#include "native_count.h"
#include "native_listener.h"
#include "native_route.h"

#define KMESH_STEPS                                    \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, KMESH_STEP_MAX);   \
		__uint(key_size, sizeof(__u32));       \
		__uint(value_size, sizeof(__u32));     \
	}

KMESH_STEPS km_step4 SEC(".maps");
KMESH_STEPS km_step6 SEC(".maps");

/* How often another endpoint is asked for before one that has refused is taken again. */
enum { KMESH_OTHERS_MAX = 4 };

/* The policy of a choice that may not count: it must not take a turn from one that does. */
static __always_inline __u32 kmesh_policy_without_turns(__u32 policy)
{
	switch (policy) {
	case KMESH_POLICY_ROUND_ROBIN:
		return KMESH_POLICY_RANDOM;
	case KMESH_POLICY_TABLE_ROUND_ROBIN:
		return KMESH_POLICY_TABLE_RANDOM;
	}
	return policy;
}

/*
 * Chooses an endpoint of a service port; its waypoint is not looked at. `is_default`: a request may choose
 * otherwise later. Returns a verdict.
 */
__noinline int kmesh_pick(const struct kmesh_request *request, struct kmesh_choice *choice, int is_default)
{
	struct kmesh_service service;
	int reason = KMESH_AGAIN;

	if (!request || !choice)
		return KMESH_REASON_INCOMPLETE;
	for (int attempt = 0; attempt < KMESH_ATTEMPTS_MAX; attempt++) {
		if (kmesh_read_service(choice, &service) == KMESH_FOUND) {
			choice->service_flags = service.flags;
			if (is_default)
				service.policy = kmesh_policy_without_turns(service.policy);
			reason = kmesh_choose_from(request, &service, choice);
		}
		if (reason != KMESH_AGAIN)
			return reason;
		kmesh_count(KMESH_REASON_RETRIED);
	}
	return KMESH_REASON_INCOMPLETE;
}

/* As kmesh_pick(), and `steered` when it found one. */
static __always_inline int kmesh_pick_for(struct kmesh_verdict *verdict, __u32 service_id, int steered)
{
	int reason;

	verdict->choice.service_id = service_id;
	reason = kmesh_pick(&verdict->request, &verdict->choice, steered == KMESH_REASON_DEFERRED);
	return kmesh_is_steered(reason) ? steered : reason;
}

/* What becomes of a connection that is routed by its request, when that cannot be read. */
static __always_inline int kmesh_fall_back(struct kmesh_verdict *verdict,
					   const struct kmesh_listener *listener)
{
	int reason;

	switch (kmesh_native_settings.l7_fallback) {
	case KMESH_FALLBACK_DEFAULT:
		if (!listener->service_id)
			break;
		return kmesh_pick_for(verdict, listener->service_id, KMESH_REASON_STEERED);
	case KMESH_FALLBACK_WAYPOINT:
		reason = kmesh_l4_lookup(&verdict->request, &verdict->choice);
		if (verdict->choice.is_redirected)
			return reason;
		break;
	}
	return KMESH_REASON_NO_HTTP;
}

/* Defers the connection, or leads it to the program that routes by its request. */
static __always_inline int kmesh_by_request(struct bpf_sock_addr *ctx, struct bpf_sock *sk,
					    struct kmesh_verdict *verdict,
					    const struct kmesh_listener *listener, void *steps)
{
	struct kmesh_choice *choice = &verdict->choice;
	struct kmesh_peer *peer;

	if (!kmesh_native_settings.has_module)
		return kmesh_fall_back(verdict, listener);
	if (bpf_kmesh_connect_phase(ctx) >= KMESH_PHASE_REQUEST) {
		peer = sk ? kmesh_make_peer(sk) : 0;
		if (!peer)
			return KMESH_REASON_NO_PEER_STORAGE;
		peer->table_id = listener->target;
		bpf_tail_call(ctx, steps, KMESH_STEP_ROUTE);
		return KMESH_REASON_MISSED_STEP;
	}
	/* Before the destination is rewritten: the module notes what was dialed. */
	if (bpf_kmesh_connect_defer(ctx, listener->read_ms, listener->idle_ms)) {
		kmesh_count(KMESH_REASON_NOT_DEFERRED);
		return kmesh_fall_back(verdict, listener);
	}
	/* Without an endpoint, what is no HTTP goes to what was dialed. */
	if (!listener->service_id ||
	    kmesh_pick_for(verdict, listener->service_id, KMESH_REASON_DEFERRED) != KMESH_REASON_DEFERRED) {
		choice->endpoint.address = verdict->request.frontend.address;
		choice->endpoint.port = verdict->request.frontend.port;
		choice->service_flags = 0;
	}
	return KMESH_REASON_DEFERRED;
}

/* Returns a verdict on a connection that the listener takes. */
static __always_inline int kmesh_by_listener(struct bpf_sock_addr *ctx, struct bpf_sock *sk,
					     struct kmesh_verdict *verdict, struct kmesh_listener *listener,
					     void *steps)
{
	int service_id;

	if (!listener->action) {
		int reason = kmesh_find_chain(&verdict->request, listener);

		if (reason)
			return reason;
	}
	switch (listener->action) {
	case KMESH_ACTION_ROUTE:
		return kmesh_by_request(ctx, sk, verdict, listener, steps);
	case KMESH_ACTION_SERVICE:
		return kmesh_pick_for(verdict, listener->target, KMESH_REASON_STEERED);
	case KMESH_ACTION_SPLIT:
		service_id = kmesh_take_share(listener->target);
		if (service_id < 0)
			return KMESH_REASON_NO_ROUTING_ENTRY;
		if (!service_id)
			return KMESH_REASON_NO_BACKEND;
		return kmesh_pick_for(verdict, service_id, KMESH_REASON_SPLIT);
	case KMESH_ACTION_REFUSE:
		return listener->target;
	}
	return KMESH_REASON_NO_ROUTING_ENTRY;
}

static __always_inline int kmesh_native_decide(struct bpf_sock_addr *ctx, struct bpf_sock *sk,
					       const struct kmesh_sock_address *dialed,
					       struct kmesh_verdict *verdict, void *steps)
{
	struct kmesh_request *request = &verdict->request;
	struct kmesh_listener listener;
	int reason;

	request->frontend.address = dialed->address;
	request->frontend.port = dialed->port;
	if (!kmesh_is_enrolled(ctx, verdict))
		return KMESH_REASON_NOT_ENROLLED;
	request->frontend.protocol = kmesh_transport(ctx);
	if (!request->frontend.protocol)
		return KMESH_REASON_OTHER_PROTOCOL;
	if (request->frontend.protocol == IPPROTO_TCP && kmesh_read_listener(&request->frontend, &listener))
		return kmesh_by_listener(ctx, sk, verdict, &listener, steps);
	reason = kmesh_l4_lookup(request, &verdict->choice);
	if (reason == KMESH_REASON_NOT_A_SERVICE && request->frontend.protocol == IPPROTO_TCP &&
	    kmesh_read_wildcard_listener(&request->frontend, &listener))
		return kmesh_by_listener(ctx, sk, verdict, &listener, steps);
	if (reason == KMESH_REASON_UNDECLARED_PORT && kmesh_is_resolver_probe(ctx, dialed))
		return KMESH_REASON_UNDECLARED_PORT_PASSED;
	return reason;
}

/* Counts the connection where it goes, and does what was decided on it. */
static __always_inline int kmesh_native_steer(struct bpf_sock_addr *ctx, bool is_v4, struct bpf_sock *sk,
					      const struct kmesh_sock_address *dialed,
					      struct kmesh_verdict *verdict, int reason)
{
	int result;

	if (reason != KMESH_REASON_NOT_ENROLLED && sk) {
		bool is_steered = kmesh_is_steered(reason);

		/* A default is no choice, so it is not refused. */
		if (!kmesh_admit(sk, is_steered ? &verdict->choice : 0, reason != KMESH_REASON_DEFERRED))
			reason = KMESH_REASON_MAX_CONNECTIONS;
	}
	result = kmesh_steer_connection(ctx, is_v4, sk, dialed, verdict, reason);
	kmesh_trace(ctx, verdict);
	return result;
}

static __always_inline int kmesh_native_connect(struct bpf_sock_addr *ctx, bool is_v4,
						const struct kmesh_sock_address *dialed, void *steps)
{
	struct kmesh_verdict verdict = {};
	struct bpf_sock *sk = ctx->sk;
	int reason = kmesh_native_decide(ctx, sk, dialed, &verdict, steps);

	/* A second run: the default that was chosen in the first goes on, and is counted already. */
	if (reason == KMESH_REASON_MISSED_STEP || reason == KMESH_REASON_NO_PEER_STORAGE)
		return kmesh_conclude(&verdict, reason);
	return kmesh_native_steer(ctx, is_v4, sk, dialed, &verdict, reason);
}

/* Chooses where the request of the route goes. Returns a verdict. */
static __always_inline int kmesh_follow(struct bpf_sock_addr *ctx, const struct kmesh_route *route,
					const struct kmesh_peer *peer, struct kmesh_verdict *verdict)
{
	bool is_retry = bpf_kmesh_connect_phase(ctx) == KMESH_PHASE_RETRY;
	int service_id = route->target, reason;

	if (route->action == KMESH_ACTION_REFUSE)
		return route->target;
	if (is_retry) {
		/* Another endpoint of the same service port: the split has had its turn. */
		service_id = peer->service_id;
		kmesh_count(KMESH_REASON_ENDPOINT_REFUSED);
	} else if (route->action == KMESH_ACTION_SPLIT) {
		service_id = kmesh_take_share(route->target);
	}
	if (service_id < 0)
		return KMESH_REASON_NO_ROUTING_ENTRY;
	if (!service_id)
		return KMESH_REASON_NO_BACKEND;
	if (route->retries && !is_retry)
		bpf_kmesh_connect_retries(ctx, route->retries);
	/* The default, or who has refused, is no load: it must not count while others are compared. */
	if (ctx->sk)
		kmesh_admit(ctx->sk, 0, false);
	if (route->hash_text)
		verdict->request.hash = kmesh_hash_of(ctx, route->hash_text);
	for (int i = 0; i < KMESH_OTHERS_MAX; i++) {
		const struct kmesh_endpoint *endpoint = &verdict->choice.endpoint;

		reason = kmesh_pick_for(verdict, service_id, KMESH_REASON_ROUTED);
		if (!is_retry || reason != KMESH_REASON_ROUTED || endpoint->port != peer->endpoint_port ||
		    !kmesh_same_address(&endpoint->address, &peer->endpoint_address))
			break;
		/* A hash would lead to the same endpoint again. */
		verdict->request.hash = bpf_get_prandom_u32() | 1;
	}
	return reason;
}

static __always_inline int kmesh_native_route(struct bpf_sock_addr *ctx, bool is_v4,
					      const struct kmesh_sock_address *dialed)
{
	struct bpf_sock *sk = ctx->sk;
	struct kmesh_peer *peer = sk ? kmesh_find_peer(sk, kmesh_mptcp(sk)) : 0;
	struct kmesh_verdict verdict = {};
	struct kmesh_route_key key = {};
	const struct kmesh_route *route;
	int found, reason;

	verdict.request.frontend.address = dialed->address;
	verdict.request.frontend.port = dialed->port;
	verdict.request.frontend.protocol = IPPROTO_TCP;
	kmesh_is_enrolled(ctx, &verdict);
	found = peer ? kmesh_find_host(ctx, peer->table_id) : -1;
	reason = found ? KMESH_REASON_NO_ROUTING_ENTRY : KMESH_REASON_NO_HOST;
	if (found > 0) {
		key.host_id = found;
		found = kmesh_find_route(ctx, key.host_id);
		if (found > 0) {
			key.number = found;
			route = bpf_map_lookup_elem(&km_route, &key);
			if (route && peer)
				reason = kmesh_follow(ctx, route, peer, &verdict);
		} else if (!found) {
			reason = KMESH_REASON_NO_ROUTE;
		}
	}
	/* The default that was chosen at first, and is counted already. */
	if (reason == KMESH_REASON_NO_ROUTING_ENTRY)
		return kmesh_conclude(&verdict, reason);
	return kmesh_native_steer(ctx, is_v4, sk, dialed, &verdict, reason);
}

#endif
