/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <kmesh/abi/abi.h>
SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx) { return 1; }
char LICENSE[] SEC("license") = "Dual BSD/GPL";
