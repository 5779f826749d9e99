"""The run's network: namespaces joined by veth and a bridge that sits in a namespace of its own."""

from namespaces import path
from place import NAMESPACE_PREFIX, command

SERVICES = "172.20"  # what clients dial: service i is 172.20.(i / 256).(i % 256)
PODS = "172.21"  # the services' endpoints
CHANGING = "172.22"  # endpoints that come and go; the third byte is their service
HOSTS = "172.23.0"  # the namespaces' own addresses
SERVER = f"{HOSTS}.2"
PORT = 8080


class Network:
    """All backends are one server: every address of PODS and CHANGING is local in its namespace."""

    def __init__(self, place):
        self._place = place
        self._links = 0
        self.node = self._add_namespace("node")
        self._ip(self.node, "link add br0 type bridge", "link set br0 up")
        self.server = self._join("server", SERVER)
        self._ip(self.server, *[f"route add local {prefix}.0.0/16 dev lo" for prefix in (PODS, CHANGING)])

    def add_client(self, name, host):
        """A namespace at HOSTS.`host`, from which everything else is reached through the server."""
        namespace = self._join(name, f"{HOSTS}.{host}")
        self._ip(namespace, f"route add default via {SERVER}")
        return namespace

    def _add_namespace(self, name):
        namespace = f"{NAMESPACE_PREFIX}{self._place.id}-{name}"
        command("ip", "netns", "add", namespace)
        self._place.on_close(lambda: command("ip", "netns", "del", namespace))
        self._ip(namespace, "link set lo up")
        # One destination takes tens of thousands of connections in a run.
        ports = "net.ipv4.ip_local_port_range=1024 65535"
        command("nsenter", f"--net={path(namespace)}", "sysctl", "-q", "-w", ports)
        return namespace

    def _join(self, name, address):
        namespace = self._add_namespace(name)
        self._links += 1
        port = f"p{self._links}"
        self._ip(self.node, f"link add {port} type veth peer name eth0 netns {namespace}",
                 f"link set {port} master br0 up")
        self._ip(namespace, f"addr add {address}/24 dev eth0", "link set eth0 up")
        return namespace

    @staticmethod
    def _ip(namespace, *lines):
        command("ip", "-n", namespace, "-batch", "-", text="".join(f"{line}\n" for line in lines))


def service_address(number):
    return f"{SERVICES}.{number // 256}.{number % 256}"


def pod_address(number):
    return f"{PODS}.{number // 256}.{number % 256}"
