"""Puts kmesh-waypoint under stress and checks what comes through, byte by byte.

Usage: stress.py KMESH_WAYPOINT DIRECTORY [SCENARIO...]. Prints a line for each scenario; ends with 1 when one
failed.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

# Sockets that keep ports. Two listeners of a waypoint share a port that is given to both without a word.
KEPT = []
PIECE = bytes(range(256)) * 256
SMALL = b"x" * 100


class Failure(Exception):
    """What went wrong, for people."""


def pattern(start, count):
    """`count` bytes of the endless repetition of PIECE, from `start` on."""
    offset = start % len(PIECE)
    return (PIECE * ((offset + count) // len(PIECE) + 1))[offset:offset + count]


def digest_of(size):
    found = hashlib.sha256()
    for start in range(0, size, len(PIECE)):
        found.update(pattern(start, min(len(PIECE), size - start)))
    return found.hexdigest()


class Stream:
    """A connection that is read by lines and by counts."""

    def __init__(self, connection):
        self.socket, self.pending = connection, b""

    def fill(self):
        piece = self.socket.recv(1 << 18)
        self.pending += piece
        return bool(piece)

    def line(self):
        while b"\r\n" not in self.pending:
            if not self.fill():
                raise EOFError
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line

    def take(self, count, each):
        """Hands exactly `count` bytes to `each`, in pieces."""
        while count:
            if not self.pending and not self.fill():
                raise EOFError
            piece, self.pending = self.pending[:count], self.pending[count:]
            count -= len(piece)
            each(piece)

    def head(self):
        first, headers = self.line(), {}
        while line := self.line():
            name, value = line.split(b":", 1)
            headers[name.strip().lower()] = value.strip()
        return first, headers

    def body(self, headers, each):
        if headers.get(b"transfer-encoding") == b"chunked":
            while size := int(self.line().split(b";")[0], 16):
                self.take(size, each)
                self.line()
            while self.line():
                pass
        else:
            self.take(int(headers.get(b"content-length", 0)), each)


# The server behind the waypoint: a process of its own, so that it can be killed.

def answer(stream, path, digest):
    words = path.strip("/").split("/")
    send = stream.socket.sendall
    if words[0] == "digest":
        send(f"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n{digest}".encode())
    elif words[0] in ("bytes", "chunks"):
        size = int(words[1])
        framing = f"Content-Length: {size}" if words[0] == "bytes" else "Transfer-Encoding: chunked"
        send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        for start in range(0, size, 50000):
            piece = pattern(start, min(50000, size - start))
            send(piece if words[0] == "bytes" else b"%x\r\n%s\r\n" % (len(piece), piece))
        if words[0] == "chunks":
            send(b"0\r\n\r\n")
    elif words[0] == "die":
        # Whole, it would be this; it ends with a reset or an end of the stream somewhere before.
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Some: header\r\n\r\n" + SMALL
        send(whole[:int(words[1])])
        if words[2] == "reset":
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    else:
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + SMALL)
    return True


def serve_connection(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = Stream(connection)
    try:
        with connection:
            while True:
                first, headers = stream.head()
                found = hashlib.sha256()
                stream.body(headers, found.update)
                if not answer(stream, first.split(b" ")[1].decode(), found.hexdigest()):
                    return
    except (EOFError, OSError):
        pass


def serve(address, port):
    listener = socket.create_server((address, port), backlog=1024)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(connection,), daemon=True).start()


class Server:
    def __init__(self, address, port):
        self.address, self.port, self.child = address, port, None
        self.start()

    def start(self):
        words = [sys.executable, "-B", __file__, "serve", self.address, str(self.port)]
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.child.stdout.readline().strip() != "ready":
            raise Failure("the server did not start")

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


class Waypoint:
    def __init__(self, program, directory, servers):
        self.port, self.stream_port, self.any_port, status = [free_port() for _ in range(4)]
        labels = {"kubernetes.io/service-name": "server"}
        objects = [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server", "namespace": "default"},
             "spec": {"clusterIP": "10.96.0.1",
                      "ports": [{"name": "http", "port": 80, "targetPort": servers[0].port},
                                {"name": "tcp", "port": 81, "targetPort": servers[0].port},
                                {"name": "any", "port": 82, "targetPort": servers[0].port}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {"name": "server-1", "namespace": "default", "labels": labels},
             "ports": [{"name": name, "port": servers[0].port, "protocol": "TCP"}
                       for name in ("http", "tcp", "any")],
             "endpoints": [
                 {"addresses": [server.address], "conditions": {"ready": True}} for server in servers]}]
        path = directory / "stress.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        words = [program, "--mesh-file", path, "--listen", f"127.0.0.1:{self.port}=server.default:80",
                 "--listen", f"127.0.0.1:{self.stream_port}=server.default:81",
                 "--listen", f"127.0.0.1:{self.any_port}=server.default:82",
                 "--status-address", f"127.0.0.1:{status}", "--request-header-timeout", "3s",
                 "--log-level", "error"]
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not self.is_ready(status):
            if self.child.poll() is not None:
                raise Failure(f"the waypoint ended with {self.child.returncode}")
            if time.monotonic() > end:
                raise Failure("the waypoint is not ready after 60 s")
            time.sleep(0.05)

    def is_ready(self, port):
        try:
            return self.get("/readyz", Stream(self.connect(port=port)))[0] == 200
        except OSError:
            return False

    def connect(self, timeout=20, port=None):
        connection = socket.create_connection(("127.0.0.1", port or self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @contextlib.contextmanager
    def free_descriptors(self, count):
        """Meanwhile the waypoint may open no more than `count` files besides those that it has open."""
        _, most = resource.prlimit(self.child.pid, resource.RLIMIT_NOFILE)
        used = max(int(path.name) for path in pathlib.Path(f"/proc/{self.child.pid}/fd").iterdir())
        resource.prlimit(self.child.pid, resource.RLIMIT_NOFILE, (used + 1 + count, most))
        try:
            yield
        finally:
            resource.prlimit(self.child.pid, resource.RLIMIT_NOFILE, (most, most))

    def rss(self):
        pages = int(pathlib.Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu(self):
        """Seconds of the processors that it has used."""
        words = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path, stream=None):
        """(status, digest of the body); the connection stays for a caller that gave its stream."""
        own = stream or Stream(self.connect())
        own.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: server\r\n\r\n".encode())
        first, headers = own.head()
        found = hashlib.sha256()
        own.body(headers, found.update)
        if stream is None:
            own.socket.close()
        return int(first.split(b" ")[1]), found.hexdigest()


def end(child, seconds):
    """Ends a program as a person would, or else by force, which is an error."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        raise Failure(f"{child.args[0]} does not end within {seconds} s") from None


