"""Scenarios load and change: what the control plane costs with 10,000 services and 100,000 Pods."""

import random
import re
import shutil
import signal
import statistics
import subprocess
import time

import kernel
import mesh
from daemon import Daemon
from network import CHANGING, service_address
from place import CannotMeasure, say

SERVICES, PODS = 10_000, 100_000
NUMBER = 60_000  # of the service that is changed: far from the generated ones
FIXED = [f"{CHANGING}.255.{index}" for index in range(1, 5)]
TOGGLED = f"{CHANGING}.255.5"
PATIENCE_S = 5


class LoadedMesh:
    """A daemon with the large mesh, and the small file beside it that is changed."""

    def __init__(self, place, network, runs):
        self._place, self._network = place, network
        self.directory = place.directory / "mesh-large"
        mesh.copy_large(self.directory, SERVICES, PODS)
        self.file = self.directory / "changed.json"
        write_changed(self.file, FIXED)
        self.loads = []
        for number in range(runs):
            if number > 0:
                self.daemon.stop()
            say(f"  load: run {number + 1} of {runs}")
            self.daemon = Daemon(place, network, f"large{number}", self.directory)
            wall = self.daemon.wait_for(service_address(NUMBER))
            self.loads.append({
                "wall": wall, "cpu": self.daemon.cpu_seconds(), "rss": self.daemon.memory_mb("VmHWM"),
                "maps": kernel.map_memory(self.daemon.pins) / 1e6})
        status = self.daemon.status()
        if status["rejected"] or status["badConfigurations"]:
            raise CannotMeasure(f"the daemon refused parts of the mesh: {status['recentRejections'][:1]}"
                                f" {status['lastConfigurationError']}")

    def report(self, results):
        for figure, unit in (("wall", "s"), ("cpu", "s"), ("rss", "MB")):
            numbers = [load[figure] for load in self.loads]
            others = {"min": min(numbers), "max": max(numbers)}
            if figure == "rss":
                others["map_memory"] = statistics.median(load["maps"] for load in self.loads)
            name = "latency" if figure == "wall" else figure
            results.add(f"load.{name}", statistics.median(numbers), unit, **others)


def write_changed(path, addresses):
    service = mesh.service("changed", service_address(NUMBER))
    mesh.write(path, [service, mesh.endpoint_slice("changed", addresses)])


class Change:
    """Adds and removes one endpoint of a service, and sees when the kernel has it."""

    def __init__(self, loaded):
        self._loaded = loaded
        self._maps = loaded.daemon.maps()
        self._service = self._maps.service_id(service_address(NUMBER))
        self._endpoint = None

    def toggle(self):
        """Milliseconds from the rename to the last write."""
        is_added = self._endpoint is None
        addresses = FIXED + [TOGGLED] if is_added else FIXED
        start = time.monotonic_ns()
        write_changed(self._loaded.file, addresses)
        # Written last: the service's count when one is added, the endpoint's entry when one is removed.
        while not self._is_applied(is_added, len(addresses)):
            if time.monotonic_ns() - start > PATIENCE_S * 1e9:
                raise CannotMeasure(f"the change is not in the kernel after {PATIENCE_S} s")
        elapsed = (time.monotonic_ns() - start) / 1e6
        self._endpoint = self._maps.endpoints(self._service)[TOGGLED] if is_added else None
        return elapsed

    def _is_applied(self, is_added, count):
        if self._maps.tier_and_count(self._service)[1] != count:
            return False
        return is_added or self._maps.endpoint(self._service, self._endpoint) != TOGGLED


def change(loaded, results, changes):
    subject = Change(loaded)
    chance = random.Random(1)
    elapsed, inside = [], []
    for _ in range(changes):
        # Not in step with any timer of the daemon.
        time.sleep(0.05 + chance.random() * 0.05)
        elapsed.append(subject.toggle())
        inside.append(loaded.daemon.status()["engine"]["latestNanoseconds"] / 1e6)
    results.add("change.latency", statistics.median(elapsed), "ms", min=min(elapsed), max=max(elapsed),
                engine=statistics.median(inside))
    try:
        writes = [_writes(loaded.daemon, subject.toggle) for _ in range(min(changes, 10))]
        results.add("change.writes", statistics.median(writes), "writes", least=min(writes), most=max(writes))
    except CannotMeasure as error:
        results.miss("change.writes", str(error))


def _writes(daemon, action):
    """Map entries that the daemon writes or removes during `action`, by its system calls."""
    if shutil.which("strace") is None:
        raise CannotMeasure("strace is missing; make deps BENCH=1 installs it")
    trace = subprocess.Popen(["strace", "-f", "-e", "trace=bpf", "-p", str(daemon.pid)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        # It says "attached" when it is there.
        head = trace.stderr.readline()
        time.sleep(0.3)
        action()
        time.sleep(0.2)
    finally:
        trace.send_signal(signal.SIGINT)
        text = head + trace.communicate()[1]
    if "attached" not in text:
        raise CannotMeasure(f"strace of the daemon: {text.strip()}")
    single = re.findall(r"BPF_MAP_(?:UPDATE|DELETE)_ELEM", text)
    batches = re.findall(r"BPF_MAP_(?:UPDATE|DELETE)_BATCH.*?count=(\d+)", text)
    return len(single) + sum(int(count) for count in batches)
