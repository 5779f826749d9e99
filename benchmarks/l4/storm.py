"""Scenario storm: endpoints come and go a thousand times a second while connections are made."""

import collections
import ctypes
import json
import mmap
import os
import random
import statistics
import time

import mesh
from load import PROGRAM
from network import CHANGING, HOSTS, service_address
from place import CannotMeasure, say
from processes import CLIENT_CPU, finish, start_client

SERVICES = 50
FIRST = 61_000  # number of the first service
FIXED, TOGGLED = 4, 16  # endpoints of each service that stay, and that come and go
RATE = 1000  # changes a second
IN_FLIGHT = 8
IDENTITIES, INTERVALS = 65536, 8  # as in load.c


class _Removals(ctypes.Structure):
    _fields_ = [("removed", ctypes.c_uint64 * INTERVALS), ("added", ctypes.c_uint64 * INTERVALS)]


class Endpoint:
    """One that comes and goes. `interval` is its latest removal's place in the shared table."""

    def __init__(self, service, last_byte, record):
        self.service, self.address = service, f"{CHANGING}.{service}.{last_byte}"
        self.record = record
        self.identity = None  # of its entry in the maps, while it is served
        self.is_wanted = last_byte % 2 == 0
        self.interval = 0
        self.changed_ns = 0
        if not self.is_wanted:
            record.removed[0] = 1

    @property
    def is_settled(self):
        """Whether its last change is in the kernel."""
        return self.is_wanted == (self.identity is not None)

    def note_removal(self, now):
        # In this order a reader never sees an old removal that seems to go on.
        self.interval = (self.interval + 1) % INTERVALS
        self.record.removed[self.interval] = now
        self.record.added[self.interval] = 0


