# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""The node of the tests: network namespaces, a cgroup, a BPF file system, backends, and one daemon at a time.

Clients are in the namespace `kmg-client`, at 10.8.0.1 and fd00:8::1, or in `kmg-other`, at 10.8.1.1. All of
10.21.0.0/16 and fd00:21::/64 are backends in `kmg-server`, which answer with the address they were reached at."""

import atexit
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("KMESH_BIN") or ROOT / ".build" / "release")
MODULE = os.environ["KMESH_MODULE"]
PROGRAMS = pathlib.Path(os.environ["KMESH_PROGRAMS"])

CLIENT, OTHER, SERVER = "kmg-client", "kmg-other", "kmg-server"
CLIENT_ADDRESS, OTHER_ADDRESS = "10.8.0.1", "10.8.1.1"
PORT, GREETING_PORT, CLOSED_PORT, UDP_PORT, WAYPOINT_PORT = 8080, 7000, 9, 5353, 15019

DIRECTORY = pathlib.Path("/run/kmesh-guest")
BPFFS = DIRECTORY / "bpf"
# Of version 2, beside older hierarchies or alone.
CGROUPS = next(path for path in map(pathlib.Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
               if (path / "cgroup.controllers").exists())
CGROUP = CGROUPS / "kmesh-guest"
SOCKET = DIRECTORY / "kmesh.sock"
STATE = DIRECTORY / "state"
LOG = DIRECTORY / "daemon.log"
STATUS_PORT = 15299
MODULE_FOLDER = pathlib.Path("/sys/module/kmesh")

PATIENCE_S = 90

libc = ctypes.CDLL(None, use_errno=True)


def command(*words, text=None, check=True):
    done = subprocess.run(
        [str(word) for word in words], input=text, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode:
        raise RuntimeError(f"{words}: {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def _end_with_parent():
    pr_set_pdeathsig = 1
    libc.prctl(pr_set_pdeathsig, signal.SIGKILL)


def start(namespace, *words, group="plain", **options):
    """Starts a program in a namespace, or the `node`, and in a cgroup of the tests' own."""

    def prepare():
        _end_with_parent()
        enter(namespace)
        (CGROUP / group / "cgroup.procs").write_text("0")

    return subprocess.Popen([str(word) for word in words], preexec_fn=prepare, **options)


# The namespace that the tests were started in, which is the node's.
NODE_NAMESPACE = os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(namespace):
    clone_newnet = 0x40000000
    file = NODE_NAMESPACE if namespace == "node" else os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(file, clone_newnet):
        raise OSError(ctypes.get_errno(), "setns")
    if file != NODE_NAMESPACE:
        os.close(file)


