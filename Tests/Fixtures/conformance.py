"""Holds kmesh-waypoint to the Gateway API: the cases of its conformance suite for HTTPRoute, for Gateways and
for the mesh, as tables of routes, requests and what must come of them.

Usage: conformance.py KMESH_WAYPOINT DIRECTORY [CASE...]. Prints a line for each case; ends with 1 when one
failed. The cases are in conformance_cases.py; each runs a waypoint of its own.
"""

import http.client
import http.server
import json
import math
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from conformance_cases import CASES

# How far a share may be from its mean: a false alarm in 1.7 million tests.
DEVIATIONS = 5
BACKENDS = {
    "v1": "shop", "v2": "shop", "v3": "shop", "app-v1": "app", "app-v2": "app", "web": "web",
}
# Sockets that keep ports. Two listeners of a waypoint share a port that is given to both without a word.
KEPT = []


class Failure(Exception):
    """What went wrong, for people."""


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it got. The query may ask for a delay, X-Echo-Set-Header for headers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.count += 1
        time.sleep(float(query.get("delay", ["0"])[0]))
        # `?fail=503,2`: the first two requests with this path fail.
        status, times = (query.get("fail", ["200,0"])[0]).split(",")
        tries = self.server.tries[self.path] = self.server.tries.get(self.path, 0) + 1
        seen = {
            "backend": self.server.name, "method": self.command, "path": self.path, "tries": tries,
            "host": self.headers.get("Host"), "body": body.decode(),
            "headers": [[name.lower(), value] for name, value in self.headers.items()]}
        text = json.dumps(seen).encode()
        self.send_response(int(status) if tries <= int(times) else 200)
        for line in self.headers.get_all("X-Echo-Set-Header", []):
            for pair in line.split(", "):
                self.send_header(*pair.split(":", 1))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        """Says nothing."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), Echo)
        self.name, self.count, self.tries = name, 0, {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A client that went away is no fault."""


def objects(servers):
    """A Service with one endpoint for each backend, and `all` over three of them."""
    for name, namespace in BACKENDS.items():
        yield from service(name, namespace, [servers[name]])
    yield from service("all", "shop", [servers[name] for name in ("v1", "v2", "v3")])


def service(name, namespace, servers):
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "http-more", "port": 8081, "protocol": "TCP"}]
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
           "spec": {"ports": ports}}
    for server in servers:
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {"name": f"{name}-{server.name}", "namespace": namespace,
                            "labels": {"kubernetes.io/service-name": name}},
               "ports": [{**port, "port": server.server_address[1]} for port in ports],
               "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]}


class Waypoint:
    """One listener for hosts, one for each port of the Service `all` of the mesh cases."""

    def __init__(self, program, path):
        self.ports = {name: free_port() for name in ("hosts", "all", "all-more")}
        self.status = free_port()
        self.log = path.with_suffix(".log").open("w+")
        words = [program, "--mesh-file", path, "--namespace", "shop", "--threads", "2",
                 "--listen", f"127.0.0.1:{self.ports['hosts']}",
                 "--listen", f"127.0.0.1:{self.ports['all']}=all.shop:8080",
                 "--listen", f"127.0.0.1:{self.ports['all-more']}=all.shop:8081",
                 "--status-address", f"127.0.0.1:{self.status}"]
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(3000):
            if self.child.poll() is not None:
                raise Failure(f"the waypoint ended with {self.child.returncode}:\n{self.text()}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.status, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise Failure("the waypoint does not become ready")

    def text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(20)
        if code != 0:
            raise Failure(f"the waypoint ended with {code}")


def free_port():
    """A free port of this program's own: the socket that keeps it does not listen, and lets listeners in."""
    kept = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        kept.setsockopt(socket.SOL_SOCKET, option, 1)
    kept.bind(("127.0.0.1", 0))
    KEPT.append(kept)
    return kept.getsockname()[1]


def ask(waypoint, request):
    """(status, headers of the response, what the backend saw or None)."""
    connection = http.client.HTTPConnection("127.0.0.1", waypoint.ports[request["to"]], timeout=20)
    connection.putrequest(request["method"], request["path"], skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", request["host"].replace("PORT", str(waypoint.ports[request["to"]])))
    for name, value in request["headers"]:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    headers = [(name.lower(), value) for name, value in response.getheaders()]
    return response.status, headers, json.loads(body) if body.startswith(b"{") else None


def values(headers, name):
    return ", ".join(value for found, value in headers if found == name.lower())


def check(waypoint, request):
    """Raises `Failure` when something else came of the request than its table says."""
    want = request["want"]
    status, headers, seen = ask(waypoint, request)

    def same(what, found, wanted):
        if found != wanted:
            raise Failure(f"{request['method']} {request['host']}{request['path']} {request['headers']}: {what} is "
                          f"{found!r}, not {wanted!r}")

    same("status", status, want.get("status", 200))
    if "backend" in want:
        same("backend", (seen or {}).get("backend"), want["backend"])
    for key in ("path", "host", "tries", "method"):
        if key in want:
            same(key, (seen or {}).get(key), want[key])
    for name, value in want.get("sees", {}).items():
        same(f"request header {name}", values((seen or {}).get("headers", []), name), value)
    for name, value in want.get("answers", {}).items():
        wanted = value.replace("PORT", str(waypoint.ports[request["to"]]))
        same(f"response header {name}", values(headers, name), wanted)


def check_shares(waypoint, request, shares, count):
    """Sends `count` requests; each share must be within what chance allows. A number is a status."""
    found = dict.fromkeys(shares, 0)
    for _ in range(count):
        status, _, seen = ask(waypoint, request)
        key = seen["backend"] if seen else status
        found[key] = found.get(key, 0) + 1
    total = sum(shares.values())
    for key, got in found.items():
        share = shares.get(key, 0) / total
        wanted = share * count
        if abs(got - wanted) > DEVIATIONS * math.sqrt(share * (1 - share) * count):
            raise Failure(f"{got} of {count} went to {key}, not about {wanted:.0f}: {found}")


def run(program, directory, servers, case):
    path = directory / f"{case['name']}.json"
    items = [*objects(servers), *case["objects"]]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    waypoint = Waypoint(program, path)
    try:
        for request in case["requests"]:
            if "shares" in request:
                check_shares(waypoint, request, request["shares"], request["count"])
            else:
                check(waypoint, request)
        for text in case["says"]:
            if text not in waypoint.text():
                raise Failure(f"its log does not say {text!r}:\n{waypoint.text()}")
    finally:
        waypoint.stop()


def main(program, directory, chosen):
    servers = {name: Server(name) for name in BACKENDS}
    failed = 0
    for case in CASES:
        if chosen and case["name"] not in chosen:
            continue
        try:
            run(program, pathlib.Path(directory), servers, case)
            print(f"{case['name']}: good, {len(case['requests'])} requests", flush=True)
        except Failure as failure:
            failed += 1
            print(f"{case['name']}: FAILED: {failure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
