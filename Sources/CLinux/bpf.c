/* bpf(2) without libbpf. */
#define _GNU_SOURCE
#include "bpf_calls.h"

#include <errno.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static int command(int number, union bpf_attr *attributes)
{
	long result = syscall(SYS_bpf, number, attributes, sizeof(*attributes));

	return result < 0 ? -errno : (int)result;
}

static __u64 pointer(const void *address)
{
	return (__u64)(unsigned long)address;
}

int kmesh_bpf_map_create(__u32 type, __u32 key_size, __u32 value_size, __u32 max_entries, __u32 flags)
{
	union bpf_attr attributes = { .map_type = type,
				      .key_size = key_size,
				      .value_size = value_size,
				      .max_entries = max_entries,
				      .map_flags = flags };

	return command(BPF_MAP_CREATE, &attributes);
}

int kmesh_bpf_map_of_maps_create(int inner)
{
	union bpf_attr attributes = { .map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
				      .key_size = sizeof(__u32),
				      .value_size = sizeof(__u32),
				      .max_entries = 1,
				      .inner_map_fd = inner };

	return command(BPF_MAP_CREATE, &attributes);
}

int kmesh_bpf_map_update(int map, const void *key, const void *value, __u64 flags)
{
	union bpf_attr attributes = {
		.map_fd = map, .key = pointer(key), .value = pointer(value), .flags = flags
	};

	return command(BPF_MAP_UPDATE_ELEM, &attributes);
}

int kmesh_bpf_map_lookup(int map, const void *key, void *value)
{
	union bpf_attr attributes = { .map_fd = map, .key = pointer(key), .value = pointer(value) };

	return command(BPF_MAP_LOOKUP_ELEM, &attributes);
}

int kmesh_bpf_map_delete(int map, const void *key)
{
	union bpf_attr attributes = { .map_fd = map, .key = pointer(key) };

	return command(BPF_MAP_DELETE_ELEM, &attributes);
}

int kmesh_bpf_map_next_key(int map, const void *key, void *next)
{
	union bpf_attr attributes = { .map_fd = map, .key = pointer(key), .next_key = pointer(next) };

	return command(BPF_MAP_GET_NEXT_KEY, &attributes);
}

static int batch(int number, union bpf_attr *attributes, __u32 *count)
{
	int result = command(number, attributes);

	/* The kernel reports how far it came, except when it did not begin. */
	*count = result == -EFAULT || result == -EINVAL || result == -ENOTSUP ? 0 : attributes->batch.count;
	return result;
}

int kmesh_bpf_map_update_batch(int map, const void *keys, const void *values, __u32 *count)
{
	union bpf_attr attributes = {
		.batch = { .keys = pointer(keys), .values = pointer(values), .count = *count, .map_fd = map }
	};

	return batch(BPF_MAP_UPDATE_BATCH, &attributes, count);
}

int kmesh_bpf_map_delete_batch(int map, const void *keys, __u32 *count)
{
	union bpf_attr attributes = { .batch = { .keys = pointer(keys), .count = *count, .map_fd = map } };

	return batch(BPF_MAP_DELETE_BATCH, &attributes, count);
}

int kmesh_bpf_map_lookup_batch(int map, const __u32 *start, __u32 *next, void *keys, void *values,
			       __u32 *count)
{
	union bpf_attr attributes = { .batch = { .in_batch = pointer(start),
						 .out_batch = pointer(next),
						 .keys = pointer(keys),
						 .values = pointer(values),
						 .count = *count,
						 .map_fd = map } };

	return batch(BPF_MAP_LOOKUP_BATCH, &attributes, count);
}

int kmesh_bpf_object_pin(int fd, const char *path)
{
	union bpf_attr attributes = { .pathname = pointer(path), .bpf_fd = fd };

	return command(BPF_OBJ_PIN, &attributes);
}

int kmesh_bpf_object_get(const char *path)
{
	union bpf_attr attributes = { .pathname = pointer(path) };

	return command(BPF_OBJ_GET, &attributes);
}

static int facts_of(int fd, void *info, __u32 size)
{
	union bpf_attr attributes = { .info = { .bpf_fd = fd, .info_len = size, .info = pointer(info) } };

	return command(BPF_OBJ_GET_INFO_BY_FD, &attributes);
}

int kmesh_bpf_map_facts(int map, struct kmesh_bpf_map_facts *facts)
{
	struct bpf_map_info info = {};
	int result = facts_of(map, &info, sizeof(info));

	*facts = (struct kmesh_bpf_map_facts){ info.type,	info.id,	  info.key_size,
					       info.value_size, info.max_entries, info.map_flags };
	return result;
}

