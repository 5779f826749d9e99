"""The waypoint, and its hot upgrades."""

import subprocess
import time

from place import RELEASE, CannotMeasure
from processes import end, start, tail

PATIENCE_S = 20


class Waypoint:
    def __init__(self, place, namespace, mesh):
        self._place, self._namespace = place, namespace
        self._words = [
            RELEASE / "kmesh-waypoint", "--mesh-file", mesh, "--listen", "15019=metadata", "--waypoint",
            "bench/waypoint", "--node-name", "bench", "--upgrade-socket", place.directory / "upgrade.sock",
            # Streams go on longer than a scenario.
            "--drain-timeout", "1h"]
        self._formers = []
        self._count = 0
        self._start()
        self._wait_for("ready")

    def _start(self):
        self._count += 1
        self._log = f"waypoint-{self._count}.log"
        self._process = start(self._place, self._namespace, self._words, log=self._log)

    def _wait_for(self, words):
        """Until the one that was started last says these words."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in tail(self._place, self._log, lines=1000):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CannotMeasure(f"the waypoint does not say '{words}': {tail(self._place, self._log)}")
            time.sleep(0.005)

    def upgrade(self):
        """Starts a successor, and waits until it has taken over. Its predecessor goes on with its streams."""
        self._formers.append(self._process)
        self._start()
        self._wait_for("took over")

    def stop(self):
        end(self._process)

    def wait_for_formers(self):
        """Until those that were followed have ended: their streams have."""
        for former in self._formers:
            try:
                code = former.wait(PATIENCE_S)
            except subprocess.TimeoutExpired as error:
                raise CannotMeasure(f"a waypoint that was followed has not ended: {error}") from None
            if code != 0:
                raise CannotMeasure(f"a waypoint that was followed has ended with {code}")
        self._formers = []
