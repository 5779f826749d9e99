"""Measures authorization: figures to the output as RESULT lines, the rest to the errors."""

import argparse
import os
import signal
import sys

import load
import scale
import verdict
from network import Network
from place import CannotMeasure, Place, say
from results import Results
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
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SCENARIOS)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are: {', '.join(SCENARIOS)}")
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
        if name not in options.only:
            continue
        try:
            parts[name]()
        except CannotMeasure as error:
            results.miss(name, str(error))


def main():
    options = parse()
    # A terminated run cleans up as one that was interrupted does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say(f"load average {os.getloadavg()[0]:.2f} at the start; what else runs here adds noise")
    results = Results("authz")
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
    results.judge()
    return 1 if results.missing else 0


if __name__ == "__main__":
    sys.exit(main())
