/* What Swift cannot import of Linux: variadic calls, syscalls without a wrapper, function-like macros. */
#ifndef CLINUX_H
#define CLINUX_H

#include <linux/bpf.h>
#include <malloc.h>
#include <sys/eventfd.h>

/* bpf(2): the result, or -errno. */
long kmesh_bpf(int command, union bpf_attr *attributes, unsigned int size);

#endif
