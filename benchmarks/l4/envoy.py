"""Two chained Envoys as sidecars are: one in the client's namespace, one in the server's."""

import json

from envoy_package import install
from envoy_sidecar import configuration
from load import Client
from namespaces import wait_for_port
from network import PORT, SERVER
from processes import CLIENT_CPU, SERVER_CPU, start

OUTBOUND, INBOUND = 15001, 15006


def chain(place, network, host):
    """Starts both. The client dials the outbound one itself: what REDIRECT costs is not in the figures."""
    program = install()
    namespace = network.add_client("envoy", host)
    _start(place, program, network.server, "inbound", (SERVER, INBOUND), ("127.0.0.1", PORT), SERVER_CPU)
    _start(place, program, namespace, "outbound", ("127.0.0.1", OUTBOUND), (SERVER, INBOUND), CLIENT_CPU)
    return Client(namespace, place.plain_cgroup, [f"127.0.0.1:{OUTBOUND}"])


def _start(place, program, namespace, name, listen, forward, cpu):
    path = place.directory / f"envoy-{name}.json"
    path.write_text(json.dumps(configuration(name, listen, forward)))
    words = [program, "-c", path, "--concurrency", 1, "--disable-hot-restart", "-l", "warning"]
    start(place, namespace, words, cpu=cpu, log=f"envoy-{name}.log")
    wait_for_port(namespace, *listen, seconds=20)
