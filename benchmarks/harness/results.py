"""What a run found: one RESULT line a figure, and how it stands against the wanted."""

import json
import statistics

from place import ROOT, CannotMeasure, say
from rounds import Ratio, column

THRESHOLDS = ROOT / "benchmarks" / "thresholds"
OURS, DIRECT, CONTROL = "ours", "direct", "control"


def form(number):
    """Enough digits to compare, none that mean nothing."""
    if isinstance(number, int) or abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.4g}"


class Results:
    def __init__(self, suite):
        self.suite = suite
        self.values = {}
        self.missing = {}

    def add(self, name, value, unit, **others):
        """`others` follow the unit as key=value, in their order."""
        self.values[name] = {"value": value, **others}
        words = [f"{key}={form(other)}" for key, other in others.items()]
        print(" ".join(["RESULT", f"{self.suite}.{name}", form(value), unit, *words]), flush=True)

    def miss(self, name, reason):
        """A figure, or a whole scenario, that could not be measured."""
        self.missing[name] = reason
        print(f"UNMEASURED {self.suite}.{name} {reason}", flush=True)

    def add_sides(self, scenario, figure, unit, rounds, gone, reference=DIRECT):
        """Our figure beside those of the peers, the reference first; the peers' own medians go to the log."""
        series = {side: column(found, figure) for side, found in rounds.items() if found}
        for side, numbers in series.items():
            say(f"  {scenario}.{figure} {side}: {form(statistics.median(numbers))} {unit}"
                f" ({form(min(numbers))} to {form(max(numbers))})")
        name = f"{scenario}.{figure}"
        if OURS not in series or reference not in series:
            self.miss(name, gone.get(OURS) or gone.get(reference) or "no rounds")
            return
        others = {}
        self._compare(others, f"vs_{reference}", series[OURS], series[reference], with_range=True)
        if CONTROL in series:
            self._compare(others, "control", series[CONTROL], series[reference], with_range=True)
        for side in series:
            if side not in (OURS, reference, CONTROL):
                self._compare(others, f"vs_{side}", series[OURS], series[side])
        self.add(name, statistics.median(series[OURS]), unit, **others)

    @staticmethod
    def _compare(others, key, over, under, with_range=False):
        try:
            ratio = Ratio(over, under)
        except CannotMeasure:
            return
        others[key] = ratio.median
        if with_range:
            others[f"{key}_min"], others[f"{key}_max"] = ratio.least, ratio.most

    def judge(self, gate=False):
        """Prints each wanted figure: met, missed or not measured, and by how much. Returns how many targets of a
        gate are not met; without one, none is asked for."""
        say("")
        failed = 0
        for target in json.loads((THRESHOLDS / f"{self.suite}.json").read_text())["targets"]:
            if gate and not target.get("gate"):
                continue
            verdict, is_met = self._verdict(target)
            failed += gate and not is_met
            say(f"TARGET {verdict}: {target['says']}")
        return failed

    def _verdict(self, target):
        found = self.values.get(target["figure"], {})
        key = target.get("of", "value")
        if key not in found:
            return "not measured", False
        number, limit, slack = found[key], target["limit"], 0.0
        if target.get("slack") == CONTROL:
            slack = abs(found.get(CONTROL, 1.0) - 1)
        is_floor = target["is"] == "at least"
        is_met = number >= limit - slack if is_floor else number <= limit + slack
        margin = number - limit if is_floor else limit - number
        width = f", the control is off by {slack:.3f}" if target.get("slack") else ""
        return f"{'met' if is_met else 'MISSED'} ({form(number)}, {margin:+.4g} to {form(limit)}{width})", is_met