def free_port():
    """A free port of this program's own: the socket that keeps it does not listen, and lets listeners in."""
    kept = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        kept.setsockopt(socket.SOL_SOCKET, option, 1)
    kept.bind(("127.0.0.1", 0))
    KEPT.append(kept)
    return kept.getsockname()[1]


# The scenarios.

SIZES = (0, 1, 100, 4095, 16383, 16384, 16385, 65536, 1 << 20, 100_000_000)


def bodies(waypoint, _):
    """Bodies of both framings and directions, up to 100 MB, arrive as they were sent."""
    for size in SIZES:
        for kind in ("bytes", "chunks"):
            status, found = waypoint.get(f"/{kind}/{size}")
            if (status, found) != (200, digest_of(size)):
                raise Failure(f"/{kind}/{size}: {status}, other bytes")
            post(waypoint, size, kind)


def post(waypoint, size, kind):
    stream = Stream(waypoint.connect())
    framing = f"Content-Length: {size}" if kind == "bytes" else "Transfer-Encoding: chunked"
    stream.socket.sendall(f"POST /digest HTTP/1.1\r\nHost: server\r\n{framing}\r\n\r\n".encode())
    for start in range(0, size, 50000):
        piece = pattern(start, min(50000, size - start))
        stream.socket.sendall(piece if kind == "bytes" else b"%x;part=1\r\n%s\r\n" % (len(piece), piece))
    if kind == "chunks":
        stream.socket.sendall(b"0\r\nX-Trailer: yes\r\n\r\n")
    first, headers = stream.head()
    said = []
    stream.body(headers, said.append)
    stream.socket.close()
    if b"".join(said).decode() != digest_of(size):
        raise Failure(f"POST of {size} {kind}: {first.decode()}, other bytes")


