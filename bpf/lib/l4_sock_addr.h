/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the socket address hooks of both families share. An IPv4 address is handled in its v4-mapped form. */
#ifndef KMESH_L4_SOCK_ADDR_H
#define KMESH_L4_SOCK_ADDR_H

#include "l4_lookup.h"
#include "l4_trace.h"
#include "peer.h"
#include "settled.h"

KMESH_LRU_HASH_MAP(km_udp_reply, KMESH_UDP_FLOWS_MAX, kmesh_udp_reply_key, kmesh_udp_reply);

enum { KMESH_ALLOW = 1, KMESH_REFUSE = 0 };

/* Keeps the compiler from merging accesses to the hook's struct: the verifier refuses a changed pointer. */
#define KMESH_ONCE(value) asm volatile("" : "+r"(value))

struct kmesh_sock_address {
	struct kmesh_address address;
	__u16 port;
};

static __always_inline struct kmesh_sock_address kmesh_load4(struct bpf_sock_addr *ctx)
{
	__u32 ip = ctx->user_ip4;
	__u32 port = ctx->user_port;

	KMESH_ONCE(ip);
	KMESH_ONCE(port);
	return (struct kmesh_sock_address){
		.address = { { 0, 0, bpf_htonl(0xffff), ip } },
		.port = bpf_ntohs((__u16)port),
	};
}

static __always_inline struct kmesh_sock_address kmesh_load6(struct bpf_sock_addr *ctx)
{
	struct kmesh_sock_address result;
	__u32 port;

	for (int i = 0; i < 4; i++) {
		__u32 word = ctx->user_ip6[i];

		KMESH_ONCE(word);
		result.address.words[i] = word;
	}
	port = ctx->user_port;
	KMESH_ONCE(port);
	result.port = bpf_ntohs((__u16)port);
	return result;
}

static __always_inline void kmesh_store(struct bpf_sock_addr *ctx, bool is_v4,
					const struct kmesh_address *address, __u16 port)
{
	if (is_v4) {
		ctx->user_ip4 = address->words[3];
	} else {
		ctx->user_ip6[0] = address->words[0];
		ctx->user_ip6[1] = address->words[1];
		ctx->user_ip6[2] = address->words[2];
		ctx->user_ip6[3] = address->words[3];
	}
	ctx->user_port = bpf_htons(port);
}

