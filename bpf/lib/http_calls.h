/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Functions of the kernel module: see <kmesh/abi/http.h>. Weak, for programs must load without it too; what
 * is behind has_module is never run then.
 */
#ifndef KMESH_HTTP_CALLS_H
#define KMESH_HTTP_CALLS_H

#include <kmesh/abi/abi.h>

extern int bpf_kmesh_connect_defer(struct bpf_sock_addr *ctx, __u32 read_ms, __u32 idle_ms) __ksym __weak;
extern int bpf_kmesh_connect_phase(struct bpf_sock_addr *ctx) __ksym __weak;
extern int bpf_kmesh_connect_retries(struct bpf_sock_addr *ctx, __u32 count) __ksym __weak;
extern int bpf_kmesh_http_match(struct bpf_sock_addr *ctx, const void *matcher, __u32 matcher__sz) __ksym
	__weak;
extern __u64 bpf_kmesh_http_hash(struct bpf_sock_addr *ctx, const void *key, __u32 key__sz, __s32 length,
				 __u32 flags) __ksym __weak;
extern __u64 bpf_kmesh_http_hash_constant(struct bpf_sock_addr *ctx, const char *key__str, __s32 length,
					  __u32 flags) __ksym __weak;

/* Set by the loader. */
const volatile struct kmesh_native_settings kmesh_native_settings SEC(".rodata.native") = {};

#endif
