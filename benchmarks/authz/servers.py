"""The sides: pods that serve, each in a namespace of its own, without a program or with one of ours."""

import load
import policies
from daemon import Daemon
from kernel import program_of_link
from namespaces import wait_for_port
from network import HOSTS, PORT
from place import CannotMeasure
from processes import SERVER_CPU, start

CLIENT_HOST = 3
BULK_PORT = 5201
SIDES = {  # what the daemon is told
    "ours": ("--authz-hook", "xdp"),
    "lookup": ("--authz-hook", "sk-lookup"),
    "native": ("--authz-hook", "xdp", "--authz-xdp-mode", "native"),
}
LINKS = ("generic", "native", "lookup")


class Server:
    """A pod at an address; `daemon` is `None` where nobody protects it."""

    def __init__(self, address, namespace, daemon=None):
        self.address, self.namespace, self.daemon = address, namespace, daemon

    def program(self):
        """The program that is attached to the pod."""
        for pin in sorted(self.daemon.bpffs.glob("kmesh/authz-v*/*")):
            if pin.name.split("-")[0] in LINKS:
                return program_of_link(pin)
        raise CannotMeasure(f"no program of the daemon {self.daemon.log} is attached")


class Servers:
    def __init__(self, place, network):
        self._place, self._network = place, network
        self.client = f"{HOSTS}.{CLIENT_HOST}"
        self.client_namespace = network.add_client("client", CLIENT_HOST)
        self._host = CLIENT_HOST

    def add(self, name, rules=None, arguments=(), serves=True):
        """A pod; with `rules`, policies that are in force for it."""
        self._host += 1
        address = f"{HOSTS}.{self._host}"
        namespace = self._network.add_client(f"s-{name}", self._host)
        if serves:
            start(self._place, namespace, [load.PROGRAM, "serve", PORT], cpu=SERVER_CPU, log=f"server-{name}.log")
            start(self._place, namespace, ["iperf3", "-s", "-p", BULK_PORT], cpu=SERVER_CPU,
                  log=f"iperf-{name}.log")
            wait_for_port(namespace, address, PORT)
            wait_for_port(namespace, address, BULK_PORT)
        if rules is None:
            return Server(address, namespace)
        mesh = self._place.directory / f"mesh-{name}"
        mesh.mkdir()
        pods = [policies.pod("server", address), policies.pod("client", self.client)]
        policies.write(mesh / "mesh.json", pods + rules)
        daemon = Daemon(self._place, self._network, name, mesh, *arguments)
        daemon.wait_for()
        daemon.enroll(namespace, address, "bench/server")
        said = daemon.explain(self.client, address, PORT)
        if not said.startswith("ALLOW") or "kernel       allow" not in said:
            raise CannotMeasure(f"the policies of {name} do not let the client in: {said.strip()}")
        return Server(address, namespace, daemon)
