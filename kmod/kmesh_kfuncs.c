// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What connect programs call. They run with the socket's lock held, so nothing changes under them. A buffer
 * with its size must be writable for the verifier even where it is only read; constants have variants.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>

#include "kmesh.h"

/* Programs have the type of the interface; the kernel passes its own. */
static struct sock *kmesh_sock(struct bpf_sock_addr *ctx)
{
	return ((struct bpf_sock_addr_kern *)ctx)->sk;
}

static bool kmesh_is_tcp(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP;
}

/* The connection whose request the program may ask for. */
static const struct kmesh_defer *kmesh_request(struct bpf_sock_addr *ctx)
{
	const struct sock *sk = kmesh_sock(ctx);
	const struct kmesh_defer *defer = kmesh_is_tcp(sk) ? kmesh_get(sk) : NULL;

	return defer && defer->state == KMESH_RESOLVING ? defer : NULL;
}

static int kmesh_http_get(struct bpf_sock_addr *ctx, const void *key, u32 key_size, void *value,
			  u32 value_size)
{
	const struct kmesh_defer *defer = kmesh_request(ctx);
	struct kmesh_http_value part = {};
	u32 copied;

	memset(value, 0, value_size);
	if (!defer)
		return -EINVAL;
	if (!kmesh_http_find(defer->http, defer->text, key, key_size, &part))
		return -ENOENT;
	copied = min(part.size, value_size);
	memcpy(value, part.text, copied);
	return part.size;
}

static u64 kmesh_http_hash(struct bpf_sock_addr *ctx, const void *key, u32 key_size, s32 length, u32 flags)
{
	const struct kmesh_defer *defer = kmesh_request(ctx);

	return defer ? kmesh_http_part_hash(defer->http, defer->text, key, key_size, length, flags) : 0;
}

__bpf_kfunc_start_defs();

/*
 * Defers the connection until its first request is known; call it before the address is changed. The program
 * then goes on to the endpoint by default. `read_ms`: so long somebody may want to read before anything is
 * written; `idle_ms`: so long nothing may be written at all; then the default is connected to. 0: for ever.
 *
 * Returns 0, or an error, after which the connection is an ordinary one: -EOPNOTSUPP for a socket that cannot
 * be deferred, -EBUSY for one that is already or has other plans, -EUSERS above the limit, -ENOMEM.
 */
__bpf_kfunc int bpf_kmesh_connect_defer(struct bpf_sock_addr *ctx, u32 read_ms, u32 idle_ms)
{
	const struct bpf_sock_addr_kern *own = (struct bpf_sock_addr_kern *)ctx;

	return kmesh_arm(own->sk, own->uaddr, own->uaddrlen, read_ms, idle_ms);
}

/* enum kmesh_connect_phase */
__bpf_kfunc int bpf_kmesh_connect_phase(struct bpf_sock_addr *ctx)
{
	const struct kmesh_defer *defer = kmesh_request(ctx);

	if (defer)
		return defer->phase;
	return kmesh_is_tcp(kmesh_sock(ctx)) ? KMESH_PHASE_CONNECT : KMESH_PHASE_OTHER;
}

/*
 * In phase REQUEST: as many further endpoints may be tried when one does not answer; 5 at most. Returns how
 * many will be, or -EINVAL. Callers that do not wait are told of the first error all the same.
 */
__bpf_kfunc int bpf_kmesh_connect_retries(struct bpf_sock_addr *ctx, u32 count)
{
	struct kmesh_defer *defer = (struct kmesh_defer *)kmesh_request(ctx);

	if (!defer || defer->phase != KMESH_PHASE_REQUEST)
		return -EINVAL;
	defer->retries = min_t(u32, count, KMESH_RETRIES_MAX);
	return defer->retries;
}

/*
 * Copies a part of the request; what is left of `value` becomes zero. The key ends before a zero, or where
 * its buffer does. Returns the length of the whole part, -ENOENT, or -EINVAL when there is no request.
 */
__bpf_kfunc int bpf_kmesh_http_get(struct bpf_sock_addr *ctx, const void *key, u32 key__sz, void *value,
				   u32 value__sz)
{
	return kmesh_http_get(ctx, key, strnlen(key, key__sz), value, value__sz);
}

__bpf_kfunc int bpf_kmesh_http_get_constant(struct bpf_sock_addr *ctx, const char *key__str, void *value,
					    u32 value__sz)
{
	return kmesh_http_get(ctx, key__str, strlen(key__str), value, value__sz);
}

/* struct kmesh_http_matcher: 1, 0; -EINVAL when it is none, or there is no request. */
__bpf_kfunc int bpf_kmesh_http_match(struct bpf_sock_addr *ctx, const void *matcher, u32 matcher__sz)
{
	const struct kmesh_defer *defer = kmesh_request(ctx);

	return defer ? kmesh_http_match(defer->http, defer->text, matcher, matcher__sz) : -EINVAL;
}

/*
 * Of a part (length 0), of its first `length` bytes, or of its last -length ones; 0 when it is not there or
 * is shorter. `flags`: KMESH_MATCH_IGNORE_CASE, or none.
 */
__bpf_kfunc u64 bpf_kmesh_http_hash(struct bpf_sock_addr *ctx, const void *key, u32 key__sz, s32 length,
				    u32 flags)
{
	return kmesh_http_hash(ctx, key, strnlen(key, key__sz), length, flags);
}

__bpf_kfunc u64 bpf_kmesh_http_hash_constant(struct bpf_sock_addr *ctx, const char *key__str, s32 length,
					     u32 flags)
{
	return kmesh_http_hash(ctx, key__str, strlen(key__str), length, flags);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(kmesh_kfunc_ids)
BTF_ID_FLAGS(func, bpf_kmesh_connect_defer)
BTF_ID_FLAGS(func, bpf_kmesh_connect_phase)
BTF_ID_FLAGS(func, bpf_kmesh_connect_retries)
BTF_ID_FLAGS(func, bpf_kmesh_http_get)
BTF_ID_FLAGS(func, bpf_kmesh_http_get_constant)
BTF_ID_FLAGS(func, bpf_kmesh_http_match)
BTF_ID_FLAGS(func, bpf_kmesh_http_hash)
BTF_ID_FLAGS(func, bpf_kmesh_http_hash_constant)
BTF_KFUNCS_END(kmesh_kfunc_ids)

/*
 * The kernel keeps filters by the module that the function is in, so this one is asked for ours only. The
 * numbers in our set are of no use here: they may be relocated when the module is loaded, in a copy.
 */
static int kmesh_kfunc_filter(const struct bpf_prog *prog, u32 id)
{
	if (prog->type != BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
		return -EACCES;
	if (prog->expected_attach_type != BPF_CGROUP_INET4_CONNECT &&
	    prog->expected_attach_type != BPF_CGROUP_INET6_CONNECT)
		return -EACCES;
	return 0;
}

static const struct btf_kfunc_id_set kmesh_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &kmesh_kfunc_ids,
	.filter = kmesh_kfunc_filter,
};

int kmesh_register_kfuncs(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, &kmesh_kfunc_set);
}
