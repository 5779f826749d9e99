"""What each proxy is told: the same routes, timeouts and headers, no access log, one thread."""

import json

ADDRESS = "172.23.0.2"
SMALL, LARGE, IPERF = 9001, 9002, 9003
SIZES = {SMALL: 1024, LARGE: 65536}
# HTTP and raw TCP.
PORTS = {"haproxy": (8101, 8201), "nginx": (8102, 8202), "envoy": (8103, 8203), "ours": (8104, 8204)}
# Hosts, and rules of each.
ROUTES_10, ROUTES_100, ROUTES_1000 = (1, 10), (10, 10), (10, 100)


def host(number):
    return f"shop-{number}.example.com"


def rules(routes):
    """(host, path prefix, server's port) of every route; the last rule of each host leads to large bodies."""
    hosts, per_host = routes
    return [(host(number), f"/area-{rule}/", LARGE if rule == per_host - 1 else SMALL)
            for number in range(hosts) for rule in range(per_host)]


def request(size, routes=ROUTES_100):
    """Host and path of a request that neither the first nor the last rule takes, but for large bodies."""
    hosts, per_host = routes
    rule = per_host - 1 if size == LARGE else per_host - 3
    return host(hosts - 1), f"/area-{rule}/items/1234?page=2&sort=price"


def haproxy(directory, program, routes):
    lines = [f"{name}{prefix} {'large' if port == LARGE else 'small'}"
             for name, prefix, port in rules(routes)]
    (directory / "routes.map").write_text("\n".join(lines) + "\n")
    http, tcp = PORTS["haproxy"]
    path = directory / "haproxy.cfg"
    path.write_text(f"""global
    nbthread 1
    maxconn 9800
    maxpipes 50
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    http-reuse always
frontend http
    bind {ADDRESS}:{http}
    option forwardfor
    unique-id-format %{{+X}}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
    unique-id-header X-Request-Id
    use_backend %[base,map_beg({directory}/routes.map)]
backend small
    server one {ADDRESS}:{SMALL}
backend large
    server one {ADDRESS}:{LARGE}
listen tcp
    mode tcp
    bind {ADDRESS}:{tcp}
    option splice-auto
    server one {ADDRESS}:{IPERF}
""")
    return [program, "-db", "-f", path]


def nginx(directory, program, routes):
    locations = {}
    for name, prefix, port in rules(routes):
        locations.setdefault(name, []).append(
            f"location {prefix} {{ proxy_pass http://{'large' if port == LARGE else 'small'}; }}")
    http, tcp = PORTS["nginx"]
    servers = "\n".join(
        f"server {{ listen {ADDRESS}:{http}; server_name {name}; {' '.join(found)} }}"
        for name, found in locations.items())
    path = directory / "nginx.conf"
    path.write_text(f"""daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log stderr warn;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ worker_connections 10200; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
    server_names_hash_bucket_size 128;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Request-Id $request_id;
    upstream small {{ server {ADDRESS}:{SMALL}; keepalive 128; keepalive_requests 1000000000; }}
    upstream large {{ server {ADDRESS}:{LARGE}; keepalive 128; keepalive_requests 1000000000; }}
    {servers}
}}
stream {{
    server {{ listen {ADDRESS}:{tcp}; proxy_pass {ADDRESS}:{IPERF}; }}
}}
""")
    return [program, "-p", directory, "-c", path, "-e", "stderr"]


def envoy(directory, program, routes):
    extensions = "type.googleapis.com/envoy.extensions.filters"
    hosts = {}
    for name, prefix, port in rules(routes):
        hosts.setdefault(name, []).append(
            {"match": {"prefix": prefix},
             "route": {"cluster": "large" if port == LARGE else "small", "timeout": "60s"}})
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http", "codec_type": "HTTP1", "use_remote_address": True,
        "request_headers_timeout": "10s",
        "route_config": {"virtual_hosts": [
            {"name": name, "domains": [name], "routes": found} for name, found in hosts.items()]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}}],
    }
    forward = {"@type": f"{extensions}.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp",
               "cluster": "iperf"}
    http, tcp = PORTS["envoy"]
    configuration = {"static_resources": {
        "listeners": [_listener("http", http, manager), _listener("tcp", tcp, forward)],
        "clusters": [_cluster("small", SMALL), _cluster("large", LARGE), _cluster("iperf", IPERF)]}}
    path = directory / "envoy.json"
    path.write_text(json.dumps(configuration))
    return [program, "-c", path, "--concurrency", 1, "--disable-hot-restart", "-l", "warning"]


def _listener(name, port, typed):
    return {"name": name, "address": _address(port),
            "filter_chains": [{"filters": [{"name": name, "typed_config": typed}]}]}


def _cluster(name, port):
    return {"name": name, "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]}}


def _address(port):
    return {"socket_address": {"address": ADDRESS, "port_value": port}}


def ours(directory, program, routes):
    documents = [_service("small", SMALL), _service("large", LARGE), _service("iperf", IPERF)]
    documents.append({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": _named("edge"),
        "spec": {"gatewayClassName": "kmesh", "listeners": [
            {"name": "http", "port": PORTS["ours"][0], "protocol": "HTTP"}]}})
    # An HTTPRoute has at most 16 rules.
    all_rules = rules(routes)
    for start in range(0, len(all_rules), 10):
        some = all_rules[start:start + 10]
        documents.append({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": _named(f"route-{start // 10}"),
            "spec": {"parentRefs": [{"kind": "Gateway", "name": "edge"}], "hostnames": [some[0][0]],
                     "rules": [_rule(prefix, port) for _, prefix, port in some]}})
    listed = [item for document in documents for item in (document if isinstance(document, list) else [document])]
    path = directory / "mesh.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}))
    http, tcp = PORTS["ours"]
    return [program, "--mesh-file", path, "--threads", 1, "--listen", f"{ADDRESS}:{http}",
            "--listen", f"{ADDRESS}:{tcp}=iperf.default:80", "--status-address", "127.0.0.1:15021"]


def _named(name):
    return {"name": name, "namespace": "default"}


def _rule(prefix, port):
    return {"matches": [{"path": {"type": "PathPrefix", "value": prefix.rstrip("/")}}],
            "timeouts": {"request": "60s"},
            "backendRefs": [{"name": "large" if port == LARGE else "small", "port": 80}]}


def _service(name, port):
    kind = "tcp" if port == IPERF else "http"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": _named(name),
               "spec": {"clusterIP": f"10.96.0.{port - 9000}",
                        "ports": [{"name": kind, "port": 80, "targetPort": port}]}}
    piece = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {**_named(f"{name}-1"), "labels": {"kubernetes.io/service-name": name}},
             "addressType": "IPv4", "ports": [{"name": kind, "port": port, "protocol": "TCP"}],
             "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}]}
    return [service, piece]
