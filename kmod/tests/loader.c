// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Loads the test's programs.
 *
 *   loader attach OBJECT CGROUP PINS [CONFIG]
 *                           attaches the connect programs, and pins their links and maps; the file CONFIG
 *                           has a struct test_config
 *   loader refused OBJECT   succeeds when the kernel refuses the program of another kind
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmesh_test.h"

static void fail(const char *what, const char *object)
{
	fprintf(stderr, "loader: cannot %s %s: %s\n", what, object, strerror(errno));
	exit(1);
}

static bool is_wanted(const char *command, const char *name)
{
	if (!strcmp(command, "attach"))
		return !strcmp(name, "test_connect4") || !strcmp(name, "test_connect6");
	return !strcmp(name, "test_bind4");
}

static struct bpf_object *open_object(const char *path, const char *command)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *program;

	if (!object)
		fail("open", path);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, is_wanted(command, bpf_program__name(program)));
	return object;
}

static void pin(struct bpf_object *object, int group, const char *pins)
{
	struct bpf_program *program;
	struct bpf_map *map;
	char path[512];

	if (mkdir(pins, 0700) && errno != EEXIST)
		fail("make", pins);
	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", pins, bpf_map__name(map));
		if (bpf_map__pin(map, path))
			fail("pin", path);
	}
	bpf_object__for_each_program(program, object)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program))
			continue;
		link = bpf_program__attach_cgroup(program, group);
		if (!link)
			fail("attach", bpf_program__name(program));
		snprintf(path, sizeof(path), "%s/%s", pins, bpf_program__name(program));
		if (bpf_link__pin(link, path))
			fail("pin", path);
	}
}

static void configure(struct bpf_object *object, const char *path)
{
	struct test_config config;
	unsigned int zero = 0;
	int map = bpf_object__find_map_fd_by_name(object, "test_config"), file = open(path, O_RDONLY);

	if (file < 0 || read(file, &config, sizeof(config)) != sizeof(config))
		fail("read", path);
	if (bpf_map_update_elem(map, &zero, &config, BPF_ANY))
		fail("configure", path);
	close(file);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

int main(int count, char **arguments)
{
	struct bpf_object *object;
	int group, error;

	if (count == 3 && !strcmp(arguments[1], "refused")) {
		libbpf_set_print(quiet);
		error = bpf_object__load(open_object(arguments[2], "refused"));
		printf("a bind program is refused with %d\n", error);
		return error != -EACCES;
	}
	if (count < 5 || count > 6) {
		fprintf(stderr, "usage: loader attach OBJECT CGROUP PINS [CONFIG], loader refused OBJECT\n");
		return 2;
	}
	object = open_object(arguments[2], arguments[1]);
	if (bpf_object__load(object))
		fail("load", arguments[2]);
	if (count == 6)
		configure(object, arguments[5]);
	group = open(arguments[3], O_RDONLY | O_DIRECTORY);
	if (group < 0)
		fail("open", arguments[3]);
	pin(object, group, arguments[4]);
	return 0;
}
