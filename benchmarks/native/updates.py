"""On the host: how long a changed route takes to the kernel."""

import random
import statistics
import time

import kernel
import mesh
import shop
from daemon import Daemon
from network import Network
from place import CannotMeasure, say

COUNTS = (10, 1000)
PATIENCE_S = 10
TABLE_KEY_SIZE, LISTENER_KEY_SIZE, LISTENER_SIZE = 4, 20, 32


class Changed:
    """A service with so many routes in a file of its own, one of which leads now here, now there."""

    def __init__(self, place, network, count):
        self._found = shop.Shop()
        self._name = "ten" if count == 10 else "thousand"
        matches = shop.ten() if count == 10 else shop.thousand()
        self._found.add(self._name, shop.REMOTE, matches=matches)
        self._route = self._found.objects.pop()
        self._directory = place.directory / f"shop-update-{count}"
        self._found.write(self._directory)
        self._turn = 0
        self._write()
        # The module is not asked for: a route's way to the maps is the same without it.
        self.daemon = Daemon(place, network, f"update{count}", self._directory, "--load-module=off",
                             "--l7-fallback=default", mode="kernel-native")
        self.daemon.wait_until_configured()
        if self.daemon.status()["rejected"]:
            raise CannotMeasure(f"the daemon refused the routes: {self.daemon.status()['recentRejections'][:1]}")
        self._listeners = kernel.PinnedMap(self.daemon.pins / "km_listener", LISTENER_KEY_SIZE, LISTENER_SIZE)
        self._key = self._listener_key()

    def _write(self):
        middle = self._route["spec"]["rules"][len(self._route["spec"]["rules"]) // 2]
        middle["backendRefs"][0]["name"] = ("routed-remote", "routed-local")[self._turn % 2]
        mesh.write(self._directory / "route.json", [self._route])

    def _listener_key(self):
        octets = bytes(int(octet) for octet in self._found.addresses[self._name].split("."))
        return bytes(10) + b"\xff\xff" + octets + (80).to_bytes(2, "little") + bytes([6, 0])

    def change(self):
        """(milliseconds from before the file is written until the listener leads to the new table, those of them from
        when the engine got the change until its maps were written)"""
        before = self._listeners.lookup(self._key)
        if before is None:
            raise CannotMeasure("the service has no listener")
        self._turn += 1
        start = time.monotonic_ns()
        self._write()
        while self._listeners.lookup(self._key) == before:
            if time.monotonic_ns() - start > PATIENCE_S * 1e9:
                raise CannotMeasure(f"the change is not in the kernel after {PATIENCE_S} s")
        elapsed = (time.monotonic_ns() - start) / 1e6
        time.sleep(0.02)
        return elapsed, self.daemon.status()["engine"]["latestNanoseconds"] / 1e6


def measure(place, results, changes):
    network = Network(place)
    chance = random.Random(1)
    for count in COUNTS:
        say(f"  update: {count} routes, {changes} changes")
        subject = Changed(place, network, count)
        found = []
        for _ in range(changes):
            # Not in step with any timer of the daemon.
            time.sleep(0.05 + chance.random() * 0.05)
            found.append(subject.change())
        elapsed, inside = zip(*found)
        results.add(f"update{count}.latency", statistics.median(inside), "ms", min=min(inside), max=max(inside),
                    from_file=statistics.median(elapsed), from_file_min=min(elapsed), from_file_max=max(elapsed))
        subject.daemon.verify()
        subject.daemon.stop()
