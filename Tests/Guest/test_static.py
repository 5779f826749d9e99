# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Envoy's listeners, routes and clusters from a file: how requests are matched."""

import collections
import subprocess

import node
from clients import ask, connect, answers, counts, load, refusal, request
from envoy import chain, cluster, host, http, listener, route, tcp
from mesh import at
from node import OTHER, counter
from testing import StaticTest

FIXTURES = node.ROOT / "Tests" / "Fixtures" / "envoy"
DIALED = "10.40.0.1"
NAMES = [f"c{number}" for number in range(10)]


def end(number):
    return f"10.21.6.{number}"


def name(number):
    return at(end(number))


# Cluster cN has one endpoint, 10.21.6.N.
CLUSTERS = [cluster(each, end(number)) for number, each in enumerate(NAMES)]


def header(name_, **match):
    return {"headers": [{"name": name_, **match}]}


def query(name_, **match):
    return {"query_parameters": [{"name": name_, **match}]}


DOMAINS = http(
    host(route("c1"), domains=["shop.example"]),
    host(route("c2"), domains=["*.shop.example"]),
    host(route("c3"), domains=["*.deep.shop.example"]),
    host(route("c4"), domains=["www.*"]),
    host(route("c5"), domains=["shop.example:8080"]),
    host(route("c6"), domains=["*"]))
NO_DOMAIN = http(host(route("c1", prefix="/only"), domains=["only.example"]))
CASES = http(host(
    route("c1", path="/Exact", case_sensitive=False), route("c2", prefix="/Pre", case_sensitive=False),
    route("c3", path="/case"), route("c4", path_separated_prefix="/seg", prefix=None)))
MATCHES = http(host(
    route("c1", **header("x-exact", exact_match="one")),
    route("c2", **header("x-prefix", prefix_match="one")),
    route("c3", **header("x-suffix", suffix_match="one")),
    route("c4", **header("x-contains", contains_match="one")),
    route("c5", **header("x-present", present_match=True)),
    route("c6", **header("x-any-case", string_match={"exact": "OnE", "ignore_case": True})),
    route("c7", **query("version", string_match={"exact": "2"})),
    route("c7", **query("flag", present_match=True)),
    route("c8", **header("x-empty", exact_match="", treat_missing_header_as_empty=False)),
    route("c9", **header(":method", exact_match="PUT")),
    route("c0", **header("x-not", exact_match="one", invert_match=True))))
CHAINS = [
    chain(http(host(route("c1"))), source_prefix_ranges=[{"address_prefix": "10.8.0.0", "prefix_len": 24}]),
    chain(http(host(route("c2"))), source_prefix_ranges=[{"address_prefix": "10.8.0.0", "prefix_len": 16}]),
]
LISTENERS = [
    listener(DIALED, 80, chain(DOMAINS)), listener(DIALED, 81, chain(NO_DOMAIN)),
    listener(DIALED, 82, chain(CASES)), listener(DIALED, 83, chain(MATCHES)),
    listener(DIALED, 84, *CHAINS),
    listener(DIALED, 85, chain(tcp("c1"), source_prefix_ranges=[{"address_prefix": "10.8.1.0", "prefix_len": 24}])),
    listener("0.0.0.0", 86, chain(http(host(route("c1"))))),
    listener(DIALED, 86, chain(http(host(route("c2"))))),
    listener("::", 87, chain(tcp("c6v6"))),
    listener(DIALED, 88, chain(http(host(route(None, weighted={"c1": 90, "c2": 10}))))),
    listener(DIALED, 89, chain(http(host(route("c1"))), application_protocols=["http/1.1", "http/1.0"]),
             chain(tcp("c2"))),
]


