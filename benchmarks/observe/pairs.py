"""The sides: a client and a server, both enrolled with a daemon of their own that observes them, or does not."""

import json
import time

import kernel
import load
import mesh
from daemon import Daemon
from load import Client
from namespaces import wait_for_port
from network import HOSTS, PORT, service_address
from place import BUILD, CannotMeasure
from processes import CLIENT_CPU, SERVER_CPU, run, start
from results import CONTROL, OURS
from rounds import interleave

OFF = "off"
OFF_WORDS = ("--disable-accesslog", "--disable-monitoring")
ON_WORDS = ("--enable-accesslog",)
SIDES = {OURS: ON_WORDS, OFF: OFF_WORDS, CONTROL: OFF_WORDS}
BULK_PORT = 5201
IN_FLIGHT = 8
ANYBODY = "0.0.0.0"


class AccessLog:
    """A file on a disk, as an access log has, that does not grow over all rounds."""

    def __init__(self, place, name):
        self.path = BUILD / f"access-{place.id}-{name}.log"
        self.file = open(self.path, "ab")
        place.on_close(self.path.unlink)

    def clear(self):
        self.file.truncate(0)

    def expect_lines(self):
        """The daemon writes ten times a second."""
        deadline = time.monotonic() + 5
        while not self.path.stat().st_size:
            if time.monotonic() > deadline:
                raise CannotMeasure("the access log has no line: nothing was observed")
            time.sleep(0.05)

    def lines(self):
        """How many are of connections."""
        with open(self.path, "rb") as lines:
            return sum(line.startswith(b"accesslog: ") for line in lines)


class Pair:
    """Two pods, and the daemon that has enrolled them; `host` is the client's, the server's follows."""

    def __init__(self, place, network, name, host, directory, words, output=None):
        self._place = place
        self.address = f"{HOSTS}.{host + 1}"
        self.client_namespace = network.add_client(f"c-{name}", host)
        server_namespace = network.add_client(f"s-{name}", host + 1)
        directory.mkdir(exist_ok=True)
        client, server = f"client-{name}", f"server-{name}"
        mesh.write(directory / "pair.json", [
            mesh.pod(client, f"{HOSTS}.{host}"), mesh.pod(server, self.address),
            mesh.service(server, service_address(host)), mesh.endpoint_slice(server, [self.address])])
        self.daemon = Daemon(place, network, name, directory, *words, output=output,
                             has_metrics=words is ON_WORDS)
        self.daemon.wait_for(service_address(host))
        self.daemon.enroll(self.client_namespace, f"{HOSTS}.{host}", f"bench/{client}")
        self.daemon.enroll(server_namespace, self.address, f"bench/{server}")
        # In the daemon's cgroup, as the pods of a node are: both ends are observed.
        serving = {PORT: [load.PROGRAM, "serve", PORT], BULK_PORT: ["iperf3", "-s", "-p", BULK_PORT]}
        for port, program in serving.items():
            start(place, server_namespace, program, self.daemon.client_cgroup, SERVER_CPU, f"{name}-{port}.log")
            wait_for_port(server_namespace, ANYBODY, port)
        self.client = Client(self.client_namespace, self.daemon.client_cgroup, [f"{service_address(host)}:80"])

    def connect(self, seconds, in_flight=IN_FLIGHT):
        return load.connect(self._place, self.client, in_flight, seconds)

    def steady(self, seconds):
        return load.keep_alive(self._place, self.client, 64, seconds)

    def bulk(self, seconds):
        words = ["iperf3", "-c", self.address, "-p", BULK_PORT, "-t", seconds, "-J"]
        output = run(self._place, self.client_namespace, words, seconds, self.daemon.client_cgroup, CLIENT_CPU)
        return {"gbit_per_s": json.loads(output)["end"]["sum_received"]["bits_per_second"] / 1e9}


class Pairs:
    """Ours is observed; the reference and its control, a pair of its own, are not."""

    FIGURES = {"connect": ("connects_per_s", "1/s"), "steady": ("requests_per_s", "1/s"),
               "bulk": ("gbit_per_s", "Gbit/s")}

    def __init__(self, place, network):
        self._log = AccessLog(place, "pairs")
        self._sides = {}
        for host, (name, words) in enumerate(SIDES.items()):
            directory = place.directory / f"mesh-{name}"
            output = self._log.file if name == OURS else None
            self._sides[name] = Pair(place, network, name, 10 + 2 * host, directory, words, output)
        self._sides[OURS].connect(0.3)

    def measure(self, results, scenario, pairs, seconds):
        def measure(side):
            self._log.clear()
            found = getattr(self._sides[side], scenario)(seconds)
            if side == OURS:
                self._log.expect_lines()
            return found
        rounds, gone = interleave(self._sides, pairs, measure, scenario)
        figure, unit = self.FIGURES[scenario]
        results.add_sides(scenario, figure, unit, rounds, gone, reference=OFF)

    def programs(self, results, seconds):
        """What the kernel counts of the program that observes: its time for a connection, and that it does not
        run for what is sent on connections."""
        ours = self._sides[OURS]
        program = ours.daemon.observer()
        found = {}
        with kernel.Statistics():
            for scenario, (figure, _) in self.FIGURES.items():
                before_ns, before_runs = kernel.run_time(program)
                made = getattr(ours, scenario)(seconds)
                after_ns, after_runs = kernel.run_time(program)
                count = made["connects"] if scenario == "connect" else made[figure] * seconds
                found[scenario] = ((after_ns - before_ns) / count, (after_runs - before_runs) / count)
        # Both ends of a connection are observed.
        results.add("programs.connect", found["connect"][0], "ns", runs=found["connect"][1])
        results.add("programs.steady", found["steady"][0], "ns", runs=found["steady"][1])
        results.add("programs.bulk", found["bulk"][0], "ns", runs=found["bulk"][1])

    def stop(self):
        for side in self._sides.values():
            side.daemon.stop()
