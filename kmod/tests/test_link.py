# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Servers that are 50 ms away: what happens between a send and the connection."""

import errno
import select
import socket
import threading
import time
import unittest

from mesh import (
    DIALED, FIRST, GREETING, MSG_FASTOPEN, NOBODY, SECOND, TO_FIRST, TO_SECOND, MeshTest, ask_at_once, client,
    counter, dialed, disconnect, receive, send_all, servers, wait,
)

ROUND_TRIP = 0.05
# Behind the link, where nobody answers.
SILENT = ("10.9.0.77", 80)


class LinkTests(MeshTest):
    def test_waiting(self):
        start = time.monotonic()
        sock = dialed()
        connected = time.monotonic() - start
        sock.send(TO_SECOND)
        sent = time.monotonic() - start
        self.assertServed(sock, "srv2")
        answered = time.monotonic() - start
        self.assertLess(connected, ROUND_TRIP)
        self.assertGreaterEqual(sent, ROUND_TRIP)
        self.assertGreaterEqual(answered, 2 * ROUND_TRIP)
        # As many round trips as without us.
        self.assertLess(answered, 2 * ROUND_TRIP + 0.5)

    def test_names(self):
        sock = dialed(waits=False)
        self.assertEqual(sock.getpeername(), DIALED)
        sock.send(TO_SECOND)
        self.assertEqual(sock.getpeername(), DIALED)
        self.assertServed(sock, "srv2")
        self.assertEqual(sock.getpeername(), SECOND)

    def test_name_while_another_thread_sends(self):
        sock = dialed()
        thread = threading.Thread(target=sock.send, args=(TO_SECOND,))
        thread.start()
        time.sleep(ROUND_TRIP / 3)
        self.assertEqual(sock.getpeername(), DIALED)
        thread.join()
        self.assertServed(sock, "srv2")

    def test_not_waiting(self):
        sock = dialed(waits=False)
        self.assertEqual(sock.send(TO_SECOND), len(TO_SECOND))
        self.assertRaises(BlockingIOError, sock.send, TO_FIRST)
        self.assertEqual(sock.connect_ex(DIALED), errno.EALREADY)
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLOUT)
        self.assertEqual(poll.poll(0), [])
        self.assertEqual(wait(sock, select.POLLOUT), select.POLLOUT)
        sock.send(TO_FIRST)
        self.assertServed(sock, "srv2", "srv2")

    def test_edges(self):
        sock = client(waits=False)
        poll = select.epoll()
        poll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        poll.poll(0)
        sock.send(TO_SECOND[:20])
        sock.send(TO_SECOND[20:])
        self.assertRaises(BlockingIOError, sock.send, TO_SECOND)
        left, got, end = 1, b"", time.monotonic() + 3
        while len(servers(got)) < 2 and time.monotonic() < end:
            events = poll.poll(2)
            if left and events and events[0][1] & select.EPOLLOUT:
                sock.send(TO_SECOND)
                left = 0
            try:
                got += sock.recv(999)
            except BlockingIOError:
                pass
        self.assertEqual(servers(got), ["srv2", "srv2"])

    def test_asyncio(self):
        self.assertTrue(ask_at_once(40))

    def test_pieces(self):
        sock = dialed()
        sock.send(TO_SECOND[:20])
        sock.send(TO_SECOND[20:])
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2", "srv2")

    def test_pieces_without_waiting(self):
        sock = dialed(waits=False)
        for at in range(0, len(TO_SECOND), 7):
            send_all(sock, TO_SECOND[at:at + 7])
        send_all(sock, TO_SECOND * 2)
        self.assertServed(sock, "srv2", "srv2", "srv2")

    def test_tiny_buffer_without_waiting(self):
        sock = client(waits=False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sock.connect_ex(DIALED)
        request = TO_SECOND[:-2] + b"Pad: " + b"a" * 8000 + b"\r\n\r\n"
        send_all(sock, request)
        self.assertIn(b"srv2 head=%d " % len(request), receive(sock))

    def test_end_after_piece(self):
        sock = dialed()
        sock.send(TO_SECOND[:20])
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(sock), b"srv1 cut=20\n")
        before = counter("plain")
        sock = dialed()
        sock.send(TO_SECOND[:20])
        start = time.monotonic()
        sock.close()
        self.assertGreaterEqual(time.monotonic() - start, ROUND_TRIP)
        self.assertEqual(counter("plain") - before, 1)

    def test_close_before_connected(self):
        before = counter("requests")
        sock = dialed(waits=False)
        sock.send(TO_SECOND)
        start = time.monotonic()
        sock.close()
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual(counter("requests") - before, 1)

    def test_server_speaks_first(self):
        self.program.configure(default=GREETING, read=100)
        self.assertEqual(servers(dialed().recv(99)), ["srv3"])

    def test_refused(self):
        self.program.configure(default=NOBODY)
        self.assertFails(errno.ECONNREFUSED, dialed().send, TO_FIRST)
        sock = dialed(waits=False)
        self.assertEqual(sock.send(TO_FIRST), len(TO_FIRST))
        self.assertTrue(wait(sock, select.POLLOUT) & (select.POLLERR | select.POLLHUP))
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ECONNREFUSED)

    def test_retry(self):
        self.program.configure(second=NOBODY, retry_count=1)
        sock = dialed()
        got = []
        thread = threading.Thread(target=lambda: got.append(receive(sock)))
        sock.send(TO_SECOND)
        thread.start()
        thread.join()
        self.assertEqual(servers(got[0]), ["srv1"])
        self.assertEqual(sock.getpeername(), FIRST)

    def test_two_senders_and_a_retry(self):
        self.program.configure(second=NOBODY, retry_count=1)
        sock = dialed()
        thread = threading.Thread(target=sock.sendall, args=(TO_SECOND,))
        thread.start()
        time.sleep(ROUND_TRIP / 2)
        sock.sendall(TO_SECOND)
        thread.join()
        self.assertServed(sock, "srv1", "srv1")

    def test_disconnect_while_sending(self):
        self.program.configure(second=SILENT)
        sock = dialed()
        failed = []

        def send():
            try:
                sock.send(TO_SECOND)
            except OSError as error:
                failed.append(error.errno)

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(ROUND_TRIP / 2)
        sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        # As the kernel tells a sender that waits for any connection.
        self.assertEqual(failed, [errno.ECONNRESET])
        self.program.configure()
        sock.connect(DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_timeout_of_the_sender(self):
        sock = client(timeout=0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b"\0" * 8 + (10000).to_bytes(8, "little"))
        sock.connect(DIALED)
        self.assertRaises(BlockingIOError, sock.send, TO_SECOND)
        time.sleep(4 * ROUND_TRIP)
        # The caller has kept its bytes, and gives them again.
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_fast_open_that_gives_up_late(self):
        """One that has waited since before a disconnect takes the marks of what is deferred by then."""
        self.program.configure(second=SILENT, idle=60000)
        sock = client(timeout=1)
        failed = []

        def send():
            try:
                sock.sendto(TO_SECOND, MSG_FASTOPEN, DIALED)
            except OSError as error:
                failed.append(error.errno)

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.2)
        self.assertEqual(disconnect(sock), 0)
        self.program.configure(idle=60000)
        sock.connect(DIALED)
        thread.join()
        self.assertEqual(len(failed), 1)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")


if __name__ == "__main__":
    unittest.main()
