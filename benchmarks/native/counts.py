"""On the host: starts the guest, and makes figures of what it counted."""

import json
import os
import shlex
import subprocess
import sys

from place import ROOT, CannotMeasure, command, say

GUEST = ROOT / "benchmarks" / "native"
MEMORY_MB = 3072
TIMEOUT_S = 3000
# What a side is compared with: the same way, with nothing in between and nothing loaded.
DIRECT = {"ten6": "direct6"}
# TCP connections between client and server, and where each request of a kept connection passes.
CONNECTIONS = {"pods_waypoint": 2, "pods_envoys": 3}


def measure(results, options, scenarios):
    module = command(ROOT / "scripts" / "kmod", options.kernel).strip()
    found = dict(_guest(results, options, ["--icount"], "guest.py", options.connections, module, *scenarios))
    for side in found.values():
        if abs(side["nanoseconds_per_instruction"] - 1) > 0.05:
            raise CannotMeasure(f"the guest does not count instructions: {side['nanoseconds_per_instruction']} ns each")
    if "direct" not in found:
        raise CannotMeasure("the guest has not measured the direct side")
    for name, side in found.items():
        if name.startswith("kept_"):
            _report(results, name.replace("kept_", "later_"), "request", side, found, "kept_direct")
        else:
            _report(results, name, "connection", side, found, _direct_of(name))


def _direct_of(name):
    return DIRECT.get(name) or ("pods_direct" if "pods_" in name else "direct")


def _report(results, name, what, side, found, direct):
    """Instructions, and beside the direct side: how much more that is, and how many times as much."""
    value, others = side[f"{what}_median"], {"min": side[f"{what}_min"], "p90": side[f"{what}_p90"]}
    reference = found.get(direct)
    if reference and side is not reference:
        others["vs_direct"] = value / reference[f"{what}_median"]
        others["more"] = value - reference[f"{what}_median"]
        strict, least = (one["client_first"][f"{what}_median"] for one in (side, reference))
        others.update(client_first=strict, client_first_vs_direct=strict / least, client_first_more=strict - least)
    ours = found.get("kept_ten" if what == "request" else "pods_ten")
    if name.rpartition("_")[2] in ("waypoint", "envoys") and ours:
        others["vs_ours"] = value / ours[f"{what}_median"]
        others["connections"] = CONNECTIONS[f"pods_{name.rpartition('_')[2]}"]
        others["connections_ours"] = 1
    results.add(f"{name}.instructions", value, "instructions", **others)


def atomicity(results, options):
    """Connections while their route changes, on two processors and without counting."""
    module = command(ROOT / "scripts" / "kmod", options.kernel).strip()
    found = dict(_guest(results, options, [], "atomic.py", options.changes, module))
    side = found["atomic"]
    results.add("atomic.failed", side["failed"], "connections", of=side["connections"], changes=side["changes"], clients_that_saw_both=side["crossed"],
                old=side["old"], new=side["new"])


def _guest(results, options, words, script, *arguments):
    """Runs a script in the guest: the sides that it measured, by name."""
    build = os.environ.get("KMESH_BENCH_BUILD", "release")
    inner = shlex.join(["env", f"PYTHONPATH={ROOT / 'benchmarks' / 'harness'}", f"KMESH_BENCH_BUILD={build}", "python3",
                        "-B", str(GUEST / script), *[str(argument) for argument in arguments]])
    guest = subprocess.Popen(
        [ROOT / "scripts" / "vm.sh", *words, "--memory", str(MEMORY_MB), "--timeout", str(TIMEOUT_S), "--kernel",
         options.kernel, inner], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        for line in guest.stdout:
            if not line.startswith("{"):
                print(line, end="", file=sys.stderr, flush=True)
                continue
            found = json.loads(line)
            name = found.pop("side")
            say(f"  {name}: {found}")
            if "missing" in found:
                results.miss(name, found["missing"])
            else:
                yield name, found
    finally:
        # Nothing of it is left to be read when it was not read to its end.
        guest.stdout.close()
        status = guest.wait()
    if status:
        raise CannotMeasure(f"the guest ended with {status}, see above")
