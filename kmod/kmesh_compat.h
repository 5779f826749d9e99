/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What differs between the kernels that the module is built for: from 6.8 on. */
#ifndef KMESH_COMPAT_H
#define KMESH_COMPAT_H

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#error "kmesh needs Linux 6.8 or newer: connect programs of older ones cannot pass constant strings"
#endif

#ifndef BTF_KFUNCS_START /* 6.9 */
#define BTF_KFUNCS_START(name) BTF_SET8_START(name)
#define BTF_KFUNCS_END(name) BTF_SET8_END(name)
#endif

/* What connect() takes. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define kmesh_sockaddr sockaddr_unsized
#else
#define kmesh_sockaddr sockaddr
#endif

/* What the functions of a module's attributes take. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define kmesh_module_attribute const struct module_attribute
#else
#define kmesh_module_attribute struct module_attribute
#endif

#endif