/* IPPROTO_TCP or IPPROTO_UDP, or 0 for what is not steered. Multipath TCP dials like TCP. */
static __always_inline __u8 kmesh_transport(struct bpf_sock_addr *ctx)
{
	__u32 protocol = ctx->protocol;

	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return IPPROTO_TCP;
	return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

/* Is the socket's network namespace enrolled? Sets the client's address, and how long it is traced. */
static __always_inline bool kmesh_is_enrolled(struct bpf_sock_addr *ctx, struct kmesh_verdict *verdict)
{
	struct kmesh_enrolled_key key = { .netns_cookie = bpf_get_netns_cookie(ctx) };
	struct kmesh_enrolled enrolled;

	if (KMESH_READ_SETTLED(&km_enrolled, &key, &enrolled) != KMESH_FOUND)
		return false;
	verdict->request.client = enrolled.address;
	verdict->trace_until_s = enrolled.trace_until_s;
	return true;
}

/* What a hook does with a verdict that leaves the destination as it is. */
static __always_inline int kmesh_conclude(struct kmesh_verdict *verdict, int reason)
{
	bool is_refused = false;

	switch (reason) {
	case KMESH_REASON_NO_ENDPOINT:
	case KMESH_REASON_NO_LOCAL_ENDPOINT:
		if (kmesh_settings.pass_without_endpoint)
			reason = KMESH_REASON_NO_ENDPOINT_PASSED;
		else
			is_refused = true;
		break;
	case KMESH_REASON_UNDECLARED_PORT:
	case KMESH_REASON_NO_WAYPOINT:
	case KMESH_REASON_NO_WAYPOINT_ENDPOINT:
	case KMESH_REASON_WAYPOINT_INCOMPLETE:
	case KMESH_REASON_NO_METADATA:
	case KMESH_REASON_NO_CHAIN ... KMESH_REASON_MAX_CONNECTIONS:
		is_refused = true;
		break;
	}
	verdict->reason = reason;
	kmesh_count(reason);
	if (!is_refused)
		return KMESH_ALLOW;
	bpf_set_retval(-ECONNREFUSED);
	return KMESH_REFUSE;
}

/* The verdict on what the hook's socket dials. */
static __always_inline int kmesh_decide(struct bpf_sock_addr *ctx, const struct kmesh_sock_address *dialed,
					__u64 socket_cookie, struct kmesh_verdict *verdict)
{
	struct kmesh_request *request = &verdict->request;

	request->frontend.address = dialed->address;
	request->frontend.port = dialed->port;
	request->socket_cookie = socket_cookie;
	if (!kmesh_is_enrolled(ctx, verdict))
		return KMESH_REASON_NOT_ENROLLED;
	request->frontend.protocol = kmesh_transport(ctx);
	if (!request->frontend.protocol)
		return KMESH_REASON_OTHER_PROTOCOL;
	return kmesh_l4_lookup(request, &verdict->choice);
}

/*
 * Resolvers connect a UDP socket to each address that they found, to learn whether and from where it can
 * be reached (RFC 6724): glibc at the port that is asked for, which may be 0, Go at 9, musl at 65535.
 * Refused, they would take all services for unreachable, and prefer an address family that the pod lacks.
 */
static __always_inline bool kmesh_is_resolver_probe(struct bpf_sock_addr *ctx,
						    const struct kmesh_sock_address *dialed)
{
	struct kmesh_frontend_key tcp = {
		.address = dialed->address,
		.port = dialed->port,
		.protocol = IPPROTO_TCP,
	};

	if (kmesh_transport(ctx) != IPPROTO_UDP)
		return false;
	return dialed->port == 0 || dialed->port == 9 || dialed->port == 65535 ||
	       bpf_map_lookup_elem(&km_frontend, &tcp);
}

/* Whether a waypoint can be told what the socket dials. Multipath TCP sends no messages by its subflows. */
static __always_inline bool kmesh_can_convey(struct bpf_sock *sk, const struct kmesh_peer *peer)
{
	return peer && (kmesh_settings.metadata & KMESH_METADATA_OPTION || !kmesh_mptcp(sk));
}

/* Does what was decided on a connection. */
static __always_inline int kmesh_steer_connection(struct bpf_sock_addr *ctx, bool is_v4, struct bpf_sock *sk,
						  const struct kmesh_sock_address *dialed,
						  struct kmesh_verdict *verdict, int reason)
{
	const struct kmesh_choice *choice = &verdict->choice;
	struct kmesh_peer *peer;

	if (!kmesh_is_steered(reason)) {
		/* A socket that is connected again must not show what it dialed before. */
		if (sk && reason != KMESH_REASON_NOT_ENROLLED)
			kmesh_forget_peer(sk);
		return kmesh_conclude(verdict, reason);
	}
	peer = sk ? kmesh_make_peer(sk) : 0;
	if (choice->is_redirected && (!sk || !kmesh_can_convey(sk, peer)))
		return kmesh_conclude(verdict, KMESH_REASON_NO_METADATA);
	if (peer) {
		peer->frontend_address = dialed->address;
		peer->frontend_port = dialed->port;
		peer->endpoint_address = choice->endpoint.address;
		peer->endpoint_port = choice->endpoint.port;
		peer->service_id = choice->service_id;
		peer->redirect = choice->is_redirected ? KMESH_REDIRECT_CONNECTING : KMESH_NOT_REDIRECTED;
	} else {
		kmesh_count(KMESH_REASON_NO_PEER_STORAGE);
	}
	kmesh_store(ctx, is_v4, &choice->endpoint.address, choice->endpoint.port);
	verdict->reason = reason;
	kmesh_count(reason);
	return KMESH_ALLOW;
}

static __always_inline int kmesh_connect(struct bpf_sock_addr *ctx, bool is_v4,
					 const struct kmesh_sock_address *dialed)
{
	struct kmesh_verdict verdict = {};
	int reason = kmesh_decide(ctx, dialed, 0, &verdict);
	int result;

	if (reason == KMESH_REASON_UNDECLARED_PORT && kmesh_is_resolver_probe(ctx, dialed))
		reason = KMESH_REASON_UNDECLARED_PORT_PASSED;
	result = kmesh_steer_connection(ctx, is_v4, ctx->sk, dialed, &verdict, reason);
	kmesh_trace(ctx, &verdict);
	return result;
}

/* Notes that datagrams of the chosen endpoint to this socket come from the address that it sent to. */
static __always_inline void kmesh_expect_reply(__u64 socket_cookie, const struct kmesh_sock_address *dialed,
					       const struct kmesh_choice *choice)
{
	struct kmesh_udp_reply_key key = {
		.socket_cookie = socket_cookie,
		.endpoint_address = choice->endpoint.address,
		.endpoint_port = choice->endpoint.port,
	};
	struct kmesh_udp_reply reply = { .frontend_address = dialed->address, .frontend_port = dialed->port };
	struct kmesh_udp_reply present;

	KMESH_SEAL(&key, &reply);
	if (KMESH_READ(&km_udp_reply, &key, &present) == KMESH_FOUND && present.seal == reply.seal)
		return;
	if (!bpf_map_update_elem(&km_udp_reply, &key, &reply, BPF_NOEXIST))
		kmesh_count(KMESH_REASON_UDP_REPLY_CREATED);
	else if (bpf_map_update_elem(&km_udp_reply, &key, &reply, BPF_ANY))
		kmesh_count(KMESH_REASON_NO_UDP_REPLY);
}

/* A socket that now sends to an endpoint's own address shall see replies from that address. */
static __always_inline void kmesh_expect_untranslated(__u64 socket_cookie,
						      const struct kmesh_sock_address *dialed)
{
	struct kmesh_udp_reply_key key = {
		.socket_cookie = socket_cookie,
		.endpoint_address = dialed->address,
		.endpoint_port = dialed->port,
	};
	struct kmesh_udp_reply reply = { .frontend_address = dialed->address, .frontend_port = dialed->port };

	/* Not deleted: what was created and is not there any more counts as evicted. */
	if (!bpf_map_lookup_elem(&km_udp_reply, &key))
		return;
	KMESH_SEAL(&key, &reply);
	if (bpf_map_update_elem(&km_udp_reply, &key, &reply, BPF_ANY))
		kmesh_count(KMESH_REASON_NO_UDP_REPLY);
}

static __always_inline int kmesh_steer_datagram(struct bpf_sock_addr *ctx, bool is_v4,
						const struct kmesh_sock_address *dialed,
						struct kmesh_verdict *verdict)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	int reason = kmesh_decide(ctx, dialed, cookie, verdict);
	const struct kmesh_choice *choice = &verdict->choice;

	if (!kmesh_is_steered(reason)) {
		if (reason == KMESH_REASON_NOT_A_SERVICE)
			kmesh_expect_untranslated(cookie, dialed);
		return kmesh_conclude(verdict, reason);
	}
	kmesh_expect_reply(cookie, dialed, choice);
	kmesh_store(ctx, is_v4, &choice->endpoint.address, choice->endpoint.port);
	verdict->reason = reason;
	kmesh_count(reason);
	return KMESH_ALLOW;
}

