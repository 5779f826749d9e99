"""Restarts and upgrades under traffic: figures to the output as RESULT lines, the rest to the errors."""

import argparse
import os
import signal
import sys

import large
from network import Network
from place import CannotMeasure, Place, say
from results import Results
from scenarios import Scenarios
from stage import Stage
from traffic import Traffic

SIGNALS = {"term": "SIGTERM", "kill": "SIGKILL", "takeover": "takeover"}
SCENARIOS = (*SIGNALS, "waypoint", "upgrade", "large")


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run restart")
    parser.add_argument("--restarts", type=int, default=20, help="of the daemon, in each scenario (20)")
    parser.add_argument("--upgrades", type=int, default=5, help="of the waypoint, and from another layout (5)")
    parser.add_argument("--seconds", type=int, default=15, help="length of the traffic without restarts (15)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, separated by commas")
    parser.add_argument("--quick", action="store_true",
                        help="3 restarts, 2 upgrades, a small mesh instead of the large one: whether it runs at all")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SCENARIOS)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are: {', '.join(SCENARIOS)}")
    if options.quick:
        options.restarts, options.upgrades, options.seconds = 3, 2, 3
    return options


def measure(place, options, results):
    network = Network(place)
    if set(options.only) - {"large"}:
        stage = Stage(place, network)
        stage.start_daemon()
        scenarios = Scenarios(stage, results)
        say("  quiet")
        scenarios.quiet(Traffic(stage, "quiet"), options.seconds)
        for name in options.only:
            if name != "large":
                attempt(results, name, lambda: run(scenarios, Traffic(stage, name), options))
        stage.stop()
    if "large" in options.only:
        attempt(results, "large", lambda: large.measure(place, network, results, options.quick))


def run(scenarios, traffic, options):
    say(f"  {traffic.name}")
    if traffic.name in SIGNALS:
        scenarios.restart(traffic, options.restarts, SIGNALS[traffic.name])
    elif traffic.name == "waypoint":
        scenarios.hand_over(traffic, options.upgrades)
    else:
        scenarios.upgrade(traffic, options.upgrades)


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
    results = Results("restart")
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
