"""One stream of bytes through each proxy, which does not look into it: CPU for each gigabyte."""

import json

import settings
from place import CannotMeasure
from processes import run
from proxies import LOAD_CPU
from rounds import interleave


def measure(place, proxies, sides, missing, options, results):
    def one(side):
        address, port = sides[side].tcp.split(":")
        before = sides[side].cpu_seconds()
        output = run(place, proxies.namespace,
                     ["iperf3", "-c", address, "-p", port, "-t", options.seconds, "-J"], options.seconds,
                     cpu=LOAD_CPU)
        spent = sides[side].cpu_seconds() - before
        received = json.loads(output)["end"]["sum_received"]
        if not received["bytes"]:
            raise CannotMeasure("iperf3 received nothing")
        return {"cpu_per_gb": spent * 1e3 / (received["bytes"] / 1e9),
                "gbit_per_s": received["bits_per_second"] / 1e9}

    rounds, gone = interleave(sides, options.pairs, one, "tcp")
    for figure, unit in (("cpu_per_gb", "ms"), ("gbit_per_s", "Gbit/s")):
        results.add_sides("tcp", figure, unit, rounds, {**missing, **gone}, reference="haproxy")
