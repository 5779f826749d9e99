"""Bulk throughput and new connections to pods that are protected, beside one that is not."""

import json

import load
import policies
from load import Client
from network import PORT
from place import CannotMeasure
from processes import CLIENT_CPU, run
from results import CONTROL, DIRECT, OURS
from rounds import interleave
from servers import BULK_PORT, SIDES

IN_FLIGHT = 8


class Traffic:
    def __init__(self, place, servers):
        self._place = place
        self._client = servers.client_namespace
        direct = servers.add("direct")
        self._sides = {DIRECT: direct, CONTROL: direct}
        self._missing = {}
        for name, arguments in SIDES.items():
            try:
                self._sides[name] = servers.add(name, policies.many(1, 1, 1), arguments)
            except CannotMeasure as error:
                self._missing[name] = str(error)

    def bulk(self, results, pairs, seconds):
        def measure(side):
            output = run(self._place, self._client,
                         ["iperf3", "-c", self._sides[side].address, "-p", BULK_PORT, "-t", seconds, "-J"],
                         seconds, cpu=CLIENT_CPU)
            return {"gbit_per_s": json.loads(output)["end"]["sum_received"]["bits_per_second"] / 1e9}
        self._compare(results, "bulk", "gbit_per_s", "Gbit/s", measure, pairs)

    def connect(self, results, pairs, seconds):
        def measure(side):
            target = f"{self._sides[side].address}:{PORT}"
            return load.connect(
                self._place, Client(self._client, self._place.plain_cgroup, [target]), IN_FLIGHT, seconds)
        self._compare(results, "connect", "connects_per_s", "1/s", measure, pairs)

    def _compare(self, results, scenario, figure, unit, measure, pairs):
        """Ours is XDP in one comparison and the socket lookup in the other, from the same rounds."""
        rounds, gone = interleave(self._sides, pairs, measure, scenario)
        gone |= self._missing
        lookup = rounds.pop("lookup", None)
        results.add_sides(f"{scenario}_xdp", figure, unit, rounds, gone)
        if lookup is not None:
            same = {DIRECT: rounds[DIRECT], OURS: lookup, CONTROL: rounds[CONTROL]}
            results.add_sides(f"{scenario}_lookup", figure, unit, same, gone)
        else:
            results.miss(f"{scenario}_lookup.{figure}", gone["lookup"])
