/* The BPF objects of this build, embedded by the CompileBPF plugin. */
#ifndef CBPFOBJECTS_H
#define CBPFOBJECTS_H

struct kmesh_bpf_object {
	const char *name; /* file name without ".bpf.o" */
	const unsigned char *bytes;
	unsigned long size;
};

/* The object called NAME, or NULL. */
const struct kmesh_bpf_object *kmesh_bpf_object_find(const char *name);

#endif
