"""Measures authorization: figures to the output as RESULT lines, the rest to the errors."""

import argparse

import load
import scale
import suite
import verdict
from network import Network
from servers import Servers
from traffic import Traffic

SCENARIOS = ("verdict", "bulk", "connect", "scale")


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run authz")
    parser.add_argument("--pairs", type=int, default=9, help="rounds of each comparison (9)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement (3)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, separated by commas")
    parser.add_argument("--quick", action="store_true", help="2 pairs of 1 second: whether it runs at all")
    options = parser.parse_args()
    options.only = suite.chosen(parser, "scenario", options.only, SCENARIOS)
    if options.quick:
        options.pairs, options.seconds = 2, 1
    return options


def measure(place, options, results):
    load.build()
    network = Network(place)
    servers = Servers(place, network)
    traffic = []

    def sides():
        if not traffic:
            traffic.append(Traffic(place, servers))
        return traffic[0]

    parts = {
        "verdict": lambda: verdict.measure(servers, results, options.pairs),
        "bulk": lambda: sides().bulk(results, options.pairs, options.seconds),
        "connect": lambda: sides().connect(results, options.pairs, options.seconds),
        "scale": lambda: scale.measure(place, network, servers, results, 6 if options.quick else 41),
    }
    for name in SCENARIOS:
        if name in options.only:
            suite.attempt(results, name, parts[name])


if __name__ == "__main__":
    suite.run("authz", parse(), measure)
