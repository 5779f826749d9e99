"""What a verdict costs, by test runs of the programs that are attached."""

import statistics

import kernel
import packets
import policies
from network import PORT
from place import CannotMeasure
from rounds import interleave
from servers import SIDES

XDP_PASS, SK_PASS = 2, 1
REPEAT = 200_000
# Policies, rules in each, values in each rule.
ONE, MANY = (1, 1, 1), (100, 10, 10)


def measure(servers, results, pairs):
    """Nanoseconds; `empty` is a program that does nothing, in the same kind of run."""
    made = {
        "one": servers.add("one", policies.many(*ONE), SIDES["ours"], serves=False),
        "many": servers.add("many", policies.many(*MANY), SIDES["ours"], serves=False),
        "lookup_one": servers.add("lone", policies.many(*ONE), SIDES["lookup"], serves=False),
        "lookup_many": servers.add("lmany", policies.many(*MANY), SIDES["lookup"], serves=False),
    }
    runs = {"empty": lambda run=kernel.load_empty_xdp(): _xdp(run, servers.client, made["one"], packets.SYN)}
    for name, server in made.items():
        program = server.program()
        if name.startswith("lookup"):
            runs[name] = lambda program=program, server=server: _lookup(program, servers.client, server)
        else:
            runs[name] = lambda program=program, server=server: _xdp(program, servers.client, server, packets.SYN)
    runs["later"] = lambda program=made["one"].program(): _xdp(program, servers.client, made["one"], packets.ACK)
    rounds, gone = interleave(list(runs), max(pairs, 5), lambda side: {"ns": runs[side]()}, "verdict")
    if gone:
        raise CannotMeasure(f"a program does not run: {gone}")
    medians = {side: statistics.median(run["ns"] for run in found) for side, found in rounds.items()}
    results.add("verdict.one", medians["one"], "ns", empty=medians["empty"])
    results.add("verdict.many", medians["many"], "ns", vs_one=medians["many"] / medians["one"])
    results.add("verdict.lookup_one", medians["lookup_one"], "ns")
    results.add("verdict.lookup_many", medians["lookup_many"], "ns",
                vs_one=medians["lookup_many"] / medians["lookup_one"])
    results.add("packet.later", medians["later"], "ns", over_empty=medians["later"] - medians["empty"])


def _xdp(program, client, server, flags):
    result, nanoseconds = kernel.test_run(
        program, packets.segment(client, server.address, PORT, flags), repeat=REPEAT)
    if result != XDP_PASS:
        raise CannotMeasure(f"the program says {result} of a packet that may pass")
    return nanoseconds


def _lookup(program, client, server):
    result, nanoseconds = kernel.test_run(
        program, hook=packets.lookup(client, server.address, PORT), repeat=REPEAT)
    if result != SK_PASS:
        raise CannotMeasure(f"the program says {result} of a connection that may be made")
    return nanoseconds
