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
        Client(namespace, daemon.client_cgroup, [f"{service_address(number)}:80" for number in dialed]),
        program) for what, dialed in numbers.items()}


def _round(place, client, program, seconds):
    before_ns, before_runs = kernel.run_time(program)
    load.connect(place, client, IN_FLIGHT, seconds)
    after_ns, after_runs = kernel.run_time(program)
    return {"ns": (after_ns - before_ns) / (after_runs - before_runs)}


def _report(results, name, rounds, gone):
    """The last service and the spread ones, each beside the same of the smallest mesh."""
    first = scenario(COUNTS[0])
    needed = [f"{mesh_size}.{what}" for mesh_size in (first, name) for what in ("last", "spread")] + ["control"]
    missing = [side for side in needed if side not in rounds]
    if missing:
        results.miss(f"{name}.ns_per_connect", gone[missing[0]])
        return
    series = {side: column(rounds[side], "ns") for side in needed}
    others = _range(f"vs_{first}", Ratio(series[f"{name}.last"], series[f"{first}.last"]))
    others.update(_range("control", Ratio(series["control"], series[f"{first}.last"])))
    others["spread"] = statistics.median(series[f"{name}.spread"])
    others.update(_range(f"spread_vs_{first}", Ratio(series[f"{name}.spread"], series[f"{first}.spread"])))
    results.add(f"{name}.ns_per_connect", statistics.median(series[f"{name}.last"]), "ns", **others)


def _range(key, ratio):
    return {key: ratio.median, f"{key}_min": ratio.least, f"{key}_max": ratio.most}
