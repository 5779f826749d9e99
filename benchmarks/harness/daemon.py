"""One kmesh-daemon of the run with a cgroup, pins and a state directory of its own."""

import json
import os
import subprocess
import time

import admin
from kernel import program_of_link
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
    def __init__(self, place, network, name, mesh, *arguments, program=None, output=None, has_metrics=False,
                 mode="dual-engine", source="--mesh-file"):
        """`program` is one of another build; `output` takes what it writes to its standard output. Only one
        daemon of a run can have metrics at the port for them. `source` is the flag that `mesh` belongs to."""
        require()
        self._place, self._network, self._name, self._mode = place, network, name, mode
        self.log = f"daemon-{name}.log"
        self._cgroup = place.make_cgroup(name)
        self.client_cgroup = self._cgroup / "client"
        self.client_cgroup.mkdir()
        self._bpffs = place.mount_bpffs(f"bpf-{name}")
        self._socket = place.directory / f"{name}.sock"
        self._state = place.directory / f"state-{name}"
        self._words = [
            "--mode", mode, source, mesh,
            "--bpf-fs-path", self._bpffs, "--cgroup2-path", self._cgroup, "--admin-socket", self._socket,
            "--state-dir", self._state, "--node-name", "bench", *arguments,
        ]
        self._output = output
        self._servers = ("--status-address", "off", *(() if has_metrics else ("--metrics-address", "off")))
        self._process = None
        self.start(program=program)

    def start(self, *arguments, program=None, prefix=()):
        """Also again, after an end, or beside the one that runs with `--takeover`. `prefix` are words before the
        program."""
        self._former, self.started = self._process, time.monotonic()
        words = [*prefix, program or RELEASE / "kmesh-daemon", *self._words, *arguments]
        # A program of another build may not know the flags.
        words += () if program else self._servers
        self._process = start(
            self._place, self._network.node, words, log=self.log, output=self._output)

    def end(self, signal):
        """Ends it with a signal; what it has pinned stays."""
        self._process.send_signal(signal)
        self.wait()

    def wait(self):
        self._process.wait(PATIENCE_S)

    def answers(self):
        """Whether the one that was started last answers."""
        if self._process.poll() is not None:
            raise CannotMeasure(f"the daemon {self._name} ended: {tail(self._place, self.log)}")
        try:
            return self.status() is not None
        except CannotMeasure:
            return False

    def wait_for_former(self):
        """Until the one that was taken over from has ended; its exit code."""
        return self._former.wait(PATIENCE_S)

    def uninstall(self):
        """Removes everything that it has left in the kernel, and who is enrolled."""
        command(RELEASE / "kmesh-daemon", "uninstall", "--bpf-fs-path", self._bpffs, "--state-dir", self._state)

    def wait_until_configured(self):
        """Until it is the one that answers, and a configuration that it has read itself is in force."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise CannotMeasure(f"the daemon {self._name} ended: {tail(self._place, self.log)}")
            try:
                status = self.status()
                if status["updates"] > 0 and (self._former is None or status["pid"] != self._former.pid):
                    return status
            except CannotMeasure:
                pass
            time.sleep(0.01)
        raise CannotMeasure(f"the daemon {self._name} has read no configuration after {PATIENCE_S} s")

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
        found = sorted(self._bpffs.glob(f"kmesh/{self._mode}*/link_connect4"))
        if not found:
            said = tail(self._place, self.log)
            raise CannotMeasure(f"the daemon {self._name} has pinned no connect4: {said}")
        return found[-1].parent

    def observer(self):
        """The program that observes connections."""
        found = sorted(self._bpffs.glob("kmesh/telemetry-v*/link_sockops"))
        if not found:
            raise CannotMeasure(f"the daemon {self._name} observes nothing: {tail(self._place, self.log)}")
        return program_of_link(found[-1])

    def maps(self):
        return L4Maps(self.pins)

    @property
    def bpffs(self):
        return self._bpffs

    def enroll(self, namespace, address, pod="bench/client"):
        """Steers the namespace's clients that run in `client_cgroup`."""
        self._control("enroll", "--pod", pod, "--uid", f"{pod.rpartition('/')[2]}-{self._name}",
                      "--netns", path(namespace), "--address", address, "--cgroup", self.client_cgroup)

    def status(self):
        return admin.ask(self._socket, "status")["status"]

    def reasons(self):
        """How often programs had each reason."""
        found = json.loads(self._control("dump", "reasons", "-o", "json"))
        return {reason["name"]: reason["count"] for reason in found["reasons"]}

    def explain(self, source, destination, port):
        """What the daemon says of a connection; `kmeshctl` ends with 1 for a denial, which is no error here."""
        words = [RELEASE / "kmeshctl", "authz", "explain", "--admin-socket", self._socket, source, destination, port]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False).stdout

    def verify(self):
        """Raises with the differences when the kernel's maps are not what they should be."""
        self._control("verify")

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
