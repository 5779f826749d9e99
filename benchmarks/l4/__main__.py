"""Measures steering at L4 beside its peers: figures to the output as RESULT lines, the rest to the errors."""

import argparse

import control
import load
import services
import suite
from network import Network
from place import CannotMeasure
from storm import Storm
from traffic import Traffic

TRAFFIC = ("keepalive_c64", "keepalive_c1", "connect")
CONTROL = ("load", "change", "storm")
SCENARIOS = (*TRAFFIC, "services", *CONTROL)


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/run l4")
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
    load.start_server(place, network)
    parts = ((TRAFFIC, measure_traffic), (("services",), measure_services), (CONTROL, measure_control))
    for names, part in parts:
        chosen = [name for name in names if name in options.only]
        if not chosen:
            continue
        try:
            part(place, network, options, results, chosen)
        except CannotMeasure as error:
            for name in chosen:
                results.miss(name, str(error))


def measure_traffic(place, network, options, results, chosen):
    sides = Traffic(place, network)
    for name in chosen:
        if name == "connect":
            sides.connect(results, options.pairs, options.seconds)
        else:
            sides.keep_alive(results, int(name[len("keepalive_c"):]), options.pairs, options.seconds)


def measure_services(place, network, options, results, _):
    services.measure(place, network, results, options.pairs, options.seconds)


def measure_control(place, network, options, results, chosen):
    loaded = control.LoadedMesh(place, network, 1 if options.quick else 3)
    parts = {
        "load": lambda: loaded.report(results),
        "change": lambda: control.change(loaded, results, 11 if options.quick else 101),
        "storm": lambda: Storm(place, network, loaded).measure(results, 3 if options.quick else 20),
    }
    for name in chosen:
        suite.attempt(results, name, parts[name])


if __name__ == "__main__":
    suite.run("l4", parse(), measure)
