# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""How an endpoint of a cluster is chosen, limited and tried again."""

import contextlib
import time

import envoy
from clients import answers, ask, connect, load, refusal, request
from envoy import chain, cluster, endpoint, host, http, listener, route
from mesh import at
from node import CLOSED_PORT, counter
from testing import StaticTest

DIALED = "10.40.0.2"


def end(number):
    return f"10.21.7.{number}"


def name(number):
    return at(end(number))


def closed(number):
    return endpoint(end(number), CLOSED_PORT)


def by_priority(*groups):
    return [{"priority": number, "lb_endpoints": [envoy.endpoint(each) for each in group]}
            for number, group in enumerate(groups)]


MAGLEV = [end(number) for number in range(40, 45)]
CLUSTERS = {
    "round": cluster("round", *map(end, (1, 2, 3))),
    "weighted": cluster("weighted", endpoint(end(4), load_balancing_weight=3), endpoint(end(5), load_balancing_weight=1)),
    "random": cluster("random", *map(end, (6, 7, 8, 9)), policy="RANDOM"),
    "least": cluster("least", *map(end, (10, 11)), policy="LEAST_REQUEST"),
    "maglev": cluster("maglev", *MAGLEV, policy="MAGLEV"),
    "priorities": cluster("priorities", groups=by_priority([end(12)], [end(13), end(14)])),
    "limited": cluster("limited", end(15), max_connections=3),
    "broken": cluster("broken", closed(16), closed(17), end(18)),
    "shut": cluster("shut", closed(19)),
}
PORTS = {key: 100 + number for number, key in enumerate(CLUSTERS)}


def listeners():
    options = {"maglev": {"hash_header": "x-session"}, "broken": {"retries": 2}, "shut": {"retries": 3}}
    made = [listener(DIALED, port, chain(http(host(route(key, **options.get(key, {}))))))
            for key, port in PORTS.items()]
    made.append(listener(DIALED, 200, chain(http(host(route("broken", retries=0))))))
    made.append(listener(DIALED, 201, chain(envoy.tcp("limited"))))
    return made