static __always_inline int kmesh_sendmsg(struct bpf_sock_addr *ctx, bool is_v4,
					 const struct kmesh_sock_address *dialed)
{
	struct kmesh_verdict verdict = {};
	int result = kmesh_steer_datagram(ctx, is_v4, dialed, &verdict);

	kmesh_trace(ctx, &verdict);
	return result;
}

/* Shows what was dialed where the kernel would show the endpoint; true when it did. */
static __always_inline bool kmesh_show_dialed(struct bpf_sock_addr *ctx, bool is_v4,
					      const struct kmesh_sock_address *actual)
{
	struct bpf_sock *sk = ctx->sk;
	struct kmesh_peer *peer = sk ? bpf_sk_storage_get(&km_peer, sk, 0, 0) : 0;

	if (!peer || peer->endpoint_port != actual->port ||
	    !kmesh_same_address(&peer->endpoint_address, &actual->address))
		return false;
	kmesh_store(ctx, is_v4, &peer->frontend_address, peer->frontend_port);
	kmesh_count(KMESH_REASON_PEER_TRANSLATED);
	return true;
}

static __always_inline int kmesh_recvmsg(struct bpf_sock_addr *ctx, bool is_v4,
					 const struct kmesh_sock_address *actual)
{
	struct kmesh_udp_reply_key key = {
		.socket_cookie = bpf_get_socket_cookie(ctx),
		.endpoint_address = actual->address,
		.endpoint_port = actual->port,
	};
	struct kmesh_udp_reply reply;
	struct bpf_sock *sk = ctx->sk;

	/* A connection that was dissolved runs no hook: what the socket dialed for it means nothing now. */
	if (sk && sk->state == BPF_TCP_ESTABLISHED && kmesh_show_dialed(ctx, is_v4, actual))
		return KMESH_ALLOW;
	switch (KMESH_READ_SETTLED(&km_udp_reply, &key, &reply)) {
	case KMESH_FOUND:
		kmesh_store(ctx, is_v4, &reply.frontend_address, reply.frontend_port);
		kmesh_count(KMESH_REASON_REPLY_TRANSLATED);
		break;
	case KMESH_ABSENT:
		break;
	case KMESH_TORN:
		kmesh_count(KMESH_REASON_INCOMPLETE);
	}
	return KMESH_ALLOW;
}

#endif
