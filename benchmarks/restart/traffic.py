"""Three kinds of traffic at once, and somebody who must not come in; what was seen of them."""

import json
import os
import signal
import time

from place import CannotMeasure, say
from processes import CLIENT_CPU, finish, start_client

KINDS = ("l4", "waypoint", "authz")
SUMS = ("connects", "failed", "misrouted", "streams", "broken", "admitted", "refused", "seconds")
GAPS = ("connect_gap_ms", "stream_gap_ms")


def stolen_ms():
    """What the machine's host has kept from its processors since they started."""
    STOLEN = 8
    with open("/proc/stat") as lines:
        return int(lines.readline().split()[STOLEN]) * 1000 // os.sysconf("SC_CLK_TCK")


class Traffic:
    """Runs the stage's loads, once or several times; figures are sums, or the longest, of all runs."""

    def __init__(self, stage, name):
        self._stage, self.name = stage, name
        self._running = {}
        self._events = []
        self._stolen = 0  # milliseconds
        self.found = {}

    def start(self):
        self._stolen -= stolen_ms()
        for kind, load in self._stage.loads().items():
            self._running[kind] = start_client(
                self._stage.place, load.namespace, load.words, load.cgroup, CLIENT_CPU)
        self.note("the start of the traffic")

    def note(self, what):
        """What is done to them now."""
        self._events.append((time.monotonic(), what))

    def stop(self):
        self._stolen += stolen_ms()
        for child in self._running.values():
            child.send_signal(signal.SIGTERM)
        for kind, child in self._running.items():
            self._add(kind, json.loads(finish(child, 5)))
        self._running = {}

    def _add(self, kind, run):
        if kind in KINDS and not run["connects"] or kind not in KINDS and not run["refused"]:
            raise CannotMeasure(f"no traffic of the kind {kind}: {run['troubles'][:1]}")
        for trouble in run["troubles"]:
            when = float(trouble.split()[1])
            say(f"  {self.name}: {kind}: {trouble}; {self._since(when)}")
        total = self.found.setdefault(kind, dict.fromkeys((*SUMS, *GAPS), 0))
        for figure in SUMS:
            total[figure] += run[figure]
        for figure in GAPS:
            if run[figure] > total[figure]:
                total[figure] = run[figure]
                when = self._since(run[figure.replace("_ms", "_at")])
                say(f"  {self.name}: {kind}: {figure} {run[figure]} ms, until {when}")

    def _since(self, when):
        before = [(at, what) for at, what in self._events if at <= when]
        at, what = before[-1] if before else (when, "nothing")
        return f"{(when - at) * 1000:.0f} ms after {what}"

    def report(self, results, quiet=None):
        """Prints what was found, the gaps beside those of `quiet`."""
        found, name = self.found, self.name
        total = {figure: sum(found[kind][figure] for kind in KINDS) for figure in SUMS}
        results.add(f"{name}.connects", total["connects"], "connects",
                    per_s=total["connects"] / found["l4"]["seconds"], **self._each("connects"))
        results.add(f"{name}.failed", total["failed"], "connects", **self._each("failed"))
        results.add(f"{name}.misrouted", total["misrouted"], "connects", **self._each("misrouted"))
        results.add(f"{name}.admitted", found["stranger"]["admitted"], "connects",
                    refused=found["stranger"]["refused"])
        results.add(f"{name}.broken", total["broken"], "streams", of=total["streams"], **self._each("broken"))
        for figure in GAPS:
            others = self._each(figure)
            if quiet:
                others["quiet"] = max(quiet.found[kind][figure] for kind in KINDS)
            others["stolen"] = self._stolen
            longest = max(found[kind][figure] for kind in KINDS)
            results.add(f"{name}.{figure[:-len('_ms')]}", longest, "ms", **others)

    def _each(self, figure):
        return {kind: self.found[kind][figure] for kind in KINDS}
