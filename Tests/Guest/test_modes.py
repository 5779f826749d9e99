# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""From one engine to the other, over the pins that the one before has left; and the end of them all."""

import signal

import node
from clients import Load, answers, connect, counts, load, request
from mesh import backend, pod, route, rule, service, vip
from testing import MeshFileTest

V1, V2, OWN, PLAIN = pod(1), pod(2), pod(4), pod(5)


class ModeTests(MeshFileTest):
    mesh = [service(1, "v1", [1]), service(2, "v2", [2]), service(5, "plain", [5]), service(20, "web", [4]),
            route("web", rule(backend("v1", 1), backend("v2", 1)))]
    is_alone = True

    def assertSteeredOnce(self, times, reasons, found, address):
        """A second engine would see what the first has made of the address, which is no service."""
        before = self.daemon.reasons()
        self.assertEqual(load(times, address), found)
        after = self.daemon.reasons()
        counted = {key: after.get(key, 0) - before.get(key, 0)
                   for key in ("steered", "routed", "deferred", "not_a_service")}
        self.assertEqual({key: value for key, value in counted.items() if value}, {key: times for key in reasons})

    def assertEngine(self, name):
        engines = [each for each in node.pins() if each.startswith(("dual-engine", "kernel-native"))]
        self.assertEqual([each.rpartition("-v")[0] for each in engines], [name])
        if name == "dual-engine":
            self.assertSteeredOnce(10, ("steered",), {OWN: 10}, vip(20))
        else:
            self.assertSteeredOnce(10, ("deferred", "routed"), {V1: 5, V2: 5}, vip(20))
        self.assertSteeredOnce(5, ("steered",), {PLAIN: 5}, vip(5))
        self.assertVerified()

    def restart(self, mode, *arguments):
        self.daemon.mode = mode
        with Load(vip(5), threads=1) as made:
            self.daemon.start(*arguments)
        self.assertEqual((made.errors, set(made.answers)), ({}, {PLAIN}))
        status = self.daemon.status()
        self.assertEqual((status["mode"], status["enrolled"]), (mode, 2))

    def test_a_there_and_back(self):
        self.assertEngine("kernel-native")
        # The one that runs ends, and its programs go on until the others are there.
        self.restart("dual-engine", "--takeover")
        self.assertEngine("dual-engine")
        self.daemon.kill(signal.SIGKILL)
        self.assertEqual(counts(4, vip(20)), {OWN: 4})
        self.restart("kernel-native")
        self.assertEngine("kernel-native")

    def test_b_uninstall(self):
        self.daemon.kill(signal.SIGTERM)
        self.assertTrue(node.MODULE_FOLDER.exists())
        self.assertEqual(counts(4, vip(20)), {V1: 2, V2: 2})
        with connect(vip(20)) as sock:
            self.assertEqual(self.daemon.remove(), "removed\n")
            # Its request is nobody's now: to the service itself.
            sock.sendall(request())
            self.assertEqual(answers(sock), [OWN])
        self.assertEqual(node.pins(), [])
        self.assertFalse(node.MODULE_FOLDER.exists())
