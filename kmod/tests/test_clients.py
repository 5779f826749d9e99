# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Ways in which clients connect and send."""

import ctypes
import errno
import http.client
import os
import select
import signal
import socket
import subprocess
import threading
import time
import unittest

from mesh import (
    DIALED, DIALED6, FIRST, MSG_ZEROCOPY, SO_ZEROCOPY, TO_FIRST, TO_SECOND, MeshTest, ask_at_once, client,
    counter, dialed, libc, receive, send_all, servers, wait,
)


class ClientTests(MeshTest):
    def test_waiting(self):
        sock = dialed()
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertEqual(sock.connect_ex(DIALED), errno.EISCONN)
        self.assertEqual(wait(sock, select.POLLIN | select.POLLOUT), select.POLLOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.sendall(TO_SECOND)
        self.assertServed(sock, "srv2")
        # Later requests follow the first.
        sock.sendall(TO_FIRST)
        self.assertServed(sock, "srv2")
        self.assertEqual(sock.connect_ex(DIALED), errno.EISCONN)

    def test_default(self):
        sock = dialed()
        sock.sendall(TO_FIRST)
        self.assertServed(sock, "srv1")

    def test_not_waiting(self):
        sock = client(waits=False)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        self.assertEqual(wait(sock, select.POLLOUT), select.POLLOUT)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertEqual(sock.send(TO_SECOND), len(TO_SECOND))
        self.assertServed(sock, "srv2")

    def test_edges_as_go_polls_them(self):
        sock = client(waits=False)
        poll = select.epoll()
        poll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
        poll.poll(0)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        self.assertRaises(BlockingIOError, sock.recv, 10)
        self.assertEqual(sock.send(TO_SECOND), len(TO_SECOND))
        got = b""
        end = time.monotonic() + 3
        while b"srv" not in got and time.monotonic() < end:
            events = poll.poll(1)
            if events and events[0][1] & select.EPOLLIN:
                try:
                    got += sock.recv(999)
                except BlockingIOError:
                    pass
        self.assertEqual(servers(got), ["srv2"])

    def test_http_client(self):
        for headers, data, name in (
            ({"x-version": "v2"}, None, "srv2"), ({}, None, "srv1"), ({"x-version": "v2"}, b"z" * 200000, "srv2"),
        ):
            connection = http.client.HTTPConnection(*DIALED, timeout=5)
            connection.request("POST" if data else "GET", "/q", body=data, headers=headers)
            answer = connection.getresponse().read().decode()
            self.assertRegex(answer, f"^{name} .* body={len(data or b'')}\n$")
            connection.close()

    def test_asyncio(self):
        self.assertTrue(ask_at_once(20))

    def test_io_uring(self):
        command = [os.environ["KMESH_PROGRAMS"] + "/uring", *map(str, DIALED), "srv2"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_sendfile(self):
        file = os.memfd_create("request")
        os.write(file, TO_SECOND)
        sock = dialed()
        self.assertEqual(os.sendfile(sock.fileno(), file, 0, len(TO_SECOND)), len(TO_SECOND))
        self.assertServed(sock, "srv2")

    def test_vectors(self):
        sock = dialed()
        os.writev(sock.fileno(), [TO_SECOND[:5], TO_SECOND[5:30], TO_SECOND[30:]])
        self.assertServed(sock, "srv2")
        sock = dialed()
        sock.sendmsg([TO_SECOND[:9], TO_SECOND[9:]])
        self.assertServed(sock, "srv2")

    def test_zero_copy(self):
        sock = client()
        sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        sock.connect(DIALED)
        self.assertEqual(sock.send(TO_SECOND, MSG_ZEROCOPY), len(TO_SECOND))
        self.assertServed(sock, "srv2")
        # Its sender is told that the pages are free.
        self.assertTrue(wait(sock, select.POLLERR) & select.POLLERR)
        _, control, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        self.assertTrue(control)

    def test_splice(self):
        sock = dialed()
        reader, writer = os.pipe()
        os.write(writer, TO_SECOND)
        self.assertEqual(os.splice(reader, sock.fileno(), len(TO_SECOND)), len(TO_SECOND))
        self.assertServed(sock, "srv2")

    def test_out_of_band(self):
        sock = dialed()
        self.assertEqual(sock.send(b"0\n", socket.MSG_OOB), 2)
        sock.send(b"1\n")
        self.assertServed(sock, "srv1")

    def test_peek(self):
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertIn(b"HTTP", sock.recv(4, socket.MSG_PEEK))
        self.assertServed(sock, "srv2")

    def test_reader_comes_first(self):
        sock = dialed()
        got = []
        reader = threading.Thread(target=lambda: got.append(receive(sock)))
        reader.start()
        time.sleep(0.02)
        sock.send(TO_SECOND)
        reader.join(3)
        self.assertEqual(servers(got[0]), ["srv2"])

    def test_signal_ends_waiting_reader(self):
        def interrupt(*_):
            raise InterruptedError

        sock = dialed()
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            self.assertRaises(InterruptedError, sock.recv, 1)
        finally:
            signal.signal(signal.SIGALRM, before)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_bad_memory(self):
        sock = dialed()
        os.write(sock.fileno(), b"")
        self.assertEqual(libc.write(sock.fileno(), ctypes.c_void_p(1), 50), -1)
        self.assertEqual(ctypes.get_errno(), errno.EFAULT)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_fork(self):
        sock = dialed()
        copy = sock.dup()
        child = os.fork()
        if not child:
            copy.send(TO_SECOND)
            os._exit(0)
        os.waitpid(child, 0)
        self.assertServed(sock, "srv2")
        sock = dialed()
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_other_connections_are_left_alone(self):
        before = counter("deferred")
        sock = client()
        sock.connect(FIRST)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")
        self.assertEqual(counter("deferred"), before)

    def test_mapped_ipv6(self):
        for request, name in ((TO_FIRST, "srv1"), (TO_SECOND, "srv2")):
            sock = dialed(family=socket.AF_INET6, address=("::ffff:10.99.0.1", 80))
            self.assertEqual(sock.getpeername()[:2], ("::ffff:10.99.0.1", 80))
            sock.send(request)
            self.assertServed(sock, name)

    def test_ipv6(self):
        for request, name in ((TO_FIRST, "srv1"), (TO_SECOND, "srv2")):
            for waits in (True, False):
                sock = dialed(waits, socket.AF_INET6, DIALED6)
                self.assertEqual(sock.getpeername()[:2], DIALED6)
                send_all(sock, request)
                self.assertServed(sock, name)


if __name__ == "__main__":
    unittest.main()
