/* The BPF objects of this build, embedded by the CompileBPF plugin. */
#ifndef CBPFOBJECTS_H
#define CBPFOBJECTS_H

struct CBPFObjects {
	const char *name; /* file name without ".bpf.c" */
	const unsigned char *bytes;
	unsigned long size;
};

/* The object called NAME, or NULL. */
const struct CBPFObjects *CBPFObjects_find(const char *name);

#endif
