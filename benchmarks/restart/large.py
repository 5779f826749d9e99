"""A restart with 100,000 workloads: when the daemon answers and serves what it has read, and what it writes."""

import os
import re
import shutil
import signal
import statistics
import time

import mesh
from daemon import Daemon
from place import CannotMeasure, say

SERVICES, PODS = 10_000, 100_000
SMALL = (1_000, 10_000)


def measure(place, network, results, is_quick):
    services, pods = SMALL if is_quick else (SERVICES, PODS)
    name = "small" if is_quick else "large"
    directory = place.directory / f"mesh-{name}"
    mesh.copy_large(directory, services, pods)
    say(f"  {name}: a fresh start with {pods} Pods")
    daemon = Daemon(place, network, name, directory)
    daemon.wait_until_configured()
    fresh, fresh_rss = time.monotonic() - daemon.started, daemon.memory_mb("VmHWM")
    runs = []
    for number in range(1 if is_quick else 3):
        say(f"  {name}: restart {number + 1}")
        daemon.end(signal.SIGTERM)
        runs.append(_restart(daemon))
    median = {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
    most = {figure: max(run[figure] for run in runs) for figure in runs[0]}
    results.add(f"{name}.answers", median["answers"], "ms", most=most["answers"], cpu=median["cpu"])
    results.add(f"{name}.configured", median["configured"], "ms", most=most["configured"],
                fresh=fresh * 1000, over_fresh=median["configured"] - fresh * 1000)
    try:
        seen = _traced_writes(place, daemon)
        results.add(f"{name}.writes", seen, "writes", engine=most["writes"])
    except CannotMeasure as error:
        results.miss(f"{name}.writes", str(error))
    results.add(f"{name}.rss", median["rss"], "MB", most=most["rss"], fresh=fresh_rss)


def _restart(daemon):
    daemon.start()
    while not daemon.answers():
        time.sleep(0.002)
    answers, cpu = time.monotonic() - daemon.started, daemon.cpu_seconds()
    status = daemon.wait_until_configured()
    configured = time.monotonic() - daemon.started
    if not status["adopted"]:
        raise CannotMeasure("the daemon has not taken over what was pinned")
    return {"answers": answers * 1000, "cpu": cpu * 1000, "configured": configured * 1000,
            "rss": daemon.memory_mb("VmHWM"), "writes": status["engine"]["writes"]}


def _traced_writes(place, daemon):
    """Map entries that one more restart writes or removes, by its system calls."""
    if shutil.which("strace") is None:
        raise CannotMeasure("strace is missing; make deps BENCH=1 installs it")
    daemon.end(signal.SIGTERM)
    trace = place.directory / "strace.log"
    daemon.start(prefix=["strace", "-f", "-o", trace, "-e", "trace=bpf", "-e", "signal=none"])
    status = daemon.wait_until_configured()
    # Removals come within the second that follows.
    time.sleep(2)
    # It ends, and strace after it.
    os.kill(status["pid"], signal.SIGTERM)
    daemon.wait()
    text = trace.read_text(errors="replace")
    single = re.findall(r"BPF_MAP_(?:UPDATE|DELETE)_ELEM", text)
    batches = re.findall(r"BPF_MAP_(?:UPDATE|DELETE)_BATCH.*?count=(\d+)", text)
    if "BPF_PROG_LOAD" not in text:
        raise CannotMeasure("strace has not seen the daemon load its programs")
    return len(single) + sum(int(count) for count in batches)
