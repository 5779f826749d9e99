# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Without the kernel module: services by address and port are served, those with routes as the flag says."""

import time

import node
from clients import ask, counts, refusal
from mesh import NAMESPACE, at, pod, pod6, route, rule, service, vip, vip6
from node import WAYPOINT_PORT
from testing import MeshFileTest

V1, OWN = pod(1), pod(4)
WAYPOINT = [
    service(9, "waypoint", [9], port=WAYPOINT_PORT, target=WAYPOINT_PORT,
            labels={"gateway.networking.k8s.io/gateway-name": "waypoint"}),
    {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
     "metadata": {"name": "waypoint", "namespace": NAMESPACE}, "spec": {
         "gatewayClassName": "kmesh-waypoint",
         "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]}},
]
LED = {"istio.io/use-waypoint": "waypoint"}


class FallbackTest(MeshFileTest):
    mesh = [
        service(1, "v1", [1]), service(5, "plain", [5]), service(20, "web", [4]), route("web", rule("v1")),
        *WAYPOINT, service(21, "led", [4], labels=LED), route("led", rule("v1")),
        service(22, "kept", [4], labels=LED, annotations={"kmesh.net/l7": "kernel"}), route("kept", rule("v1")),
    ]
    options = {"module": None}
    is_alone = True
    fallback = "refuse"
    waypoint = at("10.21.5.9", WAYPOINT_PORT)

    def assertWithoutModule(self):
        self.assertFalse(node.MODULE_FOLDER.exists())
        status, text = self.daemon.ready()
        self.assertEqual(status, 200)
        self.assertRegex(text, f"^ready; no HTTP routing: .*--l7-fallback={self.fallback}")
        warnings = [line for line in self.daemon.log().splitlines() if "no HTTP routing" in line]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertEqual(ask(vip(5)), pod(5))
        self.assertEqual(ask(vip6(5)), pod6(5))
        # A waypoint that routes needs no module.
        with self.counted("redirected", 1):
            self.assertEqual(ask(vip(21)), self.waypoint)

    @classmethod
    def setUpClass(cls):
        node.LOG.unlink(missing_ok=True)
        super().setUpClass()


class RefusingTests(FallbackTest):
    arguments = ("--l7-fallback=refuse", "--waypoint-metadata=option")

    def test_a_refused(self):
        self.assertWithoutModule()
        with self.counted("no_http", 4):
            for address in (vip(20), vip6(20), vip(22), vip6(22)):
                self.assertEqual(refusal(address), "ECONNREFUSED")

    def test_b_the_module_comes(self):
        pid = self.daemon.process.pid
        self.assertEqual(refusal(vip(20)), "ECONNREFUSED")
        node.command("insmod", node.MODULE)
        began = time.monotonic()
        node.wait(lambda: refusal(vip(20)) == V1, "requests routed", 60, 0.1)
        print(f"after {time.monotonic() - began:.1f} s", end=" ", flush=True)
        self.assertEqual(self.daemon.status()["pid"], pid)
        self.assertEqual(self.daemon.ready(), (200, "ready\n"))
        with self.counted("routed", 20), self.counted("no_http", 0):
            self.assertEqual(counts(10, vip(20)), {V1: 10})
            self.assertEqual(counts(5, vip6(20)), {pod6(1): 5})
            self.assertEqual(counts(5, vip(22)), {V1: 5})
        self.assertEqual(ask(vip(21)), self.waypoint)
        self.assertEqual(ask(vip(5)), pod(5))
        self.assertVerified()


class DefaultTests(FallbackTest):
    fallback = "default"
    arguments = ("--l7-fallback=default", "--waypoint-metadata=option")

    def test_to_its_own_endpoints(self):
        self.assertWithoutModule()
        with self.counted("steered", 7), self.counted("no_http", 0):
            self.assertEqual(counts(5, vip(20)), {OWN: 5})
            self.assertEqual(ask(vip6(20)), pod6(4))
            self.assertEqual(ask(vip(22)), OWN)


class WaypointTests(FallbackTest):
    fallback = "waypoint"
    arguments = ("--l7-fallback=waypoint", "--waypoint-metadata=option")

    def test_through_its_waypoint(self):
        self.assertWithoutModule()
        with self.counted("redirected", 5):
            self.assertEqual(counts(5, vip(22)), {self.waypoint: 5})
        # There is none.
        with self.counted("no_http", 1):
            self.assertEqual(refusal(vip(20)), "ECONNREFUSED")
