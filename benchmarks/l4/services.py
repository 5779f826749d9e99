"""Scenarios services10, services1000 and services10000: what the program adds to a connect()."""

import statistics

import kernel
import load
import mesh
from daemon import Daemon
from load import Client
from network import HOSTS, service_address
from place import say
from rounds import Ratio, column, interleave

COUNTS = (10, 1000, 10000)
SPREAD = 10  # services that are dialed in turn, besides the last one alone
IN_FLIGHT = 8


def scenario(count):
    return f"services{count}"


def measure(place, network, results, pairs, seconds):
    """Three daemons at once, each with a cgroup of its own, so that their rounds can take turns."""
    namespace = network.add_client("counted", 20)
    sides = {}
    for count in COUNTS:
        say(f"setting up {scenario(count)}")
        sides.update(_sides(place, network, namespace, count))
    # The first side once more: how far two measurements of the same thing are apart.
    sides["control"] = sides[f"{scenario(COUNTS[0])}.last"]
    with kernel.Statistics():
        rounds, gone = interleave(sides, pairs, lambda side: _round(place, *sides[side], seconds), "services")
    for count in COUNTS:
        _report(results, scenario(count), rounds, gone)


def _sides(place, network, namespace, count):
    directory = place.directory / f"mesh-{count}"
    mesh.write_services(directory, count)
    daemon = Daemon(place, network, scenario(count), directory)
    daemon.wait_for(service_address(count - 1))
    daemon.enroll(namespace, f"{HOSTS}.20")
    program = kernel.program_of_link(daemon.pins / "link_connect4")
    numbers = {"last": [count - 1], "spread": [count * index // SPREAD for index in range(SPREAD)]}
    return {f"{scenario(count)}.{what}": (
        Client(namespace, daemon.client_cgroup, [f"{service_address(number)}:80" for number in dialed]), program)
        for what, dialed in numbers.items()}


def _round(place, client, program, seconds):
    before_ns, before_runs = kernel.run_time(program)
    load.connect(place, client, IN_FLIGHT, seconds)
    after_ns, after_runs = kernel.run_time(program)
    return {"ns": (after_ns - before_ns) / (after_runs - before_runs)}


def _report(results, name, rounds, gone):
    figure, first = f"{name}.ns_per_connect", f"{scenario(COUNTS[0])}.last"
    last, spread = f"{name}.last", f"{name}.spread"
    missing = [side for side in (first, last, spread, "control") if side not in rounds]
    if missing:
        results.miss(figure, gone[missing[0]])
        return
    base = column(rounds[first], "ns")
    series = {"": column(rounds[last], "ns"), "spread_": column(rounds[spread], "ns")}
    others = {}
    for prefix, numbers in series.items():
        ratio = Ratio(numbers, base)
        key = f"{prefix}vs_{scenario(COUNTS[0])}"
        others.update({key: ratio.median, f"{key}_min": ratio.least, f"{key}_max": ratio.most})
    control = Ratio(column(rounds["control"], "ns"), base)
    others.update(control=control.median, control_min=control.least, control_max=control.most)
    others["spread"] = statistics.median(series["spread_"])
    results.add(figure, statistics.median(series[""]), "ns", **others)