class Storm:
    def __init__(self, place, network, loaded):
        self._place, self._directory, self._daemon = place, loaded.directory, loaded.daemon
        self._namespace = network.add_client("storm", 30)
        self._file = place.directory / "removals"
        size = IDENTITIES * ctypes.sizeof(_Removals)
        with open(self._file, "w+b") as table:
            table.truncate(size)
            records = (_Removals * IDENTITIES).from_buffer(mmap.mmap(table.fileno(), size))
        self._services = [
            [Endpoint(service, last, records[service << 8 | last])
             for last in range(FIXED + 1, FIXED + TOGGLED + 1)] for service in range(SERVICES)]
        for service in range(SERVICES):
            self._write(service)
        loaded.daemon.wait_for(service_address(FIRST + SERVICES - 1))
        self._maps = loaded.daemon.maps()
        self._ids = [self._wait_for_service(service) for service in range(SERVICES)]
        for service in range(SERVICES):
            self._note_served(service)
        loaded.daemon.enroll(self._namespace, f"{HOSTS}.30")

    def measure(self, results, seconds):
        """Without changes, with them, and without again."""
        quiet = [self._run(seconds, is_changing=False)]
        loud = self._run(seconds, is_changing=True)
        quiet.append(self._run(seconds, is_changing=False))
        rates = [run["connects_per_s"] for run in quiet]
        runs = quiet + [loud]
        error = next((run["first_error"] for run in runs if run["failed"]), None)
        if error:
            say(f"  storm: the first failed connect said: {error}")
        results.add("storm.failed", sum(run["failed"] for run in runs), "connects", of=sum(
            run["connects"] for run in runs))
        results.add("storm.misrouted", sum(run["misrouted"] + run["foreign"] for run in runs), "connects",
                    foreign=sum(run["foreign"] for run in runs))
        results.add("storm.connects_per_s", loud["connects_per_s"], "1/s",
                    vs_quiet=loud["connects_per_s"] / statistics.mean(rates), control=rates[1] / rates[0])
        latency = sorted(loud["removal_ms"])
        results.add("storm.latency", statistics.median(latency), "ms", max=latency[-1], removals=len(latency),
                    changes_per_s=loud["changes"] / seconds)

    def _run(self, seconds, is_changing):
        say(f"  storm: {seconds} s {'with' if is_changing else 'without'} changes")
        targets = [f"{service_address(FIRST + service)}:80" for service in range(SERVICES)]
        words = [PROGRAM, "storm", seconds, IN_FLIGHT, self._file, f"{CHANGING}.0.0", *targets]
        client = start_client(self._place, self._namespace, words, self._daemon.client_cgroup, CLIENT_CPU)
        found = self._change_in_time(seconds) if is_changing else {}
        return {**json.loads(finish(client, seconds)), **found}

    def _change_in_time(self, seconds):
        """The changes keep their pace although two processors are busy with connections."""
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        try:
            return self._change_for(seconds)
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, 0)

    def _change_for(self, seconds):
        """Changes at RATE; each removal is acknowledged to the client when the map's entry is gone."""
        chance = random.Random(2)
        leaving, coming = collections.deque(), collections.deque()
        elapsed, changes = [], 0
        start = looked = time.monotonic_ns()
        while (now := time.monotonic_ns()) < start + seconds * 10**9:
            if now >= start + changes * 10**9 // RATE:
                changes += 1
                endpoint = self._choose(chance)
                self._toggle(endpoint)
                (coming if endpoint.is_wanted else leaving).append(endpoint)
            self._look_for_leaving(leaving, elapsed)
            # Nobody waits for these, so they need not be seen at once.
            if now > looked + 10**6:
                looked = now
                self._look_for_coming(coming)
        self._settle(leaving, coming, elapsed)
        if not elapsed:
            raise CannotMeasure("no removal reached the kernel")
        return {"removal_ms": elapsed, "changes": changes}

    def _choose(self, chance):
        for _ in range(1000):
            endpoint = chance.choice(chance.choice(self._services))
            if endpoint.is_settled:
                return endpoint
        raise CannotMeasure(f"the daemon does not keep up with {RATE} changes a second")

    def _toggle(self, endpoint):
        endpoint.is_wanted = not endpoint.is_wanted
        endpoint.changed_ns = time.monotonic_ns()
        if endpoint.is_wanted:
            endpoint.record.added[endpoint.interval] = endpoint.changed_ns
        self._write(endpoint.service)

    def _write(self, service):
        name = f"storm-{service}"
        addresses = [f"{CHANGING}.{service}.{last}" for last in range(1, FIXED + 1)]
        addresses += [endpoint.address for endpoint in self._services[service] if endpoint.is_wanted]
        mesh.write(self._directory / f"{name}.json", [
            mesh.service(name, service_address(FIRST + service)), mesh.endpoint_slice(name, addresses)])

    def _look_for_leaving(self, leaving, elapsed):
        for _ in range(len(leaving)):
            endpoint = leaving.popleft()
            if self._maps.endpoint(self._ids[endpoint.service], endpoint.identity) == endpoint.address:
                leaving.append(endpoint)
                continue
            now = time.monotonic_ns()
            endpoint.identity = None
            endpoint.note_removal(now)
            elapsed.append((now - endpoint.changed_ns) / 1e6)

    def _look_for_coming(self, coming):
        """Reads one service's endpoints at a time: that takes longer than to see one leave."""
        if coming:
            self._note_served(coming[0].service)
            coming.rotate(-1)
            while coming and coming[-1].is_settled:
                coming.pop()

    def _note_served(self, service):
        served = self._maps.endpoints(self._ids[service])
        for endpoint in self._services[service]:
            if endpoint.is_wanted and endpoint.identity is None:
                endpoint.identity = served.get(endpoint.address)

    def _settle(self, leaving, coming, elapsed):
        """Until the maps are as the files are."""
        deadline = time.monotonic() + 10
        while leaving or coming:
            if time.monotonic() > deadline:
                late = (leaving or coming)[0]
                change = "addition" if late.is_wanted else "removal"
                raise CannotMeasure(f"{len(leaving) + len(coming)} changes are not in the kernel after 10 s,"
                                    f" such as the {change} of {late.address}")
            self._look_for_leaving(leaving, elapsed)
            self._look_for_coming(coming)

    def _wait_for_service(self, service):
        deadline = time.monotonic() + 10
        wanted = FIXED + sum(endpoint.is_wanted for endpoint in self._services[service])
        while time.monotonic() < deadline:
            identity = self._maps.service_id(service_address(FIRST + service))
            if identity and self._maps.tier_and_count(identity)[1] == wanted:
                return identity
            time.sleep(0.01)
        raise CannotMeasure(f"the service storm-{service} is not in the kernel after 10 s")
