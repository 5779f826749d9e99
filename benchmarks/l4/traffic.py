"""Scenarios keepalive_c64, keepalive_c1 and connect: a client's traffic beside its peers'."""

import envoy
import iptables
import load
import mesh
from daemon import Daemon
from load import Client
from network import HOSTS, PORT, pod_address, service_address
from place import CannotMeasure, say
from results import CONTROL, DIRECT, OURS
from rounds import interleave

SERVICES = 5000
RULES = (10, 5000)
IN_FLIGHT = 8


def _pods(service):
    return [f"{pod_address(service * mesh.ENDPOINTS + index)}:{PORT}" for index in range(mesh.ENDPOINTS)]


def _last(services):
    return f"{service_address(services - 1)}:80"


class Traffic:
    def __init__(self, place, network):
        self._place = place
        self.missing = {}
        namespace = network.add_client("client", 3)
        self.sides = {DIRECT: Client(namespace, place.plain_cgroup, _pods(SERVICES - 1))}
        self._add(OURS, lambda: self._ours(network, namespace))
        self.sides[CONTROL] = self.sides[DIRECT]
        for host, services in enumerate(RULES, 4):
            self._add(f"iptables{services}", lambda: self._iptables(network, host, services))
        self._add("envoy2", lambda: envoy.chain(place, network, 9))

    def _add(self, side, make):
        """A side that cannot be set up, or does not reach the server, is missing with its reason."""
        say(f"setting up {side}")
        try:
            client = make()
            load.connect(self._place, client, 1, 0.3)
            self.sides[side] = client
        except CannotMeasure as error:
            self.missing[side] = str(error)
            say(f"  without {side}: {error}")

    def _ours(self, network, namespace):
        directory = self._place.directory / "mesh-traffic"
        mesh.write_services(directory, SERVICES)
        daemon = Daemon(self._place, network, "traffic", directory)
        daemon.wait_for(service_address(SERVICES - 1))
        daemon.enroll(namespace, f"{HOSTS}.3")
        return Client(namespace, daemon.client_cgroup, [_last(SERVICES)])

    def _iptables(self, network, host, services):
        namespace = network.add_client(f"iptables{services}", host)
        iptables.install(namespace, services)
        return Client(namespace, self._place.plain_cgroup, [_last(services)])

    def keep_alive(self, results, connections, pairs, seconds):
        def measure(side):
            return load.keep_alive(self._place, self.sides[side], connections, seconds)
        self._compare(results, f"keepalive_c{connections}", "requests_per_s", measure, pairs)

    def connect(self, results, pairs, seconds):
        def measure(side):
            return load.connect(self._place, self.sides[side], IN_FLIGHT, seconds)
        self._compare(results, "connect", "connects_per_s", measure, pairs)

    def _compare(self, results, scenario, rate, measure, pairs):
        rounds, gone = interleave(self.sides, pairs, measure, scenario)
        for figure, unit in ((rate, "1/s"), ("p50", "us"), ("p99", "us")):
            results.add_sides(scenario, figure, unit, rounds, {**self.missing, **gone})
