#!/bin/sh
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Usage: embed.sh OUTPUT OBJECT... — writes a C source that embeds the objects and lists them by name.
set -eu
output=$1
shift
{
	echo '#include "CBPFObjects.h"'
	for object in "$@"; do
		name=$(basename "$object" .bpf.o)
		echo "static _Alignas(8) const unsigned char object_$name[] = {"
		echo "#embed \"$object\""
		echo "};"
	done
	echo "static const struct kmesh_bpf_object objects[] = {"
	for object in "$@"; do
		name=$(basename "$object" .bpf.o)
		echo "	{ \"$name\", object_$name, sizeof(object_$name) },"
	done
	echo "};"
	cat <<'END'
const struct kmesh_bpf_object *kmesh_bpf_object_find(const char *name)
{
	for (unsigned long i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (!__builtin_strcmp(objects[i].name, name))
			return &objects[i];
	}
	return (void *)0;
}
END
} >"$output"
