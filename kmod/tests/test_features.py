# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Retries, names of peers, limits, counters; and what programs learn of a request."""

import errno
import socket
import struct
import subprocess
import threading
import time
import unittest

from mesh import (
    ALONE, DIALED, FIRST, NOBODY, SECOND, TO_FIRST, TO_SECOND, UNROUTABLE, MeshTest, client, counter, dialed,
    namespace_counters, settled,
)

EXACT, PREFIX, SUFFIX, CONTAINS, PRESENT, SEGMENTS = range(1, 7)
IGNORE_CASE, INVERT, MISSING_IS_EMPTY = 1, 2, 4

ENOENT, EINVAL = -errno.ENOENT, -errno.EINVAL


def matcher(kind, key, value=b"", flags=0):
    return struct.pack("=BBHHH", kind, flags, len(key), len(value), 0) + key + value


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value or 1


class RetryTests(MeshTest):
    def test_next_endpoint(self):
        self.program.configure(second=NOBODY, retries=(FIRST, FIRST), retry_count=2)
        before = counter("retried")
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")
        self.assertEqual(counter("retried") - before, 1)
        self.assertEqual(self.program.answers()["retry"], 1)
        self.assertEqual(sock.getpeername(), FIRST)

    def test_third_endpoint_without_a_route(self):
        self.program.configure(second=NOBODY, retries=(UNROUTABLE, SECOND), retry_count=9)
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")
        answers = self.program.answers()
        self.assertEqual((answers["retry"], answers["retries"]), (2, 5))

    def test_no_more(self):
        self.program.configure(second=NOBODY, retries=(NOBODY, NOBODY), retry_count=3)
        sock = dialed()
        self.assertFails(errno.ECONNREFUSED, sock.send, TO_SECOND)
        self.assertEqual(self.program.answers()["retry"], 3)
        self.program.configure()
        sock.connect(DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_without_route_at_once(self):
        self.program.configure(second=UNROUTABLE, retry_count=1)
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")

    def test_program_stops_it(self):
        self.program.configure(second=NOBODY, retry_count=3, refuses_retry=1, retval=-errno.EHOSTDOWN)
        self.assertFails(errno.EHOSTDOWN, dialed().send, TO_SECOND)
        self.program.configure(second=NOBODY, retry_count=3, refuses_retry=1)
        self.assertFails(errno.EPERM, dialed().send, TO_SECOND)
        self.assertEqual(self.program.answers()["retry"], 2)

    def test_address_left_alone_means_default(self):
        self.program.configure(second=ALONE)
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")
        self.program.configure(second=NOBODY, retries=(ALONE, ALONE), retry_count=1)
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")

    def test_request_in_pieces_and_a_body(self):
        self.program.configure(second=NOBODY, retry_count=1)
        request = TO_SECOND[:-2] + b"Content-Length: 100000\r\n\r\n" + b"z" * 100000
        sock = dialed()
        sock.send(request[:20])
        sock.sendall(request[20:])
        self.assertServed(sock, "srv1")

    def test_bound_port_is_kept(self):
        self.program.configure(second=NOBODY, retry_count=1)
        sock = client()
        sock.bind(("10.9.0.1", 34569))
        sock.connect(DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")
        self.assertEqual(sock.getsockname(), ("10.9.0.1", 34569))

    def test_not_without_waiting(self):
        self.program.configure(second=NOBODY, retry_count=2)
        before = counter("retried")
        self.assertFails(errno.ECONNREFUSED, dialed(waits=False).send, TO_SECOND)
        self.assertEqual(counter("retried"), before)

    def test_ipv6(self):
        self.program.configure(second=NOBODY, retry_count=2)
        sock = dialed(family=socket.AF_INET6, address=("::ffff:10.99.0.1", 80))
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")


class NameTests(MeshTest):
    def test_deferred_and_connected(self):
        sock = dialed()
        self.assertEqual(sock.getpeername(), DIALED)
        sock.send(TO_SECOND[:9])
        self.assertEqual(sock.getpeername(), DIALED)
        sock.send(TO_SECOND[9:])
        self.assertServed(sock, "srv2")
        self.assertEqual(sock.getpeername(), SECOND)

    def test_none_after_failure(self):
        self.program.configure(default=NOBODY)
        sock = dialed()
        self.assertFails(errno.ECONNREFUSED, sock.send, TO_FIRST)
        self.assertFails(errno.ENOTCONN, sock.getpeername)


class LimitTests(MeshTest):
    PARAMETER = "/sys/module/kmesh/parameters/max_deferred"

    def limit(self, number):
        with open(self.PARAMETER, "w", encoding="ascii") as file:
            file.write(str(number))

    def test_cap(self):
        self.assertEqual(settled(), 0)
        before = counter("rejected_cap")
        self.limit(2)
        try:
            kept = [dialed() for _ in range(4)]
            self.assertEqual(self.program.answers()["deferred"], -errno.EUSERS)
            self.assertEqual(counter("live"), 2)
            self.assertEqual(counter("rejected_cap") - before, 2)
            names = []
            for sock in kept:
                sock.send(TO_SECOND)
                names.append(sock.recv(999).split(b"\r\n\r\n")[1][:4])
            self.assertEqual(names, [b"srv2", b"srv2", b"srv1", b"srv1"])
            self.assertEqual(settled(), 0)
            dialed()
            self.assertEqual(self.program.answers()["deferred"], 0)
        finally:
            self.limit(65536)

    def test_counters(self):
        before, own = counter("deferred"), namespace_counters()
        sock = dialed()
        self.assertEqual(counter("deferred") - before, 1)
        self.assertEqual(namespace_counters()["KmeshDeferred"] - own["KmeshDeferred"], 1)
        self.assertEqual(namespace_counters()["KmeshLive"], counter("live"))
        sock.send(TO_FIRST)
        self.assertServed(sock, "srv1")
        self.assertEqual(namespace_counters()["KmeshRequests"] - own["KmeshRequests"], 1)
        fresh = subprocess.run(["unshare", "-n", "cat", "/proc/net/kmesh_stat"], capture_output=True, check=True)
        self.assertRegex(fresh.stdout.decode(), r"(?m)^KmeshDeferred\s+0$")

    def test_many_at_a_time(self):
        done = []

        def work():
            for _ in range(20):
                sock = dialed()
                sock.send(TO_SECOND)
                done.append(sock.recv(999))
                sock.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(all(b"srv2" in got for got in done))
        self.assertEqual(len(done), 160)

    def test_traces(self):
        base = "/sys/kernel/tracing/"
        with open(base + "events/kmesh/enable", "w", encoding="ascii") as file:
            file.write("1")
        try:
            self.program.configure(second=NOBODY, retry_count=1)
            dialed().send(TO_SECOND)
            self.program.configure(idle=50)
            sock = dialed()
            time.sleep(0.2)
            sock.close()
        finally:
            with open(base + "events/kmesh/enable", "w", encoding="ascii") as file:
                file.write("0")
        with open(base + "trace", encoding="ascii") as file:
            lines = file.read()
        for event in ("kmesh_defer: ", "kmesh_resolve: ", "kmesh_retry: ", "kmesh_timer: "):
            self.assertIn(event, lines)
        self.assertIn("address=10.99.0.1:80 result=0", lines)
        self.assertIn(f"address=10.99.0.1:80 result={-errno.ECONNREFUSED}", lines)


class RequestTests(MeshTest):
    """The functions that ask for parts. What they do to odd heads, the tests without a kernel say."""

    REQUEST = (
        b"POST http://Shop.Example:8080/cart/items?id=7&empty&id=8 HTTP/1.1\r\nHost: other\r\n"
        b"Accept: a\r\nX-Mixed-Case:  Value \r\naccept: b\r\nContent-Length: 0\r\n\r\n"
    )

    def ask(self, key, request=REQUEST, **more):
        self.program.ask(key, **more)
        sock = dialed()
        sock.send(request)
        self.assertServed(sock, "srv1")
        return self.program.answers()

    def get(self, key, request=REQUEST):
        answers = self.ask(key, request)
        length = answers["length"]
        if length < 0:
            return length
        self.assertFalse(answers["value"][length:].strip(b"\0"))
        self.assertEqual(answers["hash"], fnv(answers["value"][:length]))
        return answers["value"][:length]

    def test_parts(self):
        for key, value in (
            (b":method", b"POST"), (b":path", b"/cart/items"), (b":host", b"shop.example"), (b":port", b"8080"),
            (b":target", b"http://Shop.Example:8080/cart/items?id=7&empty&id=8"), (b":version", b"HTTP/1.1"),
            (b"?id", b"7"), (b"?empty", b""), (b"?none", ENOENT), (b"accept", b"a, b"), (b"ACCEPT", b"a, b"),
            (b"x-mixed-case", b"Value"), (b"none", ENOENT), (b":none", ENOENT), (b"", ENOENT),
            (b"host", b"other"),
        ):
            self.assertEqual(self.get(key), value, key)

    def test_host_with_port(self):
        request = b"GET / HTTP/1.1\r\nHost: Web.Test:81\r\n\r\n"
        self.assertEqual(self.get(b":host", request), b"web.test")
        self.assertEqual(self.get(b":port", request), b"81")
        self.assertEqual(self.get(b":port", TO_FIRST), b"")
        self.assertEqual(self.get(b":host", b"GET / HTTP/1.0\r\n\r\n"), ENOENT)

    def test_long_values(self):
        for size in (2048, 4000, 4096):
            value = bytes(97 + at % 26 for at in range(size))
            request = b"GET / HTTP/1.1\r\nHost: a\r\nLong: " + value + b"\r\n\r\n"
            self.assertEqual(self.get(b"long", request), value)
        # Its whole length is told, of what is copied in part.
        value = b"v" * 7000
        request = b"GET / HTTP/1.1\r\nHost: a\r\nLong: " + value + b"\r\n\r\n"
        answers = self.ask(b"long", request, matcher=matcher(EXACT, b"long", value[:4000]))
        self.assertEqual((answers["length"], answers["value"]), (7000, value[:4096]))
        self.assertEqual(answers["matched"], 0)
        answers = self.ask(b"long", request, matcher=matcher(SUFFIX, b"long", value[:4000]))
        self.assertEqual(answers["matched"], 1)

    def test_matchers(self):
        for wanted, kind, key, value, flags in (
            (1, EXACT, b":method", b"POST", 0), (0, EXACT, b":method", b"post", 0),
            (1, EXACT, b":method", b"post", IGNORE_CASE), (0, EXACT, b":method", b"POST", INVERT),
            (1, PREFIX, b":path", b"/cart/it", 0), (0, SEGMENTS, b":path", b"/cart/it", 0),
            (1, SEGMENTS, b":path", b"/cart/", 0), (1, SUFFIX, b":host", b".example", 0),
            (1, CONTAINS, b"accept", b", ", 0), (1, PRESENT, b"accept", b"", 0),
            (1, PRESENT, b"none", b"", INVERT), (0, EXACT, b"none", b"", INVERT),
            (1, EXACT, b"none", b"", MISSING_IS_EMPTY), (EINVAL, 7, b"accept", b"", 0),
            (EINVAL, EXACT, b"accept", b"", 8),
        ):
            answers = self.ask(b"", matcher=matcher(kind, key, value, flags))
            self.assertEqual(answers["matched"], wanted, (kind, key, value, flags))

    def test_hashes(self):
        for wanted, key, length, flags in (
            (fnv(b"/cart"), b":path", 5, 0), (fnv(b"items"), b":path", -5, 0), (0, b":path", 12, 0),
            (0, b"none", 0, 0), (fnv(b"value"), b"x-mixed-case", 0, IGNORE_CASE), (0, b":path", 0, 2),
            (0, b":path", -(2**31), 0),
        ):
            answers = self.ask(key, length=length, flags=flags)
            self.assertEqual(answers["hash"], wanted, (key, length, flags))


if __name__ == "__main__":
    unittest.main()
