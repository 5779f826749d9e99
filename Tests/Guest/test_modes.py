# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""From one engine to the other, over the pins that the one before has left."""

import signal

import node
from clients import Load, ask, counts, load
from mesh import backend, pod, route, rule, service, vip
from testing import MeshFileTest

V1, V2, OWN, PLAIN = pod(1), pod(2), pod(4), pod(5)


class ModeTests(MeshFileTest):
    mesh = [service(1, "v1", [1]), service(2, "v2", [2]), service(5, "plain", [5]), service(20, "web", [4]),
            route("web", rule(backend("v1", 1), backend("v2", 1)))]
    is_alone = True
    options = {"mode": "dual-engine"}

    def assertSteeredOnce(self, times, reason, found, address):
        """A second engine would see what the first has made of the address, which is no service."""
        others = ("steered", "routed", "deferred", "not_a_service")
        before = self.daemon.reasons()
        self.assertEqual(load(times, address), found)
        after = self.daemon.reasons()
        counted = {key: after.get(key, 0) - before.get(key, 0) for key in others}
        expected = {"steered": times} if reason == "steered" else {"routed": times, "deferred": times}
        self.assertEqual({key: value for key, value in counted.items() if value}, expected)

    def assertPinned(self, name):
        engines = [each for each in node.pins() if each.startswith(("dual-engine", "kernel-native"))]
        self.assertEqual([each.rpartition("-v")[0] for each in engines], [name])

    def restart(self, mode, *arguments):
        self.daemon.mode = mode
        self.daemon.start(*arguments)
        self.assertEqual(self.daemon.status()["mode"], mode)
        self.assertEqual(self.daemon.status()["enrolled"], 2)

    def test_there_and_back(self):
        self.assertPinned("dual-engine")
        self.assertSteeredOnce(10, "steered", {OWN: 10}, vip(20))
        with Load(vip(5), threads=1) as made:
            # The one that runs ends, and its programs go on until the others are there.
            self.restart("kernel-native", "--takeover")
            self.assertPinned("kernel-native")
        self.assertEqual(set(made.answers), {PLAIN})
        self.assertEqual(made.errors, {})
        self.assertSteeredOnce(10, "routed", {V1: 5, V2: 5}, vip(20))
        self.assertSteeredOnce(5, "steered", {PLAIN: 5}, vip(5))
        self.assertVerified()
        self.daemon.kill(signal.SIGKILL)
        self.assertEqual(counts(4, vip(20)), {V1: 2, V2: 2})
        deferred = node.counter("deferred")
        with Load(vip(5), threads=1) as made:
            self.restart("dual-engine")
        self.assertEqual((made.errors, set(made.answers)), ({}, {PLAIN}))
        self.assertPinned("dual-engine")
        self.assertSteeredOnce(10, "steered", {OWN: 10}, vip(20))
        self.assertEqual(ask(vip(5)), PLAIN)
        self.assertEqual(node.counter("deferred"), deferred)
        self.assertVerified()