int kmesh_bpf_link_facts(int link, struct kmesh_bpf_link_facts *facts)
{
	struct bpf_link_info info = {};
	int result = facts_of(link, &info, sizeof(info));

	*facts = (struct kmesh_bpf_link_facts){ .type = info.type, .program_id = info.prog_id };
	switch (info.type) {
	case BPF_LINK_TYPE_CGROUP:
		facts->target = info.cgroup.cgroup_id;
		break;
	case BPF_LINK_TYPE_NETNS:
		facts->target = info.netns.netns_ino;
		break;
	case BPF_LINK_TYPE_XDP:
		facts->target = info.xdp.ifindex;
		break;
	}
	return result;
}

int kmesh_bpf_program_id(int program, __u32 *id)
{
	struct bpf_prog_info info = {};
	int result = facts_of(program, &info, sizeof(info));

	*id = info.id;
	return result;
}

int kmesh_bpf_program_open(__u32 id)
{
	union bpf_attr attributes = { .prog_id = id };

	return command(BPF_PROG_GET_FD_BY_ID, &attributes);
}

int kmesh_bpf_program_query(int target, __u32 attach_type, __u32 *id)
{
	union bpf_attr attributes = {};
	int result;

	attributes.query.target_fd = target;
	attributes.query.attach_type = attach_type;
	attributes.query.prog_ids = pointer(id);
	attributes.query.prog_cnt = 1;
	result = command(BPF_PROG_QUERY, &attributes);
	return result < 0 ? result : (int)attributes.query.prog_cnt;
}

int kmesh_bpf_link_create(int program, int target, __u32 attach_type, __u32 flags)
{
	union bpf_attr attributes = { .link_create = { .prog_fd = program,
						       .target_fd = target,
						       .attach_type = attach_type,
						       .flags = flags } };

	return command(BPF_LINK_CREATE, &attributes);
}

int kmesh_bpf_link_update(int link, int program)
{
	union bpf_attr attributes = { .link_update = { .link_fd = link, .new_prog_fd = program } };

	return command(BPF_LINK_UPDATE, &attributes);
}

int kmesh_bpf_link_detach(int link)
{
	union bpf_attr attributes = { .link_detach = { .link_fd = link } };

	return command(BPF_LINK_DETACH, &attributes);
}

int kmesh_bpf_program_attach(int program, int target, __u32 attach_type)
{
	union bpf_attr attributes = {};

	attributes.target_fd = target;
	attributes.attach_bpf_fd = program;
	attributes.attach_type = attach_type;
	return command(BPF_PROG_ATTACH, &attributes);
}

int kmesh_bpf_program_load(__u32 type, __u32 attach_type, const struct bpf_insn *instructions, __u32 count)
{
	union bpf_attr attributes = { .prog_type = type,
				      .insns = pointer(instructions),
				      .insn_cnt = count,
				      .license = pointer("Dual BSD/GPL"),
				      .expected_attach_type = attach_type };

	return command(BPF_PROG_LOAD, &attributes);
}

int kmesh_bpf_program_run(int program, const void *packet, __u32 size, void *output, __u32 *room,
			  __u32 repeat, struct kmesh_bpf_run *run)
{
	union bpf_attr attributes = { .test = { .prog_fd = program,
						.data_size_in = size,
						.data_size_out = *room,
						.data_in = pointer(packet),
						.data_out = pointer(output),
						.repeat = repeat } };
	int status = command(BPF_PROG_TEST_RUN, &attributes);

	*room = attributes.test.data_size_out;
	*run = (struct kmesh_bpf_run){ attributes.test.retval, attributes.test.duration };
	return status;
}

int kmesh_bpf_program_run_lookup(int program, const struct kmesh_socket_address *remote,
				 const struct kmesh_socket_address *local, __u32 repeat,
				 struct kmesh_bpf_run *run)
{
	int is_v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)local->address);
	struct bpf_sk_lookup lookup = { .family = is_v4 ? AF_INET : AF_INET6,
					.protocol = IPPROTO_TCP,
					.remote_port = htons(remote->port),
					.local_port = local->port };
	union bpf_attr attributes = { .test = { .prog_fd = program,
						.ctx_in = pointer(&lookup),
						.ctx_size_in = sizeof(lookup),
						.repeat = repeat } };
	int status;

	if (is_v4) {
		memcpy(&lookup.remote_ip4, remote->address + 12, 4);
		memcpy(&lookup.local_ip4, local->address + 12, 4);
	} else {
		memcpy(lookup.remote_ip6, remote->address, 16);
		memcpy(lookup.local_ip6, local->address, 16);
	}
	status = command(BPF_PROG_TEST_RUN, &attributes);
	*run = (struct kmesh_bpf_run){ attributes.test.retval, attributes.test.duration };
	return status;
}

int kmesh_is_bpf_file_system(const char *path)
{
	struct statfs facts;

	return statfs(path, &facts) == 0 && (__u32)facts.f_type == BPF_FS_MAGIC;
}
