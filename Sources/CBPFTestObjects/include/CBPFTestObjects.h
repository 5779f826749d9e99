/* The BPF objects of the tests, embedded by the CompileBPF plugin. */
#ifndef CBPFTESTOBJECTS_H
#define CBPFTESTOBJECTS_H

struct CBPFTestObjects {
	const char *name; /* file name without ".bpf.c" */
	const unsigned char *bytes;
	unsigned long size;
};

/* The object called NAME, or NULL. */
const struct CBPFTestObjects *CBPFTestObjects_find(const char *name);

#endif
