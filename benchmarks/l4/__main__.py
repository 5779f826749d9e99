"""Measures steering at L4 beside its peers: figures to the output as RESULT lines, the rest to the errors."""

import argparse
import os
import signal
import sys

import control
import load
import services
from network import Network
from place import CannotMeasure, Place, say
from results import Results
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
        try:
            parts[name]()
        except CannotMeasure as error:
            results.miss(name, str(error))


def main():
    options = parse()
    # A terminated run cleans up as one that was interrupted does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say(f"load average {os.getloadavg()[0]:.2f} at the start; what else runs here adds noise")
    results = Results("l4")
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
