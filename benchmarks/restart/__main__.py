"""Restarts and upgrades under traffic: figures to the output as RESULT lines, the rest to the errors."""

import argparse

import large
import suite
from network import Network
from place import say
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
    options.only = suite.chosen(parser, "scenario", options.only, SCENARIOS)
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
                suite.attempt(results, name, lambda: run(scenarios, Traffic(stage, name), options))
        stage.stop()
    if "large" in options.only:
        suite.attempt(results, "large", lambda: large.measure(place, network, results, options.quick))


def run(scenarios, traffic, options):
    say(f"  {traffic.name}")
    if traffic.name in SIGNALS:
        scenarios.restart(traffic, options.restarts, SIGNALS[traffic.name])
    elif traffic.name == "waypoint":
        scenarios.hand_over(traffic, options.upgrades)
    else:
        scenarios.upgrade(traffic, options.upgrades)


if __name__ == "__main__":
    suite.run("restart", parse(), measure)