class BalancingTests(StaticTest):
    listeners = listeners()
    clusters = list(CLUSTERS.values())

    def ask(self, key, **parts):
        return ask(DIALED, port=PORTS[key], **parts)

    def counts(self, times, key, **parts):
        return load(times, DIALED, port=PORTS[key], **parts)

    def change(self, **clusters):
        self.apply(self.listeners, list({**CLUSTERS, **clusters}.values()))

    def test_round_robin(self):
        self.assertEqual(self.counts(99, "round"), {name(1): 33, name(2): 33, name(3): 33})
        self.assertEqual(len({self.ask("round") for _ in range(3)}), 3)

    def test_weighted_round_robin(self):
        found = self.counts(400, "weighted")
        # Of a table of 16,381 turns, any 400 in a row have the shares to within a few.
        self.assertAlmostEqual(found[name(4)], 300, delta=8)
        self.assertEqual(set(found), {name(4), name(5)})

    def test_random(self):
        found = self.counts(200, "random")
        self.assertEqual(set(found), set(map(name, (6, 7, 8, 9))))
        # 50 of each are expected, with a standard deviation of 6.
        for count in found.values():
            self.assertAlmostEqual(count, 50, delta=32)
        self.assertNotEqual([self.ask("random") for _ in range(12)], [name(6), name(7), name(8), name(9)] * 3)

    def test_least_request(self):
        with contextlib.ExitStack() as held:
            taken = []
            for _ in range(10):
                sock = held.enter_context(connect(DIALED, PORTS["least"]))
                sock.sendall(request(closes=False))
                taken += answers(sock)
            # Of two, the less busy one: they take turns.
            self.assertEqual([taken.count(name(10)), taken.count(name(11))], [5, 5])
        held = {number: [] for number in (10, 11)}
        try:
            # All on one of them: new connections go to the other until that has as many.
            for _ in range(10):
                sock = connect(DIALED, PORTS["least"])
                sock.sendall(request(closes=False))
                held[int(answers(sock)[0].split(":")[0].rpartition(".")[2])].append(sock)
            for sock in held.pop(10):
                sock.close()
            held[10] = []
            self.assertEqual(self.counts(10, "least"), {name(10): 10})
        finally:
            for socks in held.values():
                for sock in socks:
                    sock.close()

    def test_maglev_by_header(self):
        first = {f"user-{number}": self.ask("maglev", x_session=f"user-{number}") for number in range(60)}
        self.assertEqual(set(first.values()), set(map(at, MAGLEV)))
        self.assertGreater(min(list(first.values()).count(at(each)) for each in MAGLEV), 3)
        for user in ("user-0", "user-1", "user-2"):
            self.assertEqual(self.counts(15, "maglev", x_session=user), {first[user]: 15})
        new = end(50)
        self.change(maglev=cluster("maglev", *MAGLEV, new, policy="MAGLEV"))
        then = {user: self.ask("maglev", x_session=user) for user in first}
        moved = [user for user in first if then[user] != first[user]]
        # Who moves goes to the new one; few others do.
        self.assertIn(at(new), then.values())
        others = [user for user in moved if then[user] != at(new)]
        self.assertLessEqual(len(others), 3, (first, then))
        self.assertLess(len(moved), 25)
        print(f"{len(moved)} of 60 moved, {len(others)} to others", end=" ", flush=True)
        self.change()
        self.assertEqual({user: self.ask("maglev", x_session=user) for user in list(first)[:20]},
                         dict(list(first.items())[:20]))

    def test_priorities(self):
        self.assertEqual(self.counts(10, "priorities"), {name(12): 10})
        self.change(priorities=cluster("priorities", groups=by_priority([], [end(13), end(14)])))
        self.assertEqual(self.counts(10, "priorities"), {name(13): 5, name(14): 5})
        unhealthy = [{"priority": 0, "lb_endpoints": [envoy.endpoint(end(12), health_status="UNHEALTHY")]},
                     *by_priority([], [end(14)])[1:]]
        self.change(priorities=cluster("priorities", groups=unhealthy))
        self.assertEqual(self.counts(10, "priorities"), {name(14): 10})
        self.change()
        self.assertEqual(self.counts(10, "priorities"), {name(12): 10})

    def test_limit_of_connections(self):
        # The endpoint's answers end connections late: those of the client count.
        for port in (PORTS["limited"], 201):
            with self.subTest(port=port), contextlib.ExitStack() as held:
                socks = []
                for _ in range(3):
                    socks.append(held.enter_context(connect(DIALED, port)))
                    socks[-1].sendall(request(closes=False))
                    self.assertEqual(answers(socks[-1]), [name(15)])
                with self.counted("max_connections", 5):
                    for _ in range(5):
                        self.assertEqual(refusal(DIALED, port=port), "ECONNREFUSED")
                socks[1].close()
                for _ in range(5):
                    self.assertEqual(self.soon(port), name(15))
                with self.counted("max_connections", 0):
                    pass
        with self.counted("max_connections", 0):
            for _ in range(10):
                self.assertEqual(self.soon(PORTS["limited"]), name(15))

    @staticmethod
    def soon(port):
        """A socket counts until it is released, which the kernel does soon after its end."""
        end_ = time.monotonic() + 2
        while True:
            found = refusal(DIALED, port=port)
            if found != "ECONNREFUSED" or time.monotonic() > end_:
                return found

    def test_limit_may_change(self):
        self.change(limited=cluster("limited", end(15), max_connections=1))
        with connect(DIALED, PORTS["limited"]) as sock:
            sock.sendall(request(closes=False))
            answers(sock)
            self.assertEqual(refusal(DIALED, port=PORTS["limited"]), "ECONNREFUSED")
            self.change(limited=cluster("limited", end(15)))
            self.assertEqual(self.counts(5, "limited"), {name(15): 5})
        self.change()

    def test_next_endpoint_when_one_refuses(self):
        retried = counter("retried")
        before = self.daemon.reasons().get("endpoint_refused", 0)
        self.assertEqual(self.counts(30, "broken"), {name(18): 30})
        times = self.daemon.reasons().get("endpoint_refused", 0) - before
        self.assertEqual(counter("retried") - retried, times)
        self.assertGreater(times, 10)
        # Without retries one in three arrives.
        found = [refusal(DIALED, port=200) for _ in range(9)]
        self.assertEqual([found.count(name(18)), found.count("ECONNREFUSED")], [3, 6])
        # Nobody else is there.
        with self.counted("endpoint_refused", 3):
            self.assertEqual(refusal(DIALED, port=PORTS["shut"]), "ECONNREFUSED")
