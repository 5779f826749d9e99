/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connect programs that do what the tests tell them to, and call all functions of the module. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <kmesh/abi/http.h>
#include "kmesh_test.h"

extern int bpf_kmesh_connect_defer(struct bpf_sock_addr *ctx, __u32 read_ms, __u32 idle_ms) __ksym;
extern int bpf_kmesh_connect_phase(struct bpf_sock_addr *ctx) __ksym;
extern int bpf_kmesh_connect_retries(struct bpf_sock_addr *ctx, __u32 count) __ksym;
extern int bpf_kmesh_http_get(struct bpf_sock_addr *ctx, const void *key, __u32 key__sz, void *value,
			      __u32 value__sz) __ksym;
extern int bpf_kmesh_http_get_constant(struct bpf_sock_addr *ctx, const char *key__str, void *value,
				       __u32 value__sz) __ksym;
extern int bpf_kmesh_http_match(struct bpf_sock_addr *ctx, const void *matcher, __u32 matcher__sz) __ksym;
extern __u64 bpf_kmesh_http_hash(struct bpf_sock_addr *ctx, const void *key, __u32 key__sz, __s32 length,
				 __u32 flags) __ksym;
extern __u64 bpf_kmesh_http_hash_constant(struct bpf_sock_addr *ctx, const char *key__str, __s32 length,
					  __u32 flags) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_config);
} test_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_probe);
} test_probe SEC(".maps");

enum { SUCCESS = 1, FAILURE = 0, DENIED = -1 };

static void answer(struct bpf_sock_addr *ctx, struct test_probe *probe)
{
	probe->length =
		bpf_kmesh_http_get(ctx, probe->key, sizeof(probe->key), probe->value, sizeof(probe->value));
	probe->matched = bpf_kmesh_http_match(ctx, probe->matcher, sizeof(probe->matcher));
	probe->hash = bpf_kmesh_http_hash(ctx, probe->key, sizeof(probe->key), probe->hash_length,
					  probe->hash_flags);
}

/* The number of the endpoint for the request, or DENIED. */
static int route(struct bpf_sock_addr *ctx, struct test_config *config, struct test_probe *probe, int phase)
{
	char version[8] = {}, path[8] = {};
	int number = 0;

	if (phase == KMESH_PHASE_RETRY) {
		if (config->refuses_retry)
			return DENIED;
		number = probe->runs[KMESH_PHASE_RETRY] == 1 ? 2 : 3;
	}
	answer(ctx, probe);
	bpf_kmesh_http_get_constant(ctx, ":path", path, sizeof(path));
	if (!__builtin_memcmp(path, "/deny", 5))
		return DENIED;
	bpf_kmesh_http_get_constant(ctx, "X-Version", version, sizeof(version));
	if (!number && version[0] == 'v' && version[1] == '2' && !version[2])
		number = 1;
	if (phase == KMESH_PHASE_REQUEST)
		probe->retries = bpf_kmesh_connect_retries(ctx, config->retries);
	return number;
}

/* As above, or for the first time. */
static int choose(struct bpf_sock_addr *ctx, struct test_config *config, struct test_probe *probe)
{
	int phase = bpf_kmesh_connect_phase(ctx);

	__sync_fetch_and_add(&probe->runs[phase & 3], 1);
	if (phase != KMESH_PHASE_CONNECT)
		return route(ctx, config, probe, phase);
	if (config->mode != TEST_PLAIN)
		probe->deferred = bpf_kmesh_connect_defer(ctx, config->read_ms, config->idle_ms);
	return config->mode == TEST_REFUSE ? DENIED : 0;
}

static int refuse(struct test_config *config)
{
	int error = config->retval;

	/* Newer kernels want to see that it is one. */
	if (error < 0 && error >= -4095)
		bpf_set_retval(error);
	return FAILURE;
}

SEC("cgroup/connect4")
int test_connect4(struct bpf_sock_addr *ctx)
{
	__u32 zero = 0;
	struct test_config *config = bpf_map_lookup_elem(&test_config, &zero);
	struct test_probe *probe = bpf_map_lookup_elem(&test_probe, &zero);
	int number;

	if (!config || !probe || ctx->user_ip4 != config->dialed.address ||
	    ctx->user_port != config->dialed.port)
		return SUCCESS;
	if (ctx->protocol != IPPROTO_TCP) {
		probe->runs[0] += bpf_kmesh_connect_phase(ctx) == KMESH_PHASE_OTHER;
		return SUCCESS;
	}
	number = choose(ctx, config, probe);
	if (number < 0)
		return refuse(config);
	if (config->endpoints[number & 3].port) {
		ctx->user_ip4 = config->endpoints[number & 3].address;
		ctx->user_port = config->endpoints[number & 3].port;
	}
	return SUCCESS;
}

/* fd00:99::1 goes to fd00:9::1 and fd00:9::2; what is mapped goes as in IPv4. */
SEC("cgroup/connect6")
int test_connect6(struct bpf_sock_addr *ctx)
{
	__u32 zero = 0;
	struct test_config *config = bpf_map_lookup_elem(&test_config, &zero);
	struct test_probe *probe = bpf_map_lookup_elem(&test_probe, &zero);
	__u32 first = ctx->user_ip6[0], third = ctx->user_ip6[2], fourth = ctx->user_ip6[3];
	int is_mapped = !first && third == bpf_htonl(0xffff);
	int number;

	if (!config || !probe || ctx->protocol != IPPROTO_TCP)
		return SUCCESS;
	if (is_mapped ? fourth != config->dialed.address || ctx->user_port != config->dialed.port :
			first != bpf_htonl(0xfd000099))
		return SUCCESS;
	number = choose(ctx, config, probe);
	if (number < 0)
		return refuse(config);
	if (is_mapped) {
		ctx->user_ip6[3] = config->endpoints[number & 3].address;
		ctx->user_port = config->endpoints[number & 3].port;
	} else {
		ctx->user_ip6[0] = bpf_htonl(0xfd000009);
		ctx->user_ip6[3] = bpf_htonl(number + 1);
	}
	return SUCCESS;
}

/* To be refused by the verifier: only connect programs may call these functions. */
SEC("?cgroup/bind4")
int test_bind4(struct bpf_sock_addr *ctx)
{
	return bpf_kmesh_connect_phase(ctx) >= 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
