/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Everything that BPF programs and user space agree on. BPF includes vmlinux.h before this header. */
#ifndef KMESH_ABI_H
#define KMESH_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "layout.h"
#include "limits.h"
#include "names.h"
#include "reasons.h"
#include "l4.h"
#include "waypoint.h"
#include "authz.h"
#include "telemetry.h"
#include "http.h"
#include "native.h"

#endif