def slow_readers(waypoint, _):
    """50 clients that ask for 20 MB each and do not read take bounded memory, and get all of it later."""
    size, before = 20_000_000, waypoint.rss()
    streams = [Stream(waypoint.connect()) for _ in range(50)]
    for stream in streams:
        stream.socket.sendall(f"GET /bytes/{size} HTTP/1.1\r\nHost: server\r\n\r\n".encode())
    time.sleep(2)
    grown = waypoint.rss() - before
    if grown > 50 * 200_000:
        raise Failure(f"50 slow readers took {grown} bytes")
    for stream in streams[:5]:
        _, headers = stream.head()
        found = hashlib.sha256()
        stream.body(headers, found.update)
        if found.hexdigest() != digest_of(size):
            raise Failure("a slow reader got other bytes")
    for stream in streams:
        stream.socket.close()


def slow_writers(waypoint, _):
    """50 clients that send a body byte by byte; others are served meanwhile."""
    streams = [Stream(waypoint.connect()) for _ in range(50)]
    for stream in streams:
        stream.socket.sendall(b"POST /digest HTTP/1.1\r\nHost: server\r\nContent-Length: 100\r\n\r\n")
    for at in range(100):
        for stream in streams:
            stream.socket.sendall(pattern(at, 1))
        if waypoint.get("/")[0] != 200:
            raise Failure("another request failed beside slow writers")
    for stream in streams:
        _, headers = stream.head()
        said = []
        stream.body(headers, said.append)
        if b"".join(said).decode() != digest_of(100):
            raise Failure("the body of a slow writer arrived differently")
        stream.socket.close()


def slowloris(waypoint, _):
    """200 connections that never finish a head cost others nothing, and are ended in time."""
    held = [waypoint.connect() for _ in range(200)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: server\r\n")
    stream, slowest = Stream(waypoint.connect()), 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        for connection in held:
            try:
                connection.sendall(b"X-a: b\r\n")
            except OSError:
                pass
        for _ in range(50):
            start = time.monotonic()
            if waypoint.get("/", stream)[0] != 200:
                raise Failure("a request beside 200 slow ones failed")
            slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.1)
    for connection in held:
        connection.settimeout(5)
        try:
            said = connection.recv(1000)
        except ConnectionError:
            said = b""
        except TimeoutError:
            raise Failure("a head that never ends is waited for") from None
        if said and not said.startswith(b"HTTP/1.1 408"):
            raise Failure(f"a head that never ends got {said[:40]!r}")
        connection.close()
    # One that waits for a slow one waits for as long as that may take, 3 s.
    if slowest > 2:
        raise Failure(f"a request beside 200 slow ones took {slowest:.2f} s")


