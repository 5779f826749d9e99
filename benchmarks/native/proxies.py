"""Requests through proxies: our waypoint, and two chained Envoys as sidecars are."""

import json
import time

import mesh
from envoy_package import PROGRAM
from envoy_sidecar import configuration
from namespaces import wait_for_port
from network import HOSTS, SERVER
from place import RELEASE, CannotMeasure
from processes import start, tail
from shop import REMOTE, ROUTED, SERVERS, service

OUTBOUND, INBOUND = 15001, 15006
METADATA_PORT = 15019
WAYPOINT = f"{HOSTS}.7"
WAYPOINT_SERVICE = "172.20.9.9"
PATIENCE_S = 60


def gateway():
    """The waypoint of services that name it, and how it is reached."""
    objects = service("waypoint", WAYPOINT_SERVICE, WAYPOINT, METADATA_PORT,
                      {"gateway.networking.k8s.io/gateway-name": "waypoint"})
    for ports in (objects[0]["spec"]["ports"], objects[1]["ports"]):
        ports[0].update(name="metadata", port=METADATA_PORT)
    return [*objects, {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "waypoint", "namespace": mesh.NAMESPACE,
                     "labels": {"istio.io/waypoint-for": "service"}},
        "spec": {"gatewayClassName": "kmesh-waypoint",
                 "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]}}]


def start_waypoint(place, namespace, directory):
    words = [RELEASE / "kmesh-waypoint", "--mesh-file", directory, "--listen", f"{METADATA_PORT}=metadata",
             "--waypoint", f"{mesh.NAMESPACE}/waypoint", "--node-name", "bench", "--threads", 1]
    process = start(place, namespace, words, log="waypoint.log")
    deadline = time.monotonic() + PATIENCE_S
    while "ready" not in tail(place, "waypoint.log", lines=1000):
        if process.poll() is not None or time.monotonic() > deadline:
            raise CannotMeasure(f"the waypoint is not ready: {tail(place, 'waypoint.log')}")
        time.sleep(0.05)
    return process


def start_envoys(place, client, server, matches):
    """One beside the client, with the routes, and one beside the server. The client dials the first one itself: what
    redirecting it costs is not in the figures."""
    found = [
        _start(place, server, "inbound", (SERVER, INBOUND), (REMOTE, SERVERS[ROUTED]), [{}]),
        _start(place, client, "outbound", ("127.0.0.1", OUTBOUND), (SERVER, INBOUND), matches)]
    return found


def _start(place, namespace, name, listen, forward, matches):
    path = place.directory / f"envoy-{name}.json"
    path.write_text(json.dumps(_configuration(name, listen, forward, matches)))
    # One processor: a second thread for the main loop is what there is anyway.
    words = [PROGRAM, "-c", path, "--concurrency", 1, "--disable-hot-restart", "-l", "warning"]
    process = start(place, namespace, words, log=f"envoy-{name}.log")
    wait_for_port(namespace, *listen, seconds=PATIENCE_S)
    return process


def _envoy_match(match):
    path = match.get("path", {}).get("value")
    found = {"path_separated_prefix": path} if path else {"prefix": "/"}
    if "headers" in match:
        found["headers"] = [{"name": header["name"], "string_match": {"exact": header["value"]}}
                            for header in match["headers"]]
    return found


def _configuration(name, listen, forward, matches):
    """The more specific routes come first."""
    ordered = sorted(matches, key=lambda match: (-len(match.get("path", {}).get("value", "")),
                                                 -len(match.get("headers", []))))
    return configuration(name, listen, forward, [_envoy_match(match) for match in ordered])
