/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From an address that a client dials to the endpoint that it gets. Knows no hook, so that a test can run it.
 * Steering fails open: what cannot be decided for a fault of ours is let pass, and counted. What shall go
 * through a waypoint is refused then.
 */
#ifndef KMESH_L4_LOOKUP_H
#define KMESH_L4_LOOKUP_H

#include "count.h"
#include "l4_maps.h"
#include "sealed.h"

struct kmesh_request {
	struct kmesh_frontend_key frontend;
	struct kmesh_address client; /* the client workload's address */
	__u32 hash; /* what consistent hashing goes by; 0: the client's address */
	__u64 socket_cookie; /* of an unconnected UDP socket that wants to keep its endpoint; else 0 */
};

struct kmesh_choice {
	__u32 service_id;
	__u32 endpoint_id;
	struct kmesh_endpoint endpoint;
	__u16 is_redirected; /* the service is not what was dialed, but its waypoint */
	__u16 service_flags; /* enum kmesh_service_flags */
};

static __always_inline bool kmesh_same_address(const struct kmesh_address *left,
					       const struct kmesh_address *right)
{
	return left->words[0] == right->words[0] && left->words[1] == right->words[1] &&
	       left->words[2] == right->words[2] && left->words[3] == right->words[3];
}

/* A reason that is never a verdict: start again. */
enum { KMESH_AGAIN = KMESH_REASON_RETRIED };

static __always_inline enum kmesh_read kmesh_read_endpoint(struct kmesh_choice *choice)
{
	struct kmesh_endpoint_key key = {
		.service_id = choice->service_id,
		.endpoint_id = choice->endpoint_id,
	};

	return KMESH_READ(&km_endpoint, &key, &choice->endpoint);
}

/* The endpoint that this UDP socket already talks to. */
static __always_inline int kmesh_choose_by_session(const struct kmesh_request *request,
						   struct kmesh_choice *choice)
{
	struct kmesh_udp_session_key key = {
		.socket_cookie = request->socket_cookie,
		.service_id = choice->service_id,
	};
	struct kmesh_udp_session session;

	if (KMESH_READ(&km_udp_session, &key, &session) != KMESH_FOUND)
		return KMESH_AGAIN;
	choice->endpoint_id = session.endpoint_id;
	if (kmesh_read_endpoint(choice) == KMESH_FOUND)
		return KMESH_REASON_STEERED_SESSION;
	kmesh_count(KMESH_REASON_SESSION_ENDPOINT_GONE);
	return KMESH_AGAIN;
}

static __always_inline void kmesh_remember_session(const struct kmesh_request *request,
						   const struct kmesh_choice *choice)
{
	struct kmesh_udp_session_key key = {
		.socket_cookie = request->socket_cookie,
		.service_id = choice->service_id,
	};
	struct kmesh_udp_session session = { .endpoint_id = choice->endpoint_id };

	KMESH_SEAL(&key, &session);
	if (!bpf_map_update_elem(&km_udp_session, &key, &session, BPF_NOEXIST))
		kmesh_count(KMESH_REASON_SESSION_CREATED);
	else
		bpf_map_update_elem(&km_udp_session, &key, &session, BPF_ANY);
}

static __always_inline void kmesh_remember_client(const struct kmesh_affinity_key *key, __u32 endpoint_id,
						  __u32 now_s)
{
	struct kmesh_affinity affinity = { .endpoint_id = endpoint_id, .last_used_s = now_s };

	KMESH_SEAL(key, &affinity);
	if (!bpf_map_update_elem(&km_affinity, key, &affinity, BPF_NOEXIST))
		kmesh_count(KMESH_REASON_AFFINITY_CREATED);
	else
		bpf_map_update_elem(&km_affinity, key, &affinity, BPF_ANY);
}

/* The endpoint that this client used last, unless that is longer ago than the service's timeout. */
static __always_inline int kmesh_choose_by_client(const struct kmesh_affinity_key *key, __u32 timeout_s,
						  __u32 now_s, struct kmesh_choice *choice)
{
	struct kmesh_affinity affinity;

	if (KMESH_READ(&km_affinity, key, &affinity) != KMESH_FOUND)
		return KMESH_AGAIN;
	/* Not ahead of our clock: another CPU may have used it after this one read the time. */
	if (now_s > affinity.last_used_s && now_s - affinity.last_used_s > timeout_s) {
		kmesh_count(KMESH_REASON_AFFINITY_EXPIRED);
		return KMESH_AGAIN;
	}
	choice->endpoint_id = affinity.endpoint_id;
	if (kmesh_read_endpoint(choice) != KMESH_FOUND) {
		kmesh_count(KMESH_REASON_AFFINITY_ENDPOINT_GONE);
		return KMESH_AGAIN;
	}
	if (affinity.last_used_s != now_s)
		kmesh_remember_client(key, affinity.endpoint_id, now_s);
	return KMESH_REASON_STEERED_AFFINITY;
}

