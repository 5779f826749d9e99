"""One kmesh-daemon of the run with a cgroup, pins and a state directory of its own."""

import json
import os
import subprocess
import time

from l4maps import L4Maps
from namespaces import path
from place import RELEASE, CannotMeasure, command
from processes import end, start, tail

PATIENCE_S = 120
TICKS = os.sysconf("SC_CLK_TCK")


def require():
    for name in ("kmesh-daemon", "kmeshctl"):
        if not (RELEASE / name).exists():
            raise CannotMeasure(f"{RELEASE / name} is missing: run swift build -c release")


class Daemon:
    def __init__(self, place, network, name, mesh, *arguments):
        require()
        self._place, self._network, self._name = place, network, name
        self.log = f"daemon-{name}.log"
        self._cgroup = place.make_cgroup(name)
        self.client_cgroup = self._cgroup / "client"
        self.client_cgroup.mkdir()
        self._bpffs = place.mount_bpffs(f"bpf-{name}")
        self._socket = place.directory / f"{name}.sock"
        self.started = time.monotonic()
        self._process = start(place, network.node, [
            RELEASE / "kmesh-daemon", "--mode", "dual-engine", "--mesh-file", mesh,
            "--bpf-fs-path", self._bpffs, "--cgroup2-path", self._cgroup, "--admin-socket", self._socket,
            "--state-dir", place.directory / f"state-{name}", "--node-name", "bench",
            "--status-address", "off", *arguments,
        ], log=self.log)

    def wait_for(self, service_address=None):
        """Until the mesh is applied, as the daemon says and the kernel shows. Seconds since the start."""
        deadline = time.monotonic() + PATIENCE_S
        maps, why = None, "the mesh is not applied"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise CannotMeasure(f"the daemon {self._name} ended: {tail(self._place, self.log)}")
            try:
                maps = maps or self.maps()
                is_there = service_address is None or maps.service_id(service_address)
                if is_there and self.status()["updates"] > 0:
                    maps.close()
                    return time.monotonic() - self.started
            except CannotMeasure as error:
                why = str(error)
            time.sleep(0.02)
        raise CannotMeasure(f"the daemon {self._name} is not ready after {PATIENCE_S} s: {why}")

    @property
    def pins(self):
        found = sorted(self._bpffs.glob("kmesh/dual-engine*/link_connect4"))
        if not found:
            said = tail(self._place, self.log)
            raise CannotMeasure(f"the daemon {self._name} has pinned no connect4: {said}")
        return found[-1].parent

    def maps(self):
        return L4Maps(self.pins)

    @property
    def bpffs(self):
        return self._bpffs

    def enroll(self, namespace, address, pod="bench/client"):
        """Steers the namespace's clients that run in `client_cgroup`."""
        self._control("enroll", "--pod", pod, "--uid", f"client-{self._name}",
                      "--netns", path(namespace), "--address", address, "--cgroup", self.client_cgroup)

    def status(self):
        return json.loads(self._control("status", "-o", "json"))

    def explain(self, source, destination, port):
        """What the daemon says of a connection; `kmeshctl` ends with 1 for a denial, which is no error here."""
        words = [RELEASE / "kmeshctl", "authz", "explain", "--admin-socket", self._socket, source, destination, port]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False).stdout

    def _control(self, verb, *words):
        return command(RELEASE / "kmeshctl", verb, "--admin-socket", self._socket, *words)

    @property
    def pid(self):
        return self._process.pid

    def cpu_seconds(self):
        with open(f"/proc/{self._process.pid}/stat") as line:
            numbers = line.read().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / TICKS

    def memory_mb(self, name):
        """`VmHWM` or `VmRSS`, in MB of 1,000,000 bytes."""
        with open(f"/proc/{self._process.pid}/status") as lines:
            for line in lines:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024 / 1e6
        raise CannotMeasure(f"no {name} of the daemon {self._name}")

    def stop(self):
        end(self._process)
