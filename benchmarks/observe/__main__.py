"""Measures what observing connections costs: figures to the output as RESULT lines, the rest to the errors."""

import argparse
import os
import signal
import sys

import load
import records
from network import Network
from pairs import Pairs
from place import CannotMeasure, Place, say
from results import Results

COMPARED = tuple(Pairs.FIGURES)
SCENARIOS = (*COMPARED, "programs", "records")


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run observe")
    parser.add_argument("--pairs", type=int, default=9, help="rounds of each comparison (9)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement (3)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, separated by commas")
    parser.add_argument("--quick", action="store_true",
                        help="2 pairs of 1 second, a small mesh instead of the large one: whether it runs at all")
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
    if set(options.only) - {"records"}:
        pairs = Pairs(place, network)
        for name in options.only:
            if name in COMPARED:
                attempt(results, name, lambda: pairs.measure(results, name, options.pairs, options.seconds))
        if "programs" in options.only:
            attempt(results, "programs", lambda: pairs.programs(results, options.seconds))
        pairs.stop()
    if "records" in options.only:
        seconds = 2 if options.quick else 10
        attempt(results, "records", lambda: records.measure(place, network, results, seconds, options.quick))


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
    results = Results("observe")
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