/* MurmurHash3's mixing of each word and its finalizer: spreads neighbouring addresses over the table. */
static __always_inline __u32 kmesh_hash_address(const struct kmesh_address *address)
{
	__u32 hash = 0;

	for (int i = 0; i < 4; i++) {
		__u32 word = address->words[i] * 0xcc9e2d51u;

		word = (word << 15) | (word >> 17);
		hash ^= word * 0x1b873593u;
		hash = ((hash << 13) | (hash >> 19)) * 5 + 0xe6546b64u;
	}
	hash ^= hash >> 16;
	hash *= 0x85ebca6bu;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35u;
	return hash ^ (hash >> 16);
}

/* `index` counts from 0 to the service's endpoint_count. */
static __always_inline bool kmesh_read_slot(const struct kmesh_service *service, __u32 index,
					    struct kmesh_choice *choice)
{
	struct kmesh_slot_key key = {
		.service_id = choice->service_id,
		.tier = service->tier,
		.index = index,
	};
	struct kmesh_slot slot;

	if (KMESH_READ(&km_slot, &key, &slot) != KMESH_FOUND)
		return false;
	choice->endpoint_id = slot.endpoint_id;
	return true;
}

static __always_inline bool kmesh_read_table(__u32 index, struct kmesh_choice *choice)
{
	struct kmesh_service_key key = { .service_id = choice->service_id };
	const struct kmesh_table *table = bpf_map_lookup_elem(&km_table, &key);

	index %= KMESH_TABLE_SLOTS;
	/* The verifier does not follow how the compiler divides: check the bound before its eyes. */
	asm volatile("" : "+r"(index));
	if (!table || index >= KMESH_TABLE_SLOTS)
		return false;
	choice->endpoint_id = table->endpoint_ids[index];
	return true;
}

/* An engine with more policies names a header that has kmesh_choose_otherwise(). */
#ifdef KMESH_MORE_POLICIES
#include KMESH_MORE_POLICIES
#else
static __always_inline bool kmesh_choose_otherwise(const struct kmesh_service *service,
						   struct kmesh_choice *choice)
{
	return false;
}
#endif

static __always_inline int kmesh_choose_by_policy(const struct kmesh_request *request,
						  const struct kmesh_service *service,
						  struct kmesh_choice *choice)
{
	bool is_chosen;

	switch (service->policy) {
	case KMESH_POLICY_RANDOM:
		is_chosen = kmesh_read_slot(service, bpf_get_prandom_u32() % service->endpoint_count, choice);
		break;
	case KMESH_POLICY_TABLE_RANDOM:
		is_chosen = kmesh_read_table(bpf_get_prandom_u32(), choice);
		break;
	case KMESH_POLICY_TABLE_HASH:
		is_chosen = kmesh_read_table(
			request->hash ? request->hash : kmesh_hash_address(&request->client), choice);
		break;
	default:
		is_chosen = kmesh_choose_otherwise(service, choice);
	}
	if (!is_chosen)
		return KMESH_AGAIN;
	return kmesh_read_endpoint(choice) == KMESH_FOUND ? (int)KMESH_REASON_STEERED : (int)KMESH_AGAIN;
}

static __always_inline enum kmesh_read kmesh_read_service(const struct kmesh_choice *choice,
							  struct kmesh_service *service)
{
	struct kmesh_service_key key = { .service_id = choice->service_id };

	return KMESH_READ(&km_service, &key, service);
}

/* Whether the client is a waypoint: what comes out of one never goes into one again. */
static __noinline int kmesh_is_waypoint(const struct kmesh_request *request)
{
	struct kmesh_waypoint waypoint;

	return request ? KMESH_READ(&km_waypoint, &request->client, &waypoint) : KMESH_TORN;
}

/*
 * Puts the waypoint in the place of what was dialed. Returns KMESH_REASON_REDIRECTED, or
 * KMESH_REASON_FROM_WAYPOINT when the connection goes on as if there were none.
 */
static __always_inline int kmesh_redirect(const struct kmesh_request *request, __u32 waypoint_id,
					  struct kmesh_choice *choice)
{
	switch (kmesh_is_waypoint(request)) {
	case KMESH_FOUND:
		return KMESH_REASON_FROM_WAYPOINT;
	case KMESH_ABSENT:
		break;
	default:
		choice->is_redirected = 1;
		return KMESH_AGAIN;
	}
	if (waypoint_id == KMESH_WAYPOINT_MISSING)
		return KMESH_REASON_NO_WAYPOINT;
	choice->service_id = waypoint_id;
	choice->is_redirected = 1;
	return KMESH_REASON_REDIRECTED;
}

