/*
 * Attaches one program of an object to a cgroup until its input ends:
 *   floor OBJECT PROGRAM CGROUP
 * Prints a line when it is attached.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	struct bpf_object *object = count == 4 ? bpf_object__open(arguments[1]) : NULL;
	struct bpf_program *program;
	int group;

	if (!object || bpf_object__load(object)) {
		fprintf(stderr, "floor: wants an object, one of its programs, and a cgroup\n");
		return 1;
	}
	program = bpf_object__find_program_by_name(object, arguments[2]);
	group = open(arguments[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!program || group < 0 || !bpf_program__attach_cgroup(program, group)) {
		fprintf(stderr, "floor: cannot attach %s to %s\n", arguments[2], arguments[3]);
		return 1;
	}
	puts("attached");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