def wait(condition, what, seconds=PATIENCE_S, pause=0.02):
    """Until `condition` returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {seconds} s")
        time.sleep(pause)


class Node:
    """What all tests share. Made once, and taken away at the end, whatever happens."""

    def __init__(self):
        self._undo = []
        atexit.register(self.close)
        DIRECTORY.mkdir()
        self._undo.append(lambda: shutil.rmtree(DIRECTORY))
        BPFFS.mkdir()
        command("mount", "-t", "bpf", "bpf", BPFFS)
        self._undo.append(lambda: command("umount", BPFFS))
        for name in ("", "plain", "pods"):
            (CGROUP / name).mkdir()
        self._undo.append(self._remove_cgroups)
        self._make_network()
        self._start(SERVER, PROGRAMS / "server", PORT, WAYPOINT_PORT)
        self._start(SERVER, PROGRAMS / "server", "-g", GREETING_PORT)
        # Where the endpoints of Kmesh's own configurations are.
        self._start(CLIENT, PROGRAMS / "server", 51756, 57388)
        for address in ("10.21.5.5", "10.21.5.6"):
            self._start(SERVER, "python3", pathlib.Path(__file__).with_name("datagrams.py"), address, UDP_PORT)
        # The tests themselves are the clients.
        (CGROUP / "pods" / "cgroup.procs").write_text("0")
        enter(CLIENT)

    @staticmethod
    def _remove_cgroups():
        (CGROUPS / "cgroup.procs").write_text("0")
        for name in ("plain", "pods", ""):
            wait(lambda path=CGROUP / name: not (path / "cgroup.procs").read_text(), "an empty cgroup", 10)
            (CGROUP / name).rmdir()

    def _make_network(self):
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        for name in (SERVER, CLIENT, OTHER):
            command("ip", "netns", "add", name)
            self._undo.append(lambda name=name: command("ip", "netns", "del", name))
            command("ip", "-n", name, "link", "set", "lo", "up")
        for number, name in enumerate((CLIENT, OTHER)):
            lines = [f"link add eth0 type veth peer name eth{number} netns {SERVER}",
                     f"addr add 10.8.{number}.1/24 dev eth0", f"addr add fd00:8:{number}::1/64 dev eth0 nodad",
                     "link set eth0 up", f"route add default via 10.8.{number}.2",
                     f"-6 route add default via fd00:8:{number}::2"]
            there = [f"addr add 10.8.{number}.2/24 dev eth{number}",
                     f"addr add fd00:8:{number}::2/64 dev eth{number} nodad", f"link set eth{number} up"]
            command("ip", "-n", SERVER, "link", "show")
            command("ip", "-n", name, "-batch", "-", text="\n".join(lines[:1]) + "\n")
            command("ip", "-n", SERVER, "-batch", "-", text="\n".join(there) + "\n")
            command("ip", "-n", name, "-batch", "-", text="\n".join(lines[1:4]) + "\n")
            command("ip", "-n", name, "route", "add", "default", "via", f"10.8.{number}.2")
            command("ip", "-n", name, "-6", "route", "add", "default", "via", f"fd00:8:{number}::2")
        command("ip", "-n", SERVER, "route", "add", "local", "10.21.0.0/16", "dev", "lo")
        command("ip", "-n", SERVER, "-6", "route", "add", "local", "fd00:21::/64", "dev", "lo")
        for name in (CLIENT, SERVER):
            command("nsenter", f"--net=/run/netns/{name}", "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")

    def _start(self, namespace, *words):
        program = start(namespace, *words, stdin=subprocess.DEVNULL)
        self._undo.append(lambda: (program.kill(), program.wait()))

    def close(self):
        if Daemon.current:
            self._undo.append(Daemon.current.remove)
        while self._undo:
            action = self._undo.pop()
            try:
                action()
            except Exception as error:  # pylint: disable=broad-except
                print(f"cleaning up: {error}", flush=True)


class Daemon:
    """A daemon, and everything that it leaves in the kernel."""

    # The one that runs, and what it was started with.
    current = key = None

    def __init__(self, *arguments, mode="kernel-native", module=MODULE, source=None, enrolled=(CLIENT, OTHER)):
        """`module` None: the daemon does not load it. `source` is the flag and the file of the configuration."""
        self._arguments, self.mode, self.module, self.source = list(arguments), mode, module, source
        self.process = None
        self._enrolled = enrolled
        Daemon.current = self
        self.start()
        self.enroll()

    @property
    def words(self):
        words = [BINARIES / "kmesh-daemon", "--mode", self.mode, *self.source, "--bpf-fs-path", BPFFS,
                 "--cgroup2-path", CGROUP, "--admin-socket", SOCKET, "--state-dir", STATE,
                 "--node-name", "guest", "--metrics-address", "off", "--status-address", f"127.0.0.1:{STATUS_PORT}"]
        if self.mode == "kernel-native":
            words += ["--load-module", self.module or "off"]
        return words + self._arguments

    def start(self, *arguments):
        """Also again, after an end. Returns when a configuration that it has read itself is in force."""
        with open(LOG, "ab") as log:
            self.process = start(
                "node", *self.words, *arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        began = time.monotonic()
        wait(self._is_configured, "the daemon's first configuration")
        print(f"[{self.mode} is in force after {time.monotonic() - began:.1f} s]", flush=True)

    def _is_configured(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")
        try:
            status = self.status()
        except OSError:
            return False
        return status["pid"] == self.process.pid and status["isConfigured"]

    def enroll(self):
        for name in self._enrolled:
            address = CLIENT_ADDRESS if name == CLIENT else OTHER_ADDRESS
            addresses = [address, "fd00:8::1" if name == CLIENT else "fd00:8:1::1"]
            self.ask("enroll", pod=f"test/{name}", uid=name, netns=f"/run/netns/{name}",
                     interface="eth0", addresses=addresses, cgroup=str(CGROUP / "pods"))

    def ask(self, request, **members):
        body = json.dumps({"request": request, **members}).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(str(SOCKET))
            client.sendall(struct.pack("!I", len(body)) + body)
            with client.makefile("rb") as file:
                head = file.read(4)
                if len(head) < 4:
                    raise ConnectionResetError("the daemon ended before its answer did")
                answer = json.loads(file.read(struct.unpack("!I", head)[0]))
        if "error" in answer:
            raise RuntimeError(f"{request}: {answer['error']}")
        return answer

    def status(self):
        return self.ask("status")["status"]

    def reasons(self):
        return {reason["name"]: reason["count"] for reason in self.ask("dump", sections=["reasons"])["dump"]["reasons"]}

    def ready(self):
        """The status and text of /debug/ready."""
        words = ["curl", "-s", "-w", "\n%{http_code}", f"http://127.0.0.1:{STATUS_PORT}/debug/ready"]
        text = start("node", *words, stdout=subprocess.PIPE, text=True).communicate(timeout=60)[0]
        body, _, status = text.rpartition("\n")
        return int(status), body

    def log(self):
        return LOG.read_text(errors="replace")

    def applied(self):
        """What changes when a configuration was read: how many were applied, and how many refused."""
        status = self.status()
        return status["updates"], status["badConfigurations"]

    def apply(self, path, text):
        """Gives the file another content by rename, and waits until it is in force, or refused. Seconds."""
        before = self.applied()
        write(path, text)
        started = time.monotonic()
        wait(lambda: self.applied() != before, f"{path} in force", pause=0.002)
        taken = time.monotonic() - started
        wait(lambda: not self.status()["engine"]["pendingWrites"], "no pending writes")
        return taken

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def remove(self):
        """Ends it, and takes away what it left."""
        Daemon.current = Daemon.key = None
        if self.process and self.process.poll() is None:
            self.kill(signal.SIGTERM)
        return uninstall()


def uninstall():
    program = start("node", BINARIES / "kmesh-daemon", "uninstall", "--bpf-fs-path", BPFFS, "--state-dir", STATE,
                    stdout=subprocess.PIPE, text=True)
    said = program.communicate(timeout=PATIENCE_S)[0]
    assert program.returncode == 0, said
    wait(lambda: not MODULE_FOLDER.exists(), "the module unloaded", 20, 0.1)
    return said


def write(path, text):
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    os.rename(temporary, path)


def pins():
    """The folders of what is pinned."""
    folder = BPFFS / "kmesh"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def counter(name):
    """One of the module's counters."""
    return int((MODULE_FOLDER / "stats" / name).read_text())