def dying_servers(waypoint, _):
    """A server that ends in the middle of an answer, at every byte: never taken for a whole answer."""
    whole = len(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Some: header\r\n\r\n") + len(SMALL)
    for count in range(whole):
        for ending in ("close", "reset"):
            try:
                status, found = waypoint.get(f"/die/{count}/{ending}")
            except (EOFError, ConnectionError):
                continue
            except TimeoutError:
                raise Failure(f"after {count} bytes and a {ending} the client waits for ever") from None
            if status not in (502, 503):
                raise Failure(f"after {count} bytes and a {ending} the client got a whole {status}")
    if waypoint.get("/")[0] != 200:
        raise Failure("the waypoint serves no more")


def killed_server(waypoint, servers):
    """One of two servers is killed under load, three times: requests that may be repeated do not fail."""
    stop, failures, counts = threading.Event(), [], []

    def client():
        stream, count = Stream(waypoint.connect()), 0
        while not stop.is_set():
            try:
                status, _ = waypoint.get("/", stream)
                if status != 200:
                    failures.append(f"status {status}")
            except (EOFError, OSError) as error:
                failures.append(repr(error))
                stream = Stream(waypoint.connect())
            count += 1
        counts.append(count)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for _ in range(16):
            pool.submit(client)
        for _ in range(3):
            time.sleep(1)
            servers[1].kill()
            time.sleep(0.5)
            servers[1].start()
        time.sleep(1.5)
        stop.set()
    if failures:
        raise Failure(f"{len(failures)} of {sum(counts)} requests failed, the first by {failures[0]}")


def leaving_readers(waypoint, _):
    """300 clients leave within a stream that is passed through: that ends nothing but their streams."""
    for turn in range(300):
        connection = waypoint.connect(port=waypoint.stream_port)
        connection.sendall(b"GET /bytes/9000000000 HTTP/1.1\r\nHost: server\r\n\r\n")
        end = time.monotonic() + turn % 10 * 0.003
        while time.monotonic() < end:
            connection.recv(1 << 20)
        if turn % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    if waypoint.get("/")[0] != 200:
        raise Failure("the waypoint serves no more")


def few_descriptors(waypoint, _):
    """Out of descriptors, connections in the pools go first; clients wait without work for the waypoint."""
    pooled = [Stream(waypoint.connect()) for _ in range(20)]
    for stream in pooled:
        stream.socket.sendall(b"GET /bytes/3000000 HTTP/1.1\r\nHost: server\r\n\r\n")
    for stream in pooled:
        _, headers = stream.head()
        stream.body(headers, lambda _: None)
    with waypoint.free_descriptors(0):
        # Each takes two descriptors, which were in the pools of all workers, and stays.
        streamed = []
        for number in range(8):
            streamed.append(Stream(waypoint.connect(port=waypoint.stream_port)))
            if waypoint.get("/", streamed[-1])[0] != 200:
                raise Failure(f"no service for stream {number} without descriptors")
        waiting = [waypoint.connect() for _ in range(100)]
        before = waypoint.cpu()
        time.sleep(1)
        if waypoint.cpu() - before > 0.5:
            raise Failure("without descriptors the waypoint is busy with nothing")
        serve_all(waypoint, waiting)
        for stream in pooled + streamed:
            stream.socket.close()


def late_requests(waypoint, _):
    """More clients than descriptors, which ask when all are taken: each is served, one after the other."""
    for port in (waypoint.port, waypoint.any_port):
        with waypoint.free_descriptors(40):
            clients = [waypoint.connect(port=port) for _ in range(80)]
            # Those of the second port are silent for too long to be taken for HTTP.
            time.sleep(0.5)
            serve_all(waypoint, clients)


def serve_all(waypoint, connections):
    """A request from each, at once: which of them the few descriptors are for is not known."""
    with concurrent.futures.ThreadPoolExecutor(len(connections)) as pool:
        statuses = list(pool.map(lambda connection: one_request(waypoint, connection), connections))
    if set(statuses) != {200}:
        raise Failure(f"of {len(statuses)} clients, {len(statuses) - statuses.count(200)} got no service")


def one_request(waypoint, connection):
    with connection:
        return waypoint.get("/bytes/200000", Stream(connection))[0]


SCENARIOS = (
    leaving_readers, few_descriptors, late_requests, bodies, slow_readers, slow_writers, slowloris,
    dying_servers, killed_server)


def main():
    # Whoever runs this may block signals, and children inherit that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    chosen = [part for part in SCENARIOS if not sys.argv[3:] or part.__name__ in sys.argv[3:]]
    port = free_port()
    servers = [Server("127.0.0.1", port), Server("127.0.0.2", port)]
    failed = 0
    try:
        waypoint = Waypoint(program, directory, servers)
        try:
            for part in chosen:
                start = time.monotonic()
                try:
                    part(waypoint, servers)
                    print(f"{part.__name__}: good after {time.monotonic() - start:.1f} s", flush=True)
                except (Failure, OSError, EOFError) as error:
                    failed += 1
                    print(f"{part.__name__}: {error!r}", flush=True)
            if waypoint.child.poll() is not None:
                failed += 1
                print(f"the waypoint ended with {waypoint.child.returncode}")
        finally:
            end(waypoint.child, 30)
    finally:
        for server in servers:
            server.kill()
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    sys.exit(main())
