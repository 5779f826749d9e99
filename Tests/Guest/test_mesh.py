# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Services of a mesh file, with and without routes."""

import socket
import time

from clients import answers, ask, connect, counts, load, refusal, request
from mesh import at, backend, path, pod, pod6, route, rule, service, text, vip, vip6
from node import GREETING_PORT, UDP_PORT, counter
from testing import MeshFileTest

V1, V2, V3, OWN = pod(1), pod(2), pod(3), pod(4)
UDP = {"name": "dns", "port": 53, "targetPort": UDP_PORT, "protocol": "UDP"}


def header(name, value):
    return {"headers": [{"name": name, "value": value}]}


SERVICES = [
    service(1, "v1", [1]), service(2, "v2", [2]), service(3, "v3", [3]),
    service(4, "plain", [5, 6], extra=[UDP]),
    service(10, "split", [4]), route("split", rule(backend("v1", 90), backend("v2", 10))),
    service(11, "matches", [4]), route(
        "matches",
        rule("v1", headers=[{"name": "end-user", "value": "jason"}]),
        rule("v2", path=path("/exact", "Exact")),
        rule("v3", path=path("/prefix/deep")),
        rule("v2", path=path("/prefix")),
        rule("v1", method="DELETE"),
        rule("v2", queryParams=[{"name": "version", "value": "2"}]),
        rule("v3", path=path("/both"), method="PUT", headers=[{"name": "x-tier", "value": "gold"}])),
    service(12, "nowhere", [4]), route("nowhere", rule("ghost")),
    service(13, "half", [4]), route("half", rule(backend("v1", 3), backend("ghost", 1))),
    service(14, "default", [4]), route("default", rule("v1", **header("x-version", "v1")), rule("v2")),
    service(15, "greeting", [4], target=GREETING_PORT), route("greeting", rule("v1")),
    service(17, "turns", [5, 6], annotations={"kmesh.net/load-balancing": "round-robin"}),
    service(18, "to-turns", [4]), route("to-turns", rule("turns")),
    service(19, "to-itself", [5, 6], annotations={"kmesh.net/load-balancing": "round-robin"}),
    route("to-itself", rule("to-itself")),
    service(30, "limited", [5], annotations={"kmesh.net/max-connections": "2"}),
    service(31, "to-limited", [4]), route("to-limited", rule("limited")),
    service(16, "empty", []), route("empty", rule("v1", path=path("/v1")), rule("empty")),
]


