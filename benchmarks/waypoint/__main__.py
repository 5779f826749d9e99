"""Measures kmesh-waypoint beside HAProxy, nginx and Envoy: figures to the output as RESULT lines."""

import argparse

import bulk
import idle
import instructions
import requests
import suite
from proxies import Proxies

REQUESTS = tuple(requests.SCENARIOS)
SCENARIOS = (*REQUESTS, "routes1000", "instructions", "tcp", "idle")
PEERS = ("haproxy", "nginx", "envoy")
# What does not depend on the machine.
GATED = ("instructions", "routes1000", "idle")


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run waypoint")
    parser.add_argument("--pairs", type=int, default=7, help="rounds of each comparison (7)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement (3)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, separated by commas")
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, separated by commas")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 second: whether it runs at all")
    parser.add_argument("--gate", action="store_true",
                        help="ours alone, and only what is the same on every machine; 1 when a gate's target is missed")
    options = parser.parse_args()
    if options.gate:
        options.only, options.peers = ",".join(GATED), ""
    options.only = suite.chosen(parser, "scenario", options.only, SCENARIOS)
    options.peers = suite.chosen(parser, "peer", options.peers, PEERS) if options.peers else []
    if options.quick:
        options.pairs, options.seconds = 2, 1
    return options


def measure(place, options, results):
    proxies = Proxies(place)
    if {"instructions", "routes1000"} & set(options.only):
        suite.attempt(results, "instructions", lambda: instructions.measure(place, proxies, options, results))
    sides, missing = proxies.start_all(("ours", *options.peers))
    for name in options.only:
        if name in requests.SCENARIOS:
            suite.attempt(results, name,
                    lambda: requests.measure(place, proxies, sides, missing, name, options, results))
    if "tcp" in options.only:
        suite.attempt(results, "tcp", lambda: bulk.measure(place, proxies, sides, missing, options, results))
    if "idle" in options.only:
        suite.attempt(results, "idle", lambda: idle.measure(place, proxies, sides, missing, results))
    if "routes1000" in options.only and "ours" in sides and not options.gate:
        suite.attempt(results, "routes1000",
                lambda: requests.measure_routes(place, proxies, sides["ours"], options, results))


if __name__ == "__main__":
    options = parse()
    suite.run("waypoint", options, measure, gate=options.gate)
