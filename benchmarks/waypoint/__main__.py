"""Measures kmesh-waypoint beside HAProxy, nginx and Envoy: figures to the output as RESULT lines."""

import argparse
import os
import signal
import sys

import bulk
import idle
import instructions
import requests
from place import CannotMeasure, Place, say
from proxies import Proxies
from results import Results

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
    options.only, options.peers = options.only.split(","), [name for name in options.peers.split(",") if name]
    for kind, chosen, known in (("scenario", options.only, SCENARIOS), ("peer", options.peers, PEERS)):
        unknown = set(chosen) - set(known)
        if unknown:
            parser.error(f"no {kind} {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    if options.quick:
        options.pairs, options.seconds = 2, 1
    return options


def measure(place, options, results):
    proxies = Proxies(place)
    if {"instructions", "routes1000"} & set(options.only):
        attempt(results, "instructions", lambda: instructions.measure(place, proxies, options, results))
    sides, missing = proxies.start_all(("ours", *options.peers))
    for name in options.only:
        if name in requests.SCENARIOS:
            attempt(results, name,
                    lambda: requests.measure(place, proxies, sides, missing, name, options, results))
    if "tcp" in options.only:
        attempt(results, "tcp", lambda: bulk.measure(place, proxies, sides, missing, options, results))
    if "idle" in options.only:
        attempt(results, "idle", lambda: idle.measure(place, proxies, sides, missing, results))
    if "routes1000" in options.only and "ours" in sides and not options.gate:
        attempt(results, "routes1000",
                lambda: requests.measure_routes(place, proxies, sides["ours"], options, results))


def attempt(results, name, part):
    try:
        part()
    except CannotMeasure as error:
        results.miss(name, str(error))


def main():
    options = parse()
    # A terminated run cleans up as one that was interrupted does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say(f"load average {os.getloadavg()[0]:.2f} at the start; what else runs here adds noise")
    results = Results("waypoint")
    place = Place()
    try:
        place.open()
        measure(place, options, results)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except CannotMeasure as error:
        sys.exit(f"cannot measure: {error}")
    finally:
        # A second interrupt must not leave half of it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        place.close()
    missed = results.judge(gate=options.gate)
    return 1 if results.missing or missed else 0


if __name__ == "__main__":
    sys.exit(main())