class MeshTests(MeshFileTest):
    mesh = SERVICES

    def test_split_is_exact(self):
        self.assertEqual(load(100, vip(10)), {V1: 90, V2: 10})
        # So is any row of ten, which a split by chance would not be.
        for _ in range(3):
            self.assertEqual(counts(10, vip(10)), {V1: 9, V2: 1})

    def test_split_of_ipv6_is_exact(self):
        self.assertEqual(load(100, vip6(10)), {pod6(1): 90, pod6(2): 10})
        self.assertEqual(counts(10, f"::ffff:{vip(10)}"), {V1: 9, V2: 1})

    def test_split_is_exact_with_many_at_a_time(self):
        self.assertEqual(load(50, vip(10), threads=4), {V1: 180, V2: 20})

    def test_matches(self):
        for name, parts in (
            (V1, {"end_user": "jason"}), (V1, {"END_USER": "jason"}), (V2, {"end_user": "jason", "target": "/exact"}),
            (V2, {"target": "/exact"}), (V2, {"target": "/exact?end-user=jason"}),
            (V3, {"target": "/prefix/deep"}), (V3, {"target": "/prefix/deep/er?a=b"}),
            (V2, {"target": "/prefix"}), (V2, {"target": "/prefix/"}), (V2, {"target": "/prefix/deepest"}),
            (V2, {"target": "/prefix/de"}),
            (V1, {"method": "DELETE"}), (V2, {"target": "/?version=2"}), (V2, {"target": "/x?a=1&version=2"}),
            (V3, {"target": "/both/x", "method": "PUT", "x_tier": "gold"}),
        ):
            with self.subTest(**parts):
                self.assertEqual(ask(vip(11), **parts), name)

    def test_nothing_matches(self):
        for parts in (
            {}, {"end_user": "Jason"}, {"target": "/exact/"}, {"target": "/prefixed"}, {"target": "/Exact"},
            {"method": "delete"}, {"target": "/?version=22"}, {"target": "/both", "x_tier": "gold"},
            {"target": "/both", "method": "PUT"},
        ):
            with self.subTest(**parts), self.counted("no_route", 1), self.counted("routed", 0):
                self.assertEqual(refusal(vip(11), **parts), "ECONNREFUSED")

    def test_backend_does_not_exist(self):
        with self.counted("no_backend", 10):
            for _ in range(5):
                self.assertEqual(refusal(vip(12)), "ECONNREFUSED")
                self.assertEqual(refusal(vip6(12)), "ECONNREFUSED")

    def test_share_of_a_backend_that_does_not_exist(self):
        with self.counted("no_backend", 10), self.counted("routed", 30):
            found = [refusal(vip(13)) for _ in range(40)]
        self.assertEqual([found.count(V1), found.count("ECONNREFUSED")], [30, 10])

    def test_service_without_routes(self):
        before = counter("deferred")
        with self.counted("steered", 45):
            found = counts(40, vip(4))
            self.assertEqual(set(found), {pod(5), pod(6)})
            self.assertIn(ask(vip6(4)), {pod6(5), pod6(6)})
            self.assertIn(ask(f"::ffff:{vip(4)}"), {pod(5), pod(6)})
            self.assertEqual(ask(vip(1)), V1)
            self.assertEqual(ask(vip(2)), V2)
            self.assertEqual(ask(vip(3)), V3)
        self.assertEqual(counter("deferred"), before)
        with self.counted("undeclared_port", 1):
            self.assertEqual(refusal(vip(4), port=81), "ECONNREFUSED")

    def test_datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            for number in range(5):
                sock.sendto(b"%d" % number, (vip(4), 53))
                data, peer = sock.recvfrom(99)
                self.assertEqual(peer, (vip(4), 53))
                self.assertIn(data, [f"10.21.5.{pod}:{UDP_PORT} {number}".encode() for pod in (5, 6)])

    def test_peer_is_the_service(self):
        for address in (vip(14), vip6(14), f"::ffff:{vip(14)}"):
            with connect(address) as sock:
                self.assertEqual(sock.getpeername()[:2], (address, 80))
                sock.sendall(request(closes=False))
                answers(sock)
                self.assertEqual(sock.getpeername()[:2], (address, 80))

    def test_later_requests_follow_the_first(self):
        with self.counted("routed", 1), connect(vip(14)) as sock:
            sock.sendall(request(closes=False, x_version="v1"))
            self.assertEqual(answers(sock), [V1])
            for _ in range(3):
                sock.sendall(request(closes=False))
                self.assertEqual(answers(sock), [V1])
        with connect(vip(14)) as sock:
            # Pipelined.
            sock.sendall(request(closes=False) + 2 * request(closes=False, x_version="v1"))
            self.assertEqual(answers(sock, 3), [V2] * 3)

    def test_server_speaks_first(self):
        with self.counted("deferred", 1), self.counted("routed", 0), connect(vip(15)) as sock:
            started = time.monotonic()
            self.assertEqual(answers(sock), [at("10.21.5.4", GREETING_PORT)])
            taken = time.monotonic() - started
        # The reading timer, or the idle one: not at once, which would be no deferral.
        self.assertGreater(taken, 0.2)
        print(f"after {taken:.2f} s", end=" ", flush=True)

    def test_other_streams_go_to_the_service_itself(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), b"\x00\x01raw\n", b"12345\n"):
            with self.subTest(data=data), self.counted("routed", 0):
                self.assertEqual(ask(vip(14), data), OWN)
                self.assertEqual(ask(vip6(14), data), pod6(4))

    def test_turns(self):
        for number in (17, 18, 19):
            with self.subTest(number=number):
                self.assertEqual(counts(20, vip(number)), {pod(5): 10, pod(6): 10})

    def test_turns_are_kept_beside_other_streams(self):
        found = []
        for _ in range(20):
            found.append(ask(vip(19)))
            self.assertIn(ask(vip(19), b"1\n"), (pod(5), pod(6)))
        self.assertEqual([found.count(pod(5)), found.count(pod(6))], [10, 10])

    def test_limit_of_connections(self):
        # Those that dial the service and those that a route leads there are counted together.
        with connect(vip(30)) as first, connect(vip(31)) as second:
            for sock in (first, second):
                sock.sendall(request(closes=False))
                self.assertEqual(answers(sock), [pod(5)])
            with self.counted("max_connections", 2):
                self.assertEqual(refusal(vip(30)), "ECONNREFUSED")
                self.assertEqual(refusal(vip(31)), "ECONNREFUSED")
            second.close()
            self.assertEqual(ask(vip(30)), pod(5))

    def test_default_without_endpoints(self):
        self.assertEqual(ask(vip(16), target="/v1"), V1)
        with self.counted("no_endpoint", 1):
            self.assertEqual(refusal(vip(16)), "ECONNREFUSED")


class ChangingMeshTests(MeshFileTest):
    mesh = [service(1, "v1", [1]), service(2, "v2", [2]), service(10, "split", [4])]

    def test_routes_come_and_go(self):
        self.assertEqual(counts(5, vip(10)), {OWN: 5})
        before = counter("deferred")
        self.apply(*self.mesh, route("split", rule("v1")))
        self.assertEqual(counts(5, vip(10)), {V1: 5})
        self.assertEqual(counter("deferred"), before + 5)
        self.apply(*self.mesh, route("split", rule(backend("v1", 1), backend("v2", 1))))
        self.assertEqual(counts(10, vip(10)), {V1: 5, V2: 5})
        # What a route leads to has gone, and comes again.
        self.apply(self.mesh[0], self.mesh[2], route("split", rule(backend("v1", 1), backend("v2", 1))))
        found = [refusal(vip(10)) for _ in range(10)]
        self.assertEqual([found.count(V1), found.count("ECONNREFUSED")], [5, 5])
        self.apply(self.mesh[0], service(2, "v2", [7, 8]), self.mesh[2],
                   route("split", rule(backend("v1", 1), backend("v2", 1))))
        found = counts(40, vip(10))
        self.assertEqual(found.pop(V1), 20)
        self.assertEqual(set(found), {pod(7), pod(8)})
        self.apply(*self.mesh)
        before = counter("deferred")
        self.assertEqual(counts(5, vip(10)), {OWN: 5})
        self.assertEqual(counter("deferred"), before)
        self.assertVerified()

    def test_bad_file_changes_nothing(self):
        self.apply(*self.mesh, route("split", rule("v1")))
        self.assertEqual(ask(vip(10)), V1)
        self.daemon.apply(self.file, text(*self.mesh, route("split", {"backendRefs": [], "matchez": []})))
        self.assertEqual(self.daemon.status()["lastConfigurationError"] is None, False)
        self.assertEqual(ask(vip(10)), V1)
        pattern = rule("v2", path=path("/[a-z]+", "RegularExpression"))
        self.apply(*self.mesh, route("split", pattern))
        self.assertIn("pattern", str(self.daemon.status()["recentRejections"]))
        self.assertEqual(ask(vip(10), target="/abc"), V1)
        self.apply(*self.mesh)
