"""Where a run happens: its names, directories, cgroups and BPF file system, and how all of it goes away."""

import ctypes
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "bench"
# KMESH_BENCH_BUILD=debug is for work on the benchmarks, and on what runs in the kernel.
RELEASE = ROOT / ".build" / os.environ.get("KMESH_BENCH_BUILD", "release")
CGROUPS = pathlib.Path("/sys/fs/cgroup/unified")
PREFIX = "kmesh-bench-"
NAMESPACE_PREFIX = "kmb"


class CannotMeasure(Exception):
    """Why a figure cannot be had on this machine."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def command(*words, text=None):
    """Runs a short command; its failure ends the run with what it said."""
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise CannotMeasure(f"{' '.join(str(word) for word in words)}: {said}")
    return done.stdout


class Place:
    """A run's own corner of the machine. What is opened is closed in the reverse order, whatever happens."""

    def __init__(self):
        self.id = os.getpid()
        self.directory = pathlib.Path(f"/run/{PREFIX}{self.id}")
        self.cgroup = find_cgroups() / f"{PREFIX}{self.id}"
        self.plain_cgroup = self.cgroup / "plain"
        self._undo = []

    def open(self):
        remove_leftovers()
        self.directory.mkdir()
        self.on_close(self.directory.rmdir)
        # In memory, as /run is on most machines: a thousand files a second are no disk's work.
        command("mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tmpfs", self.directory)
        self.on_close(lambda: command("umount", self.directory))
        self.plain_cgroup.mkdir(parents=True)
        self.on_close(lambda: remove_cgroups(self.cgroup))

    def on_close(self, action):
        self._undo.append(action)

    def make_cgroup(self, name):
        path = self.cgroup / name
        path.mkdir()
        return path

    def mount_bpffs(self, name):
        path = self.directory / name
        path.mkdir()
        command("mount", "-t", "bpf", "bpf", path)
        self.on_close(lambda: command("umount", path))
        return path

    def close(self):
        while self._undo:
            action = self._undo.pop()
            try:
                action()
            except (OSError, CannotMeasure) as error:
                say(f"cleaning up: {error}")


def find_cgroups():
    """The cgroup v2 tree: beside v1 controllers, or the only one."""
    for path in (CGROUPS, CGROUPS.parent):
        if (path / "cgroup.controllers").exists():
            return path
    raise CannotMeasure("no cgroup v2 tree under /sys/fs/cgroup")


def remove_cgroups(path):
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)


def remove_leftovers():
    """Takes away what a killed run left. Its processes ended with it (see processes.py)."""
    for directory in pathlib.Path("/run").glob(f"{PREFIX}*"):
        pid = directory.name[len(PREFIX):]
        if not pid.isdigit() or os.path.exists(f"/proc/{pid}"):
            continue
        say(f"removing what the killed run {pid} left")
        if os.path.ismount(directory):
            command("umount", "--recursive", directory)
        directory.rmdir()
        for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
            if re.fullmatch(rf"{NAMESPACE_PREFIX}{pid}-.*", name):
                command("ip", "netns", "del", name)
        cgroup = find_cgroups() / directory.name
        if cgroup.exists():
            remove_cgroups(cgroup)


def die_with_parent():
    """In a child: SIGKILL when the harness ends, however it ends."""
    PR_SET_PDEATHSIG, SIGKILL = 1, 9
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
