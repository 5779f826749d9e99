"""The mesh of the suite: services with and without routes, and what is asked for."""

import dataclasses

import mesh
from network import SERVICES

# In the client's own namespace, on lo: the cheapest way there is, and so the dearest comparison.
LOCAL, LOCAL6 = "172.24.0.1", "fd00:24::1"
# In another pod's, behind veth and a bridge.
REMOTE = "172.21.0.1"
# By default, and where routes lead: ports of an endpoint, and what answers there. The default answers only where
# no route was followed.
DEFAULT, ROUTED = "default1", "byroute2"
SERVERS = {DEFAULT: 9001, ROUTED: 9002}
# As curl sends it.
HEADERS = ("User-Agent: curl/7.88.1", "Accept: */*")

# Ten routes, as a shop might have them: by path prefix, some of them for a version, one by a header only.
TEN = (
    ("/products", None), ("/products", ("x-version", "v2")), ("/cart", None), ("/cart", ("x-version", "v2")),
    ("/orders", None), ("/orders", ("x-version", "v2")), ("/users/profile", None), ("/returns", ("x-version", "v2")),
    (None, ("end-user", "jason")), (None, None),
)
WORDS = ("a", "cart", "orders", "products", "users/profile", "v1/search", "v2/catalogue", "admin/reports/daily")

LET_ALL_IN = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
              "metadata": {"name": "all", "namespace": "istio-system"}, "spec": {"rules": [{}]}}


@dataclasses.dataclass
class Asked:
    """What a client dials, what it asks for, and who must answer."""
    address: str
    target: str = "/cart/7"
    headers: tuple = ()
    names: str = ROUTED
    port: int = 80


def _match(path, header):
    match = {}
    if path:
        match["path"] = {"type": "PathPrefix", "value": path}
    if header:
        match["headers"] = [{"name": header[0], "value": header[1]}]
    return match


def ten():
    return [_match(*pair) for pair in TEN]


def thousand():
    """Prefixes of eight lengths, and one route for the rest."""
    return [_match(f"/{WORDS[number % len(WORDS)]}/{number:04}", None) for number in range(999)] + [{}]


def thousand_headers():
    """The same path, and one header's value each."""
    return [_match(None, ("x-tenant", f"tenant-{number:04}")) for number in range(1000)]


def route(name, matches, backend):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": mesh.NAMESPACE},
            "spec": {"parentRefs": [{"group": "", "kind": "Service", "name": name, "port": 80}],
                     "rules": [{"matches": [match], "backendRefs": [{"name": backend, "port": 80}]}
                               for match in matches]}}


def service(name, address, endpoint, port, labels=None):
    found = mesh.service(name, address)
    pods = mesh.endpoint_slice(name, [endpoint])
    found["metadata"]["labels"] = labels or {}
    found["spec"]["ports"][0]["targetPort"] = pods["ports"][0]["port"] = port
    if ":" in address:
        found["spec"]["ipFamilies"], pods["addressType"] = ["IPv6"], "IPv6"
    return [found, pods]


class Shop:
    """Services at consecutive addresses; those with routes lead to `ROUTED`, and to `DEFAULT` by default."""

    def __init__(self):
        self.objects, self.addresses, self._count = [], {}, 0
        for place, endpoint in (("local", LOCAL), ("local6", LOCAL6), ("remote", REMOTE)):
            self.add(f"routed-{place}", endpoint, SERVERS[ROUTED])

    def add(self, name, endpoint, port=SERVERS[DEFAULT], matches=None, labels=None):
        self._count += 1
        address = f"fd00:20::{self._count:x}" if ":" in endpoint else f"{SERVICES}.0.{self._count}"
        self.addresses[name] = address
        self.objects += service(name, address, endpoint, port, labels)
        if matches is not None:
            place = {LOCAL: "local", LOCAL6: "local6", REMOTE: "remote"}[endpoint]
            self.objects.append(route(name, matches, f"routed-{place}"))

    def write(self, directory):
        directory.mkdir()
        mesh.write(directory / "shop.json", self.objects)


def passing_listener(address, endpoint):
    """Envoy's listener with a TCP proxy."""
    socket = {"address": {"socket_address": {"address": endpoint, "port_value": SERVERS[ROUTED]}}}
    proxy = {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
             "stat_prefix": "tcp", "cluster": "shop"}
    return {"static_resources": {
        "listeners": [{
            "name": "tcp", "address": {"socket_address": {"address": address, "port_value": 80}},
            "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}]}],
        "clusters": [{
            "name": "shop", "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": "shop", "endpoints": [{"lb_endpoints": [{"endpoint": socket}]}]}}],
    }}
