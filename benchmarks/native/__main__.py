"""Measures what the kernel-native engine costs: figures to the output as RESULT lines, the rest to the errors."""

import argparse

import counts
import programs
import suite
import updates
from envoy_package import install

GUEST = ("floor", "native", "xdp", "passing", "dual", "waypoint", "envoys")
SCENARIOS = (*GUEST, "atomic", "update")


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run native")
    parser.add_argument("--connections", type=int, default=1000, help="of each side (1000)")
    parser.add_argument("--changes", type=int, default=101, help="of a route (101)")
    parser.add_argument("--kernel", default="bookworm-backports", help="of the guest, as scripts/kmod names them")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, separated by commas")
    parser.add_argument("--quick", action="store_true",
                        help="fewer connections and changes: the counted figures hardly differ")
    options = parser.parse_args()
    options.only = suite.chosen(parser, "scenario", options.only, SCENARIOS)
    if options.quick:
        options.connections, options.changes = 100, 11
    return options


def measure(place, options, results):
    programs.build("exchange")
    if "floor" in options.only:
        programs.build("floor", "bpf")
        programs.build_bpf("floor")
    if "envoys" in options.only:
        install()
    chosen = [name for name in GUEST if name in options.only]
    if chosen:
        suite.attempt(results, "counts", lambda: counts.measure(results, options, chosen))
    if "atomic" in options.only:
        suite.attempt(results, "atomic", lambda: counts.atomicity(results, options))
    if "update" in options.only:
        suite.attempt(results, "update", lambda: updates.measure(place, results, options.changes))


if __name__ == "__main__":
    suite.run("native", parse(), measure)
