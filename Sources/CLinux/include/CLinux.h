/* What Swift cannot import of Linux: variadic calls, syscalls without a wrapper, function-like macros. */
#ifndef CLINUX_H
#define CLINUX_H

#include "bpf_calls.h"

#endif
