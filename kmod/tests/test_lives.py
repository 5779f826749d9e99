# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""How sockets end, fail, are refused and used again; and what else can be done to them meanwhile."""

import errno
import os
import select
import socket
import struct
import subprocess
import time
import unittest

from mesh import (
    DIALED, FIRST, MSG_FASTOPEN, NOBODY, PINS, PLAIN, REFUSE, TCP_FASTOPEN_CONNECT, TCP_ULP, TO_FIRST, TO_SECOND,
    UNROUTABLE, MeshTest, client, counter, dialed, disconnect, servers, receive, settled, wait,
)

IPPROTO_MPTCP = 262
TCP_REPAIR = 19


class EndTests(MeshTest):
    def test_close(self):
        for _ in range(50):
            dialed().close()
        sock = dialed()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        self.assertEqual(settled(), 0)

    def test_close_by_a_kernel_thread(self):
        """Sockets that are in flight among each other: who closes them does so for everybody, and does not wait."""
        full = socket.socket()
        full.bind((FIRST[0], 0))
        full.listen(0)
        fillers = [client(waits=False) for _ in range(3)]
        for filler in fillers:
            filler.connect_ex(full.getsockname())
        self.program.configure(default=full.getsockname(), idle=60000)
        left = [dialed() for _ in range(5)]
        for sock in left:
            sock.send(b"GET /")
        pair = socket.socketpair()
        socket.send_fds(pair[0], [b"x"], [sock.fileno() for sock in (*left, *pair)])
        start = time.monotonic()
        # The last one makes the kernel look for such.
        for sock in (*left, *pair, *socket.socketpair()):
            sock.close()
        self.assertEqual(settled(seconds=20), 0)
        self.assertLess(time.monotonic() - start, 5)
        for sock in (full, *fillers):
            sock.close()

    def test_shutdown_and_again(self):
        sock = dialed()
        sock.shutdown(socket.SHUT_RDWR)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_empty_send(self):
        sock = dialed()
        self.assertEqual(sock.send(b""), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_disconnect_and_again(self):
        sock = dialed()
        self.assertEqual(disconnect(sock), 0)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_disconnect_and_listen(self):
        sock = dialed()
        disconnect(sock)
        sock.bind(("127.0.0.1", 0))
        sock.listen(5)

    def test_bound_before(self):
        sock = client()
        sock.bind(("10.9.0.1", 34567))
        sock.connect(DIALED)
        self.assertEqual(sock.getsockname(), ("10.9.0.1", 34567))
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")
        self.assertEqual(sock.getsockname(), ("10.9.0.1", 34567))

    def test_bind_and_listen_are_refused(self):
        sock = dialed()
        self.assertFails(errno.EINVAL, sock.bind, ("10.9.0.1", 34568))
        self.assertFails(errno.EINVAL, sock.listen, 1)

    def test_tls(self):
        sock = dialed()
        self.assertFails(errno.EEXIST, sock.setsockopt, socket.IPPROTO_TCP, TCP_ULP, b"tls")
        self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16).rstrip(b"\0"), b"kmesh")
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")
        sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        # The templates that TLS makes of the first socket have none of our hooks in them.
        other = client()
        other.connect(FIRST)
        other.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        self.assertEqual(settled(), 0)