class StaticTests(StaticTest):
    listeners = LISTENERS
    clusters = CLUSTERS + [cluster("c6v6", "fd00:21::6")]

    def assertRouted(self, port, *cases):
        for number, parts in cases:
            with self.subTest(**parts):
                self.assertEqual(ask(DIALED, port=port, **parts), name(number))

    def test_domains(self):
        self.assertRouted(
            80, (1, {"host": "shop.example"}), (1, {"host": "SHOP.Example"}), (1, {"host": "shop.example:80"}),
            (5, {"host": "shop.example:8080"}), (2, {"host": "a.shop.example"}), (2, {"host": "a.b.shop.example"}),
            (3, {"host": "a.deep.shop.example"}), (2, {"host": "deep.shop.example"}), (4, {"host": "www.other"}),
            (2, {"host": "www.shop.example"}), (6, {"host": "ashop.example"}), (6, {"host": ".example"}),
            (6, {"host": "192.0.2.1:80"}), (1, {"target": "http://shop.example/x", "host": "shop.example"}))

    def test_no_domain(self):
        self.assertEqual(ask(DIALED, port=81, host="only.example", target="/only"), name(1))
        with self.counted("no_host", 1):
            self.assertEqual(refusal(DIALED, port=81, host="other.example", target="/only"), "ECONNREFUSED")
        with self.counted("no_route", 1):
            self.assertEqual(refusal(DIALED, port=81, host="only.example"), "ECONNREFUSED")

    def test_paths(self):
        self.assertRouted(
            82, (1, {"target": "/eXACT"}), (1, {"target": "/exact?A"}), (2, {"target": "/PRE"}),
            (2, {"target": "/prefix/X"}), (3, {"target": "/case"}), (4, {"target": "/seg"}), (4, {"target": "/seg/x"}))
        with self.counted("no_route", 3):
            for target in ("/Case", "/segment", "/exactly"):
                self.assertEqual(refusal(DIALED, port=82, target=target), "ECONNREFUSED")

    def test_headers_and_parameters(self):
        # What is not there matches nothing, so each is a request of its own.
        self.assertRouted(
            83, (1, {"x_exact": "one"}), (2, {"x_prefix": "one more"}), (3, {"x_suffix": "this one"}),
            (4, {"x_contains": "a one b"}), (5, {"x_present": ""}), (5, {"x_present": "x"}),
            (6, {"x_any_case": "oNe"}), (7, {"target": "/?version=2"}), (7, {"target": "/?flag"}),
            (7, {"target": "/?flag=1&x=2"}), (9, {"method": "PUT"}), (0, {"x_not": "two"}),
            (1, {"x_exact": "one", "x_prefix": "one"}), (2, {"x_exact": "two", "x_prefix": "one"}))
        with self.counted("no_route", 6):
            for parts in (
                {"x_exact": "One"}, {"x_prefix": "no one"}, {"x_suffix": "one more"}, {"x_contains": "on e"},
                {"x_not": "one"}, {"target": "/?version=20"},
            ):
                self.assertEqual(refusal(DIALED, port=83, **parts), "ECONNREFUSED", parts)

    def from_other(self, port):
        words = [node.PROGRAMS / "load", DIALED, port, 1, 3, request().decode()]
        output = node.start(OTHER, *words, group="pods", stdout=subprocess.PIPE, text=True).communicate(timeout=60)[0]
        return output.splitlines()[0]

    def test_filter_chains_by_source(self):
        self.assertEqual(counts(3, DIALED, port=84), {name(1): 3})
        self.assertEqual(self.from_other(84), f"3 answer {name(2)}")
        with self.counted("no_chain", 1):
            self.assertEqual(refusal(DIALED, port=85), "ECONNREFUSED")
        self.assertEqual(self.from_other(85), f"3 answer {name(1)}")

    def test_any_address(self):
        for address in ("192.0.2.7", "10.40.9.9"):
            self.assertEqual(ask(address, port=86), name(1))
        self.assertEqual(ask(DIALED, port=86), name(2))
        self.assertEqual(ask("fd00:40::5", port=87), at("fd00:21::6"))

    def test_split_is_exact(self):
        self.assertEqual(load(100, DIALED, port=88), {name(1): 90, name(2): 10})

    def test_a_restart_goes_on_where_it_was(self):
        first = collections.Counter(load(50, DIALED, port=88))
        self.daemon.kill()
        self.daemon.start()
        self.assertLessEqual(self.daemon.status()["engine"]["writes"], 10)
        self.assertVerified()
        self.assertEqual(first + collections.Counter(load(50, DIALED, port=88)), {name(1): 90, name(2): 10})

    def test_other_streams(self):
        self.assertEqual(ask(DIALED, port=89), name(1))
        self.assertEqual(ask(DIALED, b"\x16\x03\x01\x00\x05hello", port=89), name(2))

    def test_pattern_is_refused_and_what_runs_stays(self):
        self.assertEqual(ask(DIALED, port=81, host="only.example", target="/only"), name(1))
        bad = http(host(route("c2", **header("x", safe_regex_match={"regex": "a+"})), domains=["only.example"]))
        listeners = [LISTENERS[0], listener(DIALED, 81, chain(bad)), *LISTENERS[2:]]
        self.apply(listeners, self.clusters)
        said = self.daemon.status()["recentRejections"]
        self.assertTrue([line for line in said if "81" in line and "pattern" in line], said)
        self.assertEqual(ask(DIALED, port=81, host="only.example", target="/only"), name(1))
        # A file that cannot be read changes nothing either.
        self.daemon.apply(self.file, '{"static_resources": {"listenerz": []}}')
        self.assertIn("listenerz", self.daemon.status()["lastConfigurationError"])
        self.assertEqual(ask(DIALED, port=82, target="/case"), name(3))
        self.apply(LISTENERS, self.clusters)
        self.assertVerified()

    def test_ten_times_the_limits_of_kmesh(self):
        long = "n" * 1920
        named = f"cluster-{long}"
        ends = [f"10.21.{10 + number // 250}.{number % 250 + 1}" for number in range(640)]
        routes = [route("c1", path=f"/route/{number}") for number in range(77)]
        routes += [route(named, path=f"/{long}", **header("x-long", exact_match=long)), route("c2", prefix="/route"),
                   route("many", prefix="/many")]
        listeners = [*LISTENERS, listener(DIALED, 90, chain(http(host(*routes))))]
        clusters = [*self.clusters, cluster(named, end(9)), cluster("many", *ends)]
        before = self.daemon.status()["rejected"]
        taken = self.apply(listeners, clusters)
        print(f"in force after {taken * 1000:.0f} ms", end=" ", flush=True)
        self.assertEqual(self.daemon.status()["rejected"], before, self.daemon.status()["recentRejections"])
        self.assertRouted(90, *((1, {"target": f"/route/{number}"}) for number in (0, 38, 76)),
                          (2, {"target": "/route/77"}), (9, {"target": f"/{long}", "x_long": long}))
        with self.counted("no_route", 2):
            self.assertEqual(refusal(DIALED, port=90, target=f"/{long}", x_long=long[1:]), "ECONNREFUSED")
            self.assertEqual(refusal(DIALED, port=90, target=f"/{long}x", x_long=long), "ECONNREFUSED")
        # Each of the endpoints once, in turn.
        self.assertEqual(load(640, DIALED, port=90, target="/many"), {at(each): 1 for each in ends})
        self.apply(LISTENERS, self.clusters)


