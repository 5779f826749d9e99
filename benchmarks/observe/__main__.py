"""Measures what observing connections costs: figures to the output as RESULT lines, the rest to the errors."""

import argparse

import load
import records
import suite
from network import Network
from pairs import Pairs

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
    options.only = suite.chosen(parser, "scenario", options.only, SCENARIOS)
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
                suite.attempt(results, name, lambda: pairs.measure(results, name, options.pairs, options.seconds))
        if "programs" in options.only:
            suite.attempt(results, "programs", lambda: pairs.programs(results, options.seconds))
        pairs.stop()
    if "records" in options.only:
        seconds = 2 if options.quick else 10
        suite.attempt(results, "records", lambda: records.measure(place, network, results, seconds, options.quick))


if __name__ == "__main__":
    suite.run("observe", parse(), measure)
