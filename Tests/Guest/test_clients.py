# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Programs that dial a service whose requests are routed, as they come: clients, libraries, proxies."""

import asyncio
import http.client
import os
import re
import select
import socket
import subprocess
import time

import node
from clients import answers, ask, connect, request, send_all, wait_for
from mesh import pod, route, rule, service, vip, vip6
from node import CLIENT, counter
from testing import MeshFileTest

V1, V2, OWN = pod(1), pod(2), pod(4)
ADDRESS = vip(20)
URL = f"http://{ADDRESS}/"
MSG_ZEROCOPY, SO_ZEROCOPY = 0x4000000, 60
SECOND = request(closes=False, x_version="v2")


def run(*words, seconds=60):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


# A guest may take longer than 1 s to come from the registration of a reader to its first bytes.
PATIENT = {"kmesh.net/http-read-timeout": "5s", "kmesh.net/http-idle-timeout": "8s"}


class ClientTest(MeshFileTest):
    mesh = [
        service(1, "v1", [1]), service(2, "v2", [2]), service(20, "web", [4], annotations=PATIENT),
        route("web", rule("v2", headers=[{"name": "x-version", "value": "v2"}]), rule("v1")),
    ]

    def assertServed(self, sock, *names):
        self.assertEqual(answers(sock, len(names)), list(names))


class SocketTests(ClientTest):
    def test_sendfile(self):
        file = os.memfd_create("request")
        os.write(file, SECOND)
        with connect(ADDRESS) as sock:
            self.assertEqual(os.sendfile(sock.fileno(), file, 0, len(SECOND)), len(SECOND))
            self.assertServed(sock, V2)
        os.close(file)

    def test_vectors(self):
        with connect(ADDRESS) as sock:
            os.writev(sock.fileno(), [SECOND[:5], SECOND[5:30], SECOND[30:]])
            self.assertServed(sock, V2)

    def test_splice(self):
        reader, writer = os.pipe()
        os.write(writer, SECOND)
        with connect(ADDRESS) as sock:
            self.assertEqual(os.splice(reader, sock.fileno(), len(SECOND)), len(SECOND))
            self.assertServed(sock, V2)
        os.close(reader)
        os.close(writer)

    def test_zero_copy(self):
        with connect(ADDRESS) as sock:
            sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
            self.assertEqual(sock.send(SECOND, MSG_ZEROCOPY), len(SECOND))
            self.assertServed(sock, V2)
            self.assertTrue(wait_for(sock, select.POLLERR) & select.POLLERR)
            _, control, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            self.assertTrue(control)

    def test_split_heads(self):
        for waits in (True, False):
            for pieces in ([SECOND[:1], SECOND[1:3], SECOND[3:-1], SECOND[-1:]], [bytes([b]) for b in SECOND]):
                with self.subTest(waits=waits, pieces=len(pieces)), connect(ADDRESS, waits=waits) as sock:
                    for piece in pieces:
                        send_all(sock, piece)
                    self.assertServed(sock, V2)

    def test_slow_head(self):
        with connect(ADDRESS) as sock:
            # In time each, but together longer than a piece may take.
            for piece in (SECOND[:10], SECOND[10:20], SECOND[20:]):
                sock.sendall(piece)
                time.sleep(0.15)
            self.assertServed(sock, V2)

    def test_long_heads(self):
        with self.counted("routed", 2):
            self.assertEqual(ask(ADDRESS, x_filler="f" * 4096, x_version="v2"), V2)
            self.assertEqual(ask(vip6(20), x_filler="f" * 4096, cookie="c" * 3000), self.second_family(V1))
        # Beyond 8 KiB nothing is read: to the service itself.
        with self.counted("routed", 0):
            self.assertEqual(ask(ADDRESS, x_filler="f" * 9000, x_version="v2"), OWN)

    @staticmethod
    def second_family(name):
        return re.sub(r"^10\.21\.5\.(\d+)", r"[fd00:21::\1]", name)

    def test_not_waiting(self):
        for address in (ADDRESS, vip6(20)):
            with connect(address, waits=False) as sock:
                self.assertTrue(wait_for(sock, select.POLLOUT) & select.POLLOUT)
                self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
                send_all(sock, SECOND)
                self.assertServed(sock, V2 if address == ADDRESS else self.second_family(V2))

    def test_edges_with_an_early_read(self):
        # As Go's runtime does.
        with connect(ADDRESS, waits=False) as sock, select.epoll() as poll:
            poll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
            self.assertRaises(BlockingIOError, sock.recv, 10)
            data, got, end = SECOND, b"", time.monotonic() + 10
            while b"\n10.21" not in got and time.monotonic() < end:
                for _, events in poll.poll(1):
                    if events & select.EPOLLOUT and data:
                        try:
                            data = data[sock.send(data):]
                        except BlockingIOError:
                            pass
                    if events & select.EPOLLIN:
                        try:
                            got += sock.recv(999)
                        except BlockingIOError:
                            pass
            self.assertIn(V2.encode(), got)

    def test_io_uring(self):
        print(run(node.PROGRAMS / "uring", ADDRESS, 80, V2).replace("\n", ""), end=" ", flush=True)

    def test_body(self):
        connection = http.client.HTTPConnection(ADDRESS, timeout=20)
        connection.request("POST", "/", body=b"z" * 300000, headers={"x-version": "v2"})
        self.assertRegex(connection.getresponse().read().decode(), f"^{V2} .* body=300000\n$")
        connection.close()