class KmeshFileTests(StaticTest):
    """Kmesh's own configurations, as they are."""

    @classmethod
    def content(cls):
        return cls.fixture("base")

    @staticmethod
    def fixture(name_):
        return (FIXTURES / f"oe_test_{name_}_function.json").read_text()

    FIRST, SECOND = at("127.0.0.1", 51756), at("127.0.0.1", 57388)

    def dial(self, times, **parts):
        return load(times, "127.0.0.1", port=9563, **parts)

    def test_all_five(self):
        self.assertEqual(self.dial(10), {self.FIRST: 10})
        before = counter("deferred")
        for file, expected in (
            ("dark_launch", {self.FIRST: 80, self.SECOND: 20}), ("lb_policy", {self.FIRST: 50, self.SECOND: 50}),
            ("route", {self.SECOND: 100}), ("tcp_proxy_weight_cluster", {self.FIRST: 80, self.SECOND: 20}),
        ):
            with self.subTest(file):
                self.daemon.apply(self.file, self.fixture(file))
                self.assertEqual(self.dial(100), expected)
                if file == "route":
                    self.assertEqual(self.dial(20, end_user="jason"), {self.FIRST: 20})
                    self.assertEqual(self.dial(20, end_user="jasonx"), {self.SECOND: 20})
        # A TCP proxy reads nothing.
        self.assertEqual(counter("deferred"), before + 340)
        with connect("127.0.0.1", 9563) as sock:
            sock.sendall(b"\x01raw\n")
            self.assertEqual(len(answers(sock)), 1)
        self.assertVerified()
