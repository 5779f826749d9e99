"""What an Envoy beside a client or a server is told, as a sidecar is."""


def configuration(name, listen, forward, matches=({"prefix": "/"},)):
    """HTTP in, HTTP out, a route for each of Envoy's matches: no telemetry, no retries, no access log."""
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name, "codec_type": "HTTP1", "generate_request_id": False,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": match, "route": {"cluster": "next", "timeout": "0s"}} for match in matches]}]},
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