class ProgramTests(ClientTest):
    def test_curl(self):
        self.need("curl", "curl")
        for version, name in (("v2", V2), ("v1", V1)):
            self.assertTrue(run("curl", "-sS", "-m", 20, "-H", f"x-version: {version}", URL).startswith(name))
        # Three on one connection, and a body that is asked for first.
        with self.counted("routed", 1):
            words = ["-w", "%{num_connects}\n", URL, URL, URL]
            said = run("curl", "-sS", "-m", 20, "-H", "x-version: v2", *words).splitlines()
        self.assertEqual([line.split(" ")[0] for line in said], [V2, "1", V2, "0", V2, "0"])
        said = run("curl", "-sS", "-m", 20, "-H", "x-version: v2", "-H", "Expect:", "-d", "y" * 50000, URL)
        self.assertRegex(said, f"^{V2} POST .* body=50000")

    def test_http_client(self):
        for version, name in (("v2", V2), ("v1", V1)):
            connection = http.client.HTTPConnection(ADDRESS, timeout=20)
            for _ in range(3):
                connection.request("GET", "/", headers={"x-version": version})
                self.assertTrue(connection.getresponse().read().decode().startswith(name))
            connection.close()

    def test_requests(self):
        try:
            import requests  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.cannot("no requests in Python: apt-get install python3-requests")
        for version, name in (("v2", V2), ("v1", V1)):
            with requests.Session() as session:
                for _ in range(3):
                    answer = session.get(URL, headers={"x-version": version}, timeout=20)
                    self.assertTrue(answer.text.startswith(name), answer.text)

    def test_asyncio(self):
        async def one(number):
            reader, writer = await asyncio.open_connection(ADDRESS, 80)
            writer.write(request(x_version=f"v{number % 2 + 1}"))
            await writer.drain()
            got = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return (V1, V2)[number % 2].encode() in got

        async def many():
            return await asyncio.gather(*map(one, range(60)))

        self.assertEqual(asyncio.run(many()), [True] * 60)

    def test_wrk(self):
        self.need("wrk", "wrk")
        for words, connections in ((("-H", "x-version: v2"), "kept"), (("-H", "Connection: close"), "ended")):
            before, plain = counter("deferred"), counter("plain")
            said = run("wrk", "-t1", "-c8", "-d2s", "--timeout", "20s", *words, URL)
            self.assertNotIn("Socket errors", said)
            self.assertNotIn("Non-2xx", said)
            requests = int(re.search(r"(\d+) requests in", said).group(1))
            deferred = counter("deferred") - before
            self.assertGreater(requests, 20)
            self.assertGreaterEqual(deferred, 8 if connections == "kept" else requests)
            # Each had its request read, none timed out.
            self.assertEqual(counter("plain"), plain)
            print(f"{requests} requests on {deferred} connections", end=" ", flush=True)

    def through(self, *words):
        """Requests through a proxy at 127.0.0.1:8090, each on a connection of its own."""
        proxy = node.start(
            CLIENT, *words, group="pods", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            def answers_():
                if proxy.poll() is not None:
                    self.fail(proxy.stderr.read().decode())
                with socket.socket() as sock:
                    return not sock.connect_ex(("127.0.0.1", 8090))

            node.wait(answers_, "the proxy", 30)
            for number in range(20):
                name, version = ((V1, "v1"), (V2, "v2"))[number % 2]
                self.assertEqual(ask("127.0.0.1", port=8090, x_version=version), name)
        finally:
            proxy.terminate()
            proxy.wait(20)
            proxy.stderr.close()

    def test_nginx(self):
        self.need("nginx", "nginx")
        folder = node.DIRECTORY / "nginx"
        folder.mkdir(exist_ok=True)
        temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {folder}/pid; error_log stderr error;
            events {{ worker_connections 64; }}
            http {{ access_log off; {temporary}
                server {{ listen 127.0.0.1:8090; location / {{ proxy_pass {URL}; }} }} }}""")
        with self.counted("routed", 20):
            self.through("nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")

    def test_haproxy(self):
        self.need("haproxy", "haproxy")
        file = node.DIRECTORY / "haproxy.cfg"
        file.write_text(f"""
defaults
    mode http
    http-reuse never
    timeout connect 20s
    timeout client 20s
    timeout server 20s
listen web
    bind 127.0.0.1:8090
    server web {ADDRESS}:80
""")
        with self.counted("routed", 20):
            self.through("haproxy", "-f", file, "-db", "-q")
