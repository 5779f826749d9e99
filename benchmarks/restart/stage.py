"""Who plays in the suite restart: a client, servers, a pod that policies protect, a stranger, a waypoint."""

import dataclasses

import mesh
import programs
from daemon import Daemon
from namespaces import wait_for_port
from network import CHANGING, HOSTS, PORT, SERVICES, pod_address, service_address
from place import command
from processes import SERVER_CPU, start
from waypoint import Waypoint

CLIENT, VAULT, STRANGER, WAYPOINT = (f"{HOSTS}.{host}" for host in (3, 5, 9, 7))
ANYBODY = "0.0.0.0"
METADATA_PORT = 15019
COUNT = 1000  # services that are steered
DIALED = range(0, COUNT, COUNT // 16)
GUARDED = 2000  # number of the service in front of the protected pod
ROUTED = range(2001, 2005)  # of those that a waypoint leads to
OF_WAYPOINT = 2010
ENDPOINTS = 3
IN_FLIGHT, STREAMS = 2, 8  # of each kind of traffic


@dataclasses.dataclass
class Load:
    """One of the loads that run at once: where it runs, and what it is told."""
    namespace: str
    cgroup: object
    words: list


def target(number, first, count, peer):
    return f"{service_address(number)}:80={first}+{count}@{peer}"


class Stage:
    def __init__(self, place, network):
        self.place, self._network = place, network
        self._watch = programs.build("watch")
        self._client = network.add_client("client", 3)
        self._vault = network.add_client("vault", 5)
        self._stranger = network.add_client("stranger", 9)
        # What is dialed and not steered reaches a server, too: it says that it was asked by the wrong address.
        command("ip", "-n", network.server, "route", "add", "local", f"{SERVICES}.0.0/16", "dev", "lo")
        pulse = programs.build("pulse")
        for name, namespace in (("server", network.server), ("vault", self._vault)):
            start(place, namespace, [pulse, PORT, 80], cpu=SERVER_CPU, log=f"{name}.log")
            wait_for_port(namespace, ANYBODY, PORT)
        self.mesh = place.directory / "mesh-restart"
        _write(self.mesh)
        self.daemon = None
        self.waypoint = Waypoint(place, network.add_client("waypoint", 7), self.mesh)

    def start_daemon(self, program=None):
        """A daemon in a kernel without anything of an earlier one, and all pods enrolled."""
        if self.daemon is None:
            self.daemon = Daemon(
                self.place, self._network, "restart", self.mesh, "--authz-deny", "reset", program=program,
                has_metrics=True)
        else:
            self.daemon.start(program=program)
        self.daemon.wait_until_configured()
        self.daemon.enroll(self._client, CLIENT)
        self.daemon.enroll(self._vault, VAULT, "bench/vault")

    def stop(self):
        self.daemon.stop()
        self.waypoint.stop()

    def loads(self):
        """The loads by kind, and whoever must not come in."""
        cgroup = self.daemon.client_cgroup
        l4 = [target(number, pod_address(number * ENDPOINTS), ENDPOINTS, CLIENT) for number in DIALED]
        routed = [target(number, f"{CHANGING}.{index}.1", ENDPOINTS, WAYPOINT)
                  for index, number in enumerate(ROUTED)]
        authz = [target(GUARDED, VAULT, 1, CLIENT)]
        dial = [self._watch, "dial", IN_FLIGHT, STREAMS]
        return {
            "l4": Load(self._client, cgroup, [*dial, *l4]),
            "waypoint": Load(self._client, cgroup, [*dial, *routed]),
            "authz": Load(self._client, cgroup, [*dial, *authz]),
            "stranger": Load(self._stranger, self.place.plain_cgroup, [
                self._watch, "knock", IN_FLIGHT, f"{VAULT}:{PORT}={VAULT}+1@{ANYBODY}"]),
        }


def _write(directory):
    mesh.write_services(directory, COUNT)
    objects = [
        mesh.pod("client", CLIENT), mesh.pod("vault", VAULT), mesh.pod("stranger", STRANGER),
        mesh.service("guarded", service_address(GUARDED)), mesh.endpoint_slice("guarded", [VAULT]),
        _policy(), _gateway(),
    ]
    for index, number in enumerate(ROUTED):
        name = f"routed-{index}"
        service = mesh.service(name, service_address(number))
        service["metadata"]["labels"] = {"istio.io/use-waypoint": "waypoint"}
        addresses = [f"{CHANGING}.{index}.{last}" for last in range(1, ENDPOINTS + 1)]
        objects += [service, mesh.endpoint_slice(name, addresses)]
    service = mesh.service("waypoint", service_address(OF_WAYPOINT))
    instances = mesh.endpoint_slice("waypoint", [WAYPOINT])
    for ports in (service["spec"]["ports"], instances["ports"]):
        ports[0].update(name="metadata", port=METADATA_PORT)
    service["spec"]["ports"][0]["targetPort"] = METADATA_PORT
    service["metadata"]["labels"] = {"gateway.networking.k8s.io/gateway-name": "waypoint"}
    mesh.write(directory / "restart.json", [*objects, service, instances])


def _policy():
    """The client alone may come to the vault."""
    principal = f"cluster.local/ns/{mesh.NAMESPACE}/sa/client"
    return {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": "vault", "namespace": mesh.NAMESPACE},
            "spec": {"selector": {"matchLabels": {"app": "vault"}}, "action": "ALLOW",
                     "rules": [{"from": [{"source": {"principals": [principal]}}]}]}}


def _gateway():
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "waypoint", "namespace": mesh.NAMESPACE,
                         "labels": {"istio.io/waypoint-for": "service"}},
            "spec": {"gatewayClassName": "kmesh-waypoint",
                     "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]}}