static __always_inline int kmesh_choose_from(const struct kmesh_request *request,
					     const struct kmesh_service *service, struct kmesh_choice *choice)
{
	int reason;

	if (!service->endpoint_count) {
		if (choice->is_redirected)
			return KMESH_REASON_NO_WAYPOINT_ENDPOINT;
		return service->flags & KMESH_SERVICE_STRICT ? KMESH_REASON_NO_LOCAL_ENDPOINT :
							       KMESH_REASON_NO_ENDPOINT;
	}
	if (request->socket_cookie) {
		reason = kmesh_choose_by_session(request, choice);
		if (reason != KMESH_AGAIN)
			return reason;
	}
	if (service->flags & KMESH_SERVICE_AFFINITY) {
		struct kmesh_affinity_key client = { .client = request->client,
						     .service_id = choice->service_id };
		__u32 now_s = bpf_ktime_get_ns() / 1000000000;

		reason = kmesh_choose_by_client(&client, service->affinity_timeout_s, now_s, choice);
		if (reason == KMESH_AGAIN) {
			reason = kmesh_choose_by_policy(request, service, choice);
			if (reason == KMESH_REASON_STEERED)
				kmesh_remember_client(&client, choice->endpoint_id, now_s);
		}
	} else {
		reason = kmesh_choose_by_policy(request, service, choice);
	}
	if (reason != KMESH_AGAIN && request->socket_cookie)
		kmesh_remember_session(request, choice);
	return reason;
}

static __always_inline int kmesh_choose(const struct kmesh_request *request, struct kmesh_choice *choice)
{
	struct kmesh_service service;
	int reason;

	if (kmesh_read_service(choice, &service) != KMESH_FOUND)
		return KMESH_AGAIN;
	/* User space gives none to a service of UDP. A waypoint's own is not looked at. */
	if (service.waypoint_id && !choice->is_redirected) {
		reason = kmesh_redirect(request, service.waypoint_id, choice);
		if (reason == KMESH_REASON_FROM_WAYPOINT)
			kmesh_count(KMESH_REASON_FROM_WAYPOINT);
		else if (reason != KMESH_REASON_REDIRECTED)
			return reason;
		else if (kmesh_read_service(choice, &service) != KMESH_FOUND)
			return KMESH_AGAIN;
	}
	choice->service_flags = service.flags;
	reason = kmesh_choose_from(request, &service, choice);
	if (choice->is_redirected &&
	    (reason == KMESH_REASON_STEERED || reason == KMESH_REASON_STEERED_AFFINITY))
		return KMESH_REASON_REDIRECTED;
	return reason;
}

/*
 * The address is no service's port. A workload that has a waypoint is dialed through it, unless by itself.
 * Returns KMESH_REASON_REDIRECTED with the waypoint's service in the choice, or a verdict.
 */
static __always_inline int kmesh_find_marked(const struct kmesh_request *request, struct kmesh_choice *choice)
{
	struct kmesh_frontend_key key = { .address = request->frontend.address };
	struct kmesh_frontend marker;
	int reason;

	switch (KMESH_READ(&km_frontend, &key, &marker)) {
	case KMESH_FOUND:
		break;
	case KMESH_ABSENT:
		return KMESH_REASON_NOT_A_SERVICE;
	default:
		return KMESH_AGAIN;
	}
	/* The port is there before the mark: both may have come since the first look. */
	if (!marker.service_id)
		return bpf_map_lookup_elem(&km_frontend, &request->frontend) ?
			       (int)KMESH_AGAIN :
			       (int)KMESH_REASON_UNDECLARED_PORT;
	if (request->frontend.protocol != IPPROTO_TCP ||
	    kmesh_same_address(&request->client, &request->frontend.address))
		return KMESH_REASON_NOT_A_SERVICE;
	reason = kmesh_redirect(request, marker.service_id, choice);
	if (reason != KMESH_REASON_FROM_WAYPOINT)
		return reason;
	kmesh_count(KMESH_REASON_FROM_WAYPOINT);
	return KMESH_REASON_NOT_A_SERVICE;
}

/* One reading of the maps, which an update may cross. */
static __always_inline int kmesh_l4_attempt(const struct kmesh_request *request, struct kmesh_choice *choice)
{
	struct kmesh_frontend frontend;
	int reason;

	choice->is_redirected = 0;
	switch (KMESH_READ(&km_frontend, &request->frontend, &frontend)) {
	case KMESH_FOUND:
		choice->service_id = frontend.service_id;
		break;
	case KMESH_ABSENT:
		reason = kmesh_find_marked(request, choice);
		if (reason != KMESH_REASON_REDIRECTED)
			return reason;
		break;
	default:
		return KMESH_AGAIN;
	}
	return kmesh_choose(request, choice);
}

/*
 * The verdict on one connection or datagram. The caller counts it. Not static, so that the kernel verifies it
 * once for each program and not for each way that leads here: loading takes a quarter of the time.
 */
__noinline int kmesh_l4_lookup(const struct kmesh_request *request, struct kmesh_choice *choice)
{
	if (!request || !choice)
		return KMESH_REASON_INCOMPLETE;
	for (int attempt = 0; attempt < KMESH_ATTEMPTS_MAX; attempt++) {
		int reason = kmesh_l4_attempt(request, choice);

		if (reason != KMESH_AGAIN)
			return reason;
		kmesh_count(KMESH_REASON_RETRIED);
	}
	return choice->is_redirected ? KMESH_REASON_WAYPOINT_INCOMPLETE : KMESH_REASON_INCOMPLETE;
}

#endif
