# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Heads of requests in pieces, too long, or none at all; and what clients do in the middle of one."""

import socket
import struct
import time
import unittest

from mesh import (
    GREETING, MSG_ZEROCOPY, SO_ZEROCOPY, TO_FIRST, TO_SECOND, MeshTest, client, counter, dialed, receive,
    send_all, servers, settled,
)


class HeadTests(MeshTest):
    def test_single_bytes(self):
        before = counter("buffered")
        sock = dialed()
        for at in range(len(TO_SECOND)):
            sock.send(TO_SECOND[at:at + 1])
        got = receive(sock)
        self.assertEqual(servers(got), ["srv2"])
        self.assertIn(b"head=%d " % len(TO_SECOND), got)
        self.assertEqual(counter("buffered") - before, len(TO_SECOND) - 1)
        sock.sendall(TO_SECOND * 3)
        self.assertServed(sock, "srv2", "srv2", "srv2")

    def test_pieces_without_waiting(self):
        sock = dialed(waits=False)
        for at in range(0, len(TO_SECOND), 7):
            send_all(sock, TO_SECOND[at:at + 7])
        send_all(sock, TO_SECOND)
        send_all(sock, TO_SECOND)
        self.assertServed(sock, "srv2", "srv2", "srv2")

    def test_pause_within_timer(self):
        self.program.configure(idle=600)
        sock = dialed()
        for piece in (TO_SECOND[:20], TO_SECOND[20:-2]):
            sock.send(piece)
            time.sleep(0.4)
        # Each piece starts the timer again.
        sock.send(TO_SECOND[-2:])
        self.assertServed(sock, "srv2")

    def test_pause_beyond_timer(self):
        self.program.configure(idle=200)
        sock = dialed()
        sock.send(TO_SECOND[:-2])
        time.sleep(0.5)
        sock.send(TO_SECOND[-2:])
        # Half a head is no request: it could still become one that nobody may route by.
        self.assertServed(sock, "srv1")

    def test_shutdown_after_piece(self):
        sock = dialed()
        sock.send(b"GET / HTT")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(sock), b"srv1 cut=9\n")

    def test_close_after_piece(self):
        before = counter("plain")
        sock = dialed()
        sock.send(b"GET / HTT")
        sock.close()
        self.assertEqual(counter("plain") - before, 1)

    def test_reset_after_piece(self):
        before = counter("plain")
        sock = dialed()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.send(b"GET / HTT")
        sock.close()
        self.assertEqual(counter("plain") - before, 0)

    def test_largest_head(self):
        padding = b"Pad: " + b"a" * (8192 - len(TO_SECOND) - len("Pad: \r\n")) + b"\r\n"
        request = TO_SECOND[:-2] + padding + b"\r\n"
        self.assertEqual(len(request), 8192)
        sock = dialed()
        sock.sendall(request)
        self.assertIn(b"srv2 head=8192 ", receive(sock))

    def test_too_large_head(self):
        request = TO_SECOND[:-2] + b"Pad: " + b"a" * 9000 + b"\r\n\r\n"
        for waits in (True, False):
            sock = dialed(waits)
            send_all(sock, request)
            self.assertIn(b"srv1 head=%d " % len(request), receive(sock))

    def test_body_beyond_the_buffer(self):
        request = b"POST / HTTP/1.1\r\nHost: a\r\nX-Version: v2\r\nContent-Length: 300000\r\n\r\n"
        for waits in (True, False):
            sock = dialed(waits)
            send_all(sock, request + b"z" * 300000)
            self.assertIn(b"srv2 head=%d body=300000" % len(request), receive(sock))

    def test_other_protocols(self):
        for waits in (True, False):
            for words in (b"\x16\x03\x01abc\n", b"hello world\n", b"*1\r\n$4\r\nPING\r\n"):
                sock = dialed(waits)
                send_all(sock, words)
                self.assertTrue(receive(sock).startswith(b"srv1 echo " + words))

    def test_not_to_be_routed_by(self):
        for head in (
            b"PRI * HTTP/2.0\r\n\r\nSM",
            b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\nX-Version: v2\r\n\r\n",
            TO_SECOND.replace(b"\r\n\r\n", b"\r\nHost: b\r\n\r\n"),
            TO_SECOND.replace(b"Host: a\r\n", b""),
            TO_SECOND.replace(b"Host: a", b"Host: user@a"),
            TO_SECOND.replace(b"X-Version: v2", b"X-Other: 1\r\n X-Version: v2"),
            TO_SECOND.replace(b"X-Version", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\nX-Version"),
        ):
            before = counter("requests")
            sock = dialed()
            sock.send(head)
            self.assertServed(sock, "srv1")
            self.assertEqual(counter("requests"), before, head)

    def test_piece_by_zero_copy(self):
        sock = client()
        sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        sock.connect(("10.99.0.1", 80))
        # It cannot be kept: somebody waits to hear that its pages are free.
        sock.send(TO_SECOND[:9], MSG_ZEROCOPY)
        sock.send(TO_SECOND[9:])
        self.assertServed(sock, "srv1")


class ServerFirstTests(MeshTest):
    """A server that speaks first: the reader's timer, or the idle one, connects."""

    def setUp(self):
        super().setUp()
        self.program.configure(default=GREETING, read=100, idle=400)

    def measure(self, read, least, most):
        start = time.monotonic()
        self.assertEqual(servers(read()), ["srv3"])
        seconds = time.monotonic() - start
        self.assertGreaterEqual(seconds, least)
        self.assertLess(seconds, most)

    def test_waiting_reader(self):
        sock = dialed()
        self.measure(lambda: sock.recv(99), 0.08, 0.38)

    def test_poller(self):
        sock = dialed(waits=False)
        self.measure(lambda: receive(sock), 0.08, 0.38)

    def test_reader_that_does_not_wait(self):
        sock = dialed(waits=False)
        self.assertRaises(BlockingIOError, sock.recv, 9)
        self.measure(lambda: receive(sock), 0.08, 0.38)

    def test_nobody_asks(self):
        before = counter("timeouts")
        start = time.monotonic()
        sock = dialed(waits=False)
        self.assertEqual(settled("timeouts", before + 1), before + 1)
        self.assertGreaterEqual(time.monotonic() - start, 0.38)
        self.assertServed(sock, "srv3")

    def test_timers_are_per_call(self):
        self.program.configure(default=GREETING, read=400, idle=900)
        sock = dialed()
        self.measure(lambda: sock.recv(99), 0.38, 0.88)
        before = counter("timeouts")
        self.program.configure(default=GREETING, read=0, idle=0)
        sock = dialed(waits=False)
        with self.assertRaises(TimeoutError):
            receive(sock, seconds=1)
        self.assertEqual(counter("timeouts"), before)
        sock.send(TO_FIRST)
        self.assertServed(sock, "srv3", "srv3")

    def test_reader_does_not_outlast_the_idle_timer(self):
        self.program.configure(default=GREETING, read=4000, idle=400)
        sock = dialed()
        self.measure(lambda: sock.recv(99), 0.3, 3)

    def test_shutdown(self):
        sock = dialed()
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(servers(sock.recv(99)), ["srv3"])


if __name__ == "__main__":
    unittest.main()
