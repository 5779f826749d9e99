"""Restarts of the daemon and hand-overs of the waypoint, under traffic."""

import random
import signal
import statistics
import time

import former
from place import CannotMeasure, say

SETTLE_S = 1


class Scenarios:
    def __init__(self, stage, results):
        self._stage, self._results = stage, results
        self._chance = random.Random(5)
        self._quiet = None

    def quiet(self, traffic, seconds):
        """Nothing is restarted: how long the gaps are anyway."""
        traffic.start()
        time.sleep(seconds)
        traffic.stop()
        self._quiet = traffic
        traffic.report(self._results)

    def restart(self, traffic, count, how):
        """`how` is the name of a signal, or takeover."""
        daemon = self._stage.daemon
        elapsed = []
        traffic.start()
        time.sleep(SETTLE_S)
        for number in range(count):
            # Not in step with any timer of the daemon.
            time.sleep(0.2 + self._chance.random() * 0.4)
            traffic.note(f"restart {number + 1}")
            start = time.monotonic()
            if how == "takeover":
                daemon.start("--takeover")
            else:
                daemon.end(signal.Signals[how])
                daemon.start()
            self._expect_adopted(daemon.wait_until_configured())
            elapsed.append((time.monotonic() - start) * 1000)
            if how == "takeover" and (code := daemon.wait_for_former()) != 0:
                raise CannotMeasure(f"the daemon that was taken over from ended with {code}")
        self._end(traffic, elapsed)

    def upgrade(self, traffic, count):
        """From the daemon of another layout to this one; as there is no way back, each begins anew."""
        program, layout = former.daemon()
        say(f"  upgrade: from layout {layout}")
        daemon = self._stage.daemon
        elapsed = []
        for number in range(count):
            daemon.end(signal.SIGTERM)
            daemon.uninstall()
            self._stage.start_daemon(program)
            pins = daemon.pins
            if not pins.name.endswith(f"-v{layout}"):
                raise CannotMeasure(f"the daemon of layout {layout} has its pins in {pins.name}")
            traffic.start()
            time.sleep(SETTLE_S)
            traffic.note(f"upgrade {number + 1}")
            start = time.monotonic()
            daemon.end(signal.SIGTERM)
            daemon.start()
            self._expect_adopted(daemon.wait_until_configured())
            elapsed.append((time.monotonic() - start) * 1000)
            if pins.exists() or daemon.pins == pins:
                raise CannotMeasure(f"the upgrade has left {pins.name}")
            time.sleep(SETTLE_S)
            traffic.stop()
        self._report(traffic, elapsed)

    def hand_over(self, traffic, count):
        waypoint = self._stage.waypoint
        elapsed = []
        traffic.start()
        time.sleep(SETTLE_S)
        for number in range(count):
            traffic.note(f"hand-over {number + 1}")
            start = time.monotonic()
            waypoint.upgrade()
            elapsed.append((time.monotonic() - start) * 1000)
            time.sleep(1 + self._chance.random() * 0.4)
        self._end(traffic, elapsed)
        waypoint.wait_for_formers()

    def _end(self, traffic, elapsed):
        time.sleep(SETTLE_S)
        traffic.stop()
        self._report(traffic, elapsed)

    def _report(self, traffic, elapsed):
        traffic.report(self._results, self._quiet)
        self._results.add(f"{traffic.name}.latency", statistics.median(elapsed), "ms", min=min(elapsed),
                          max=max(elapsed), times=len(elapsed))
        self._stage.daemon.verify()

    @staticmethod
    def _expect_adopted(status):
        if not status["adopted"]:
            raise CannotMeasure("the daemon has not taken over what was pinned")
