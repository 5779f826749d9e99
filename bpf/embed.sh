#!/bin/sh
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Usage: embed.sh CLANG ROOT TARGET OUTPUT PROGRAM.bpf.c... — compiles the programs and writes a C source that embeds
# the objects and finds them by name. The objects stay beside OUTPUT.
set -eu
clang=$1 root=$2 target=$3 output=$4
shift 4
directory=$(dirname "$output")

for program in "$@"; do
	object=$directory/$(basename "$program" .c).o
	"$clang" -target bpf -mcpu=v3 -g -O2 -std=gnu2x -fno-strict-aliasing \
		-Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers \
		-I"$root/vmlinux" -I"$root/include" -I"$root/lib" -c "$program" -o "$object"
done

{
	echo "#include \"$target.h\""
	for program in "$@"; do
		name=$(basename "$program" .bpf.c)
		echo "static _Alignas(8) const unsigned char object_${name}[] = {"
		echo "#embed \"$directory/$name.bpf.o\""
		echo "};"
	done
	echo "static const struct $target objects[] = {"
	for program in "$@"; do
		name=$(basename "$program" .bpf.c)
		echo "	{ \"$name\", object_$name, sizeof(object_$name) },"
	done
	cat <<END
};

const struct $target *${target}_find(const char *name)
{
	for (unsigned long i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (!__builtin_strcmp(objects[i].name, name))
			return &objects[i];
	}
	return (void *)0;
}
END
} >"$output"