class FailureTests(MeshTest):
    def test_refused_while_sending(self):
        self.program.configure(default=NOBODY)
        sock = dialed()
        self.assertFails(errno.ECONNREFUSED, sock.send, TO_FIRST)
        # As after a connect() that failed.
        self.program.configure()
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_refused_without_waiting(self):
        self.program.configure(default=NOBODY)
        sock = dialed(waits=False)
        self.assertFails(errno.ECONNREFUSED, sock.send, TO_FIRST)

    def test_refused_while_receiving(self):
        self.program.configure(default=NOBODY, read=50)
        self.assertFails(errno.ECONNREFUSED, dialed().recv, 1)

    def test_no_route(self):
        self.program.configure(default=UNROUTABLE, read=50)
        before = counter("failed")
        self.assertFails(errno.ENETUNREACH, dialed().send, TO_FIRST)
        self.assertFails(errno.ENETUNREACH, dialed(waits=False).send, TO_FIRST)
        self.assertFails(errno.ENETUNREACH, dialed().recv, 1)
        self.assertEqual(counter("failed") - before, 3)

    def test_refused_by_program_at_connect(self):
        self.program.configure(mode=REFUSE)
        sock = client()
        self.assertEqual(sock.connect_ex(DIALED), errno.EPERM)
        self.program.configure(mode=REFUSE, retval=-errno.ECONNREFUSED)
        self.assertEqual(sock.connect_ex(DIALED), errno.ECONNREFUSED)
        self.program.configure()
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_refused_and_connected_directly(self):
        self.program.configure(mode=REFUSE)
        sock = client()
        self.assertEqual(sock.connect_ex(DIALED), errno.EPERM)
        sock.connect(FIRST)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")

    def test_refused_leaves_nothing_for_long(self):
        self.program.configure(mode=REFUSE)
        sock = client()
        self.assertEqual(sock.connect_ex(DIALED), errno.EPERM)
        self.assertEqual(settled(seconds=3), 0)
        sock.bind(("127.0.0.1", 0))
        sock.listen(1)

    def test_not_deferred(self):
        self.program.configure(mode=PLAIN)
        sock = dialed()
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")

    def test_denied_request(self):
        before = counter("denied")
        sock = dialed()
        self.assertFails(errno.EPERM, sock.send, b"GET /deny HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")
        self.assertFails(errno.EPERM, dialed(waits=False).send, b"GET /deny HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(counter("denied") - before, 2)

    def test_denied_with_an_error_of_the_program(self):
        self.program.configure(retval=-errno.ECONNREFUSED, retry_count=3)
        before = counter("retried")
        self.assertFails(errno.ECONNREFUSED, dialed().send, b"GET /deny HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(counter("retried"), before)

    def test_denied_in_pieces(self):
        sock = dialed(waits=False)
        sock.send(b"GET /deny HTTP/1.1\r\n")
        self.assertFails(errno.EPERM, sock.send, b"Host: a\r\n\r\n")


class FastOpenTests(MeshTest):
    def test_option(self):
        sock = client()
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        self.assertEqual(sock.connect_ex(DIALED), 0)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_sendto(self):
        # The first connection fetches a cookie, the others use it.
        for _ in range(3):
            for request, name in ((TO_FIRST, "srv1"), (TO_SECOND, "srv2"), (b"0\n", "srv1")):
                sock = client()
                self.assertEqual(sock.sendto(request, MSG_FASTOPEN, DIALED), len(request))
                self.assertServed(sock, name)
        self.assertEqual(settled(), 0)

    def test_sendto_without_waiting(self):
        for request, name in ((TO_FIRST, "srv1"), (TO_SECOND, "srv2")):
            sock = client(waits=False)
            try:
                sent = sock.sendto(request, MSG_FASTOPEN, DIALED)
            except BlockingIOError:
                sent = 0
            wait(sock, select.POLLOUT)
            if sent < len(request):
                sock.send(request[sent:])
            self.assertServed(sock, name)

    def test_sendto_of_a_piece(self):
        sock = client()
        sock.sendto(TO_SECOND[:9], MSG_FASTOPEN, DIALED)
        sock.send(TO_SECOND[9:])
        self.assertServed(sock, "srv1")

    def test_sendto_refused(self):
        self.program.configure(second=NOBODY)
        sock = client()
        self.assertFails(errno.ECONNREFUSED, sock.sendto, TO_SECOND, MSG_FASTOPEN, DIALED)
        self.assertFails(errno.EPERM, client().sendto, b"GET /deny HTTP/1.1\r\nHost: a\r\n\r\n", MSG_FASTOPEN,
                         DIALED)
        self.program.configure()
        sock.connect(DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")

    def test_sendto_when_deferred(self):
        sock = dialed()
        self.assertFails(errno.EISCONN, sock.sendto, TO_SECOND, MSG_FASTOPEN, DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")


class OtherSocketTests(MeshTest):
    """What is not deferred, or ends by itself."""

    def test_mptcp(self):
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as error:
            self.skipTest(f"no MPTCP in this kernel: {error}")
        before = counter("deferred")
        sock.connect(DIALED)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv1")
        self.assertEqual(self.program.answers()["deferred"], -errno.EOPNOTSUPP)
        self.assertEqual(counter("deferred"), before)

    def test_datagrams(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # There may be no route to what was dialed.
        sock.connect_ex(DIALED)
        answers = self.program.answers()
        self.assertEqual((answers["other"], answers["connect"]), (1, 0))

    def test_repair_mode(self):
        sock = client()
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        sock.connect_ex(DIALED)
        self.assertEqual(self.program.answers()["deferred"], -errno.EBUSY)
        sock.close()
        sock = dialed()
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        # It is established at once, and its queues are the caller's business.
        with self.assertRaises(OSError):
            sock.send(TO_SECOND)
        sock.close()
        self.assertEqual(settled(), 0)

    def test_killed_with_its_namespace(self):
        before = counter("deferred")
        code = (
            "import os, signal, socket; socks = [socket.socket() for _ in range(9)];"
            f"[sock.connect({DIALED}) for sock in socks]; socks[0].send(b'GET /');"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run(["unshare", "-n", "python3", "-c", code], check=False)
        self.assertEqual(counter("deferred") - before, 9)
        self.assertEqual(settled(), 0)

    def test_hidden_from_tables(self):
        sock = dialed()
        shown = subprocess.run(["ss", "-tainH"], capture_output=True, check=True).stdout.decode()
        self.assertNotIn("10.99.0.1:80", shown)
        sock.send(TO_SECOND)
        self.assertServed(sock, "srv2")


class ProgramGoneTests(MeshTest):
    def wait_until_gone(self):
        """The kernel detaches a while after the last name of a link is gone."""
        for _ in range(100):
            self.program.ask()
            client(waits=False).connect_ex(DIALED)
            if not self.program.answers()["connect"]:
                return
            time.sleep(0.02)
        self.fail("the program is still there")

    def test_default_when_programs_are_gone(self):
        self.program.configure(idle=800)
        sock, other = dialed(), dialed()
        os.unlink(os.path.join(PINS, "test_connect4"))
        try:
            self.wait_until_gone()
            sock.send(TO_SECOND)
            self.assertServed(sock, "srv1")
            other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
            self.assertEqual(settled("live", 0, 3), 0)
            other.send(TO_SECOND)
            self.assertEqual(servers(receive(other)), ["srv1"])
        finally:
            subprocess.run(os.environ["KMESH_ATTACH"], shell=True, check=True)


if __name__ == "__main__":
    unittest.main()
