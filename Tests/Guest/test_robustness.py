# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""What clients see of a daemon that ends, starts and changes its configuration: nothing."""

import contextlib
import signal
import socket
import statistics

import node
from clients import Load, answers, ask, connect, counts, load, request
from mesh import backend, pod, pod6, route, rule, service, vip, vip6
from testing import MeshFileTest

V1, V2, OWN = pod(1), pod(2), pod(4)
SERVICES = [service(1, "v1", [1]), service(2, "v2", [2]), service(20, "web", [4]),
            service(21, "shared", [4]), service(5, "plain", [5])]
SHARED = route("shared", rule(backend("v1", 3), backend("v2", 1)))


def to(name):
    return [*SERVICES, SHARED, route("web", rule(name))]


class RobustnessTests(MeshFileTest):
    mesh = to("v2")

    def test_a_restarts_under_load(self):
        with Load(vip(20), threads=2) as made, Load(vip(5), threads=1) as plain:
            with contextlib.ExitStack() as held:
                self.kill_while_deferred([held.enter_context(connect(address)) for address in 3 * [vip(20), vip6(20)]])
            self.daemon.start()
            status = self.daemon.status()
            self.assertTrue(status["adopted"])
            self.assertEqual(status["enrolled"], 2)
            self.assertVerified()
            self.daemon.kill(signal.SIGTERM)
            self.assertEqual(counts(5, vip(20)), {V2: 5})
            self.daemon.start()
            former = self.daemon.process
            self.daemon.start("--takeover")
            self.assertEqual(former.wait(20), 0)
        self.assertEqual((made.errors, plain.errors), ({}, {}))
        self.assertEqual((set(made.answers), set(plain.answers)), ({V2}, {pod(5)}))
        self.assertGreater(made.total, 100)
        self.assertVerified()
        print(f"{made.total} + {plain.total} requests, the longest {made.longest_ms} ms", end=" ", flush=True)

    def kill_while_deferred(self, socks):
        """`socks` are deferred, of both families in turn."""
        self.assertEqual(self.daemon.kill(signal.SIGKILL), -signal.SIGKILL)
        for sock in socks[:2]:
            sock.sendall(request())
        for sock in socks[2:4]:
            sock.sendall(b"\x16\x03\x01 no request\n")
        self.assertEqual([answers(sock)[0] for sock in socks[:4]], [V2, pod6(2), OWN, pod6(4)])
        self.assertEqual(load(8, vip(21)), {V1: 6, V2: 2})
        # Those that have waited too long go to their default.
        for sock in socks[4:]:
            node.wait(lambda sock=sock: sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01",
                      "an established connection", 20)
        for sock, name in zip(socks[4:], (OWN, pod6(4))):
            sock.sendall(request())
            self.assertEqual(answers(sock), [name])

    def test_b_updates_under_load(self):
        taken, written = [], []
        with Load(vip(20), threads=2) as made, Load(vip(21), threads=1) as other:
            for number in range(20):
                name = ("v1", "v2")[number % 2]
                taken.append(self.apply(*to(name)) * 1000)
                written.append(self.daemon.status()["engine"]["latestNanoseconds"] / 1e6)
                # What is in force holds for the next connection.
                self.assertEqual(ask(vip(20)), (V1, V2)[number % 2])
        self.assertEqual((made.errors, other.errors), ({}, {}))
        self.assertEqual(set(made.answers), {V1, V2})
        self.assertAlmostEqual(other.answers[V1] / other.total, 0.75, delta=0.02 + 4 / other.total)
        self.assertVerified()
        print(f"{made.total} requests; a change is in force after {statistics.median(taken):.0f} ms "
              f"(at most {max(taken):.0f}), of which maps {statistics.median(written):.1f} ms "
              f"(at most {max(written):.1f})", end=" ", flush=True)
