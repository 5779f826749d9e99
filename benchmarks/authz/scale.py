"""10,000 policies over 100,000 workloads: what they cost to load, and how soon a changed one is enforced."""

import random
import shutil
import statistics
import time

import kernel
import mesh
import packets
import policies
from daemon import Daemon
from network import PORT
from place import CannotMeasure
from servers import SIDES, Server

SERVICES, PODS, POLICIES = 10_000, 100_000, 10_000
XDP_PASS = 2
PATIENCE_S = 5
DENY = policies.policy("changed", [{"from": [{"source": {"principals": [policies.CLIENT]}}]}], "DENY")


def measure(place, network, servers, results, changes):
    plain = place.directory / "mesh-plain"
    mesh.copy_large(plain, SERVICES, PODS)
    host = servers.add("scale", serves=False)
    pods = [policies.pod("server", host.address), policies.pod("client", servers.client)]
    policies.write(plain / "pods.json", pods)
    without = _load(place, network, "plain", plain)
    without.stop()
    full = place.directory / "mesh-full"
    shutil.move(plain, full)
    policies.write(full / "policies.json", _policies())
    policies.write(full / "changed.json", [policies.policy("other", [policies.of_client()])])
    daemon = _load(place, network, "full", full)
    results.add("load.cpu", daemon.loaded_cpu - without.loaded_cpu, "s", without=without.loaded_cpu,
                rss=daemon.memory_mb("VmHWM"))
    status = daemon.status()
    if status["rejected"] or status["badConfigurations"]:
        raise CannotMeasure(f"the daemon refused parts of the mesh: {status['recentRejections'][:1]}")
    daemon.enroll(host.namespace, host.address, "bench/server")
    _change(daemon, Server(host.address, host.namespace, daemon), servers.client, full / "changed.json", results, changes)


def _load(place, network, name, directory):
    daemon = Daemon(place, network, f"scale-{name}", directory, *SIDES["ours"])
    daemon.wait_for()
    daemon.loaded_cpu = daemon.cpu_seconds()
    return daemon


def _policies():
    """One for each service: ten values that allow others."""
    chance = random.Random(11)
    made = []
    for number in range(POLICIES):
        team = f"team-{number // 100:03}"
        others = [chance.randrange(SERVICES) for _ in range(10)]
        principals = [f"cluster.local/ns/team-{other // 100:03}/sa/service-{other:05}" for other in others]
        rule = {"from": [{"source": {"principals": principals}}], "to": [{"operation": {"ports": ["8080"]}}]}
        made.append(policies.policy(f"policy-{number:05}", [rule], app=f"service-{number:05}", namespace=team))
    return made


def _change(daemon, server, client, path, results, changes):
    program = server.program()
    syn = packets.segment(client, server.address, PORT, packets.SYN)
    allow = policies.policy("other", [policies.of_client()])
    chance = random.Random(3)
    elapsed, writes = [], []
    for number in range(changes):
        # Not in step with any timer of the daemon.
        time.sleep(0.05 + chance.random() * 0.05)
        is_denied = number % 2 == 0
        before = daemon.status()["engine"]["writes"]
        start = time.monotonic_ns()
        policies.write(path, [allow, DENY] if is_denied else [allow])
        while (kernel.test_run(program, syn)[0] != XDP_PASS) != is_denied:
            if time.monotonic_ns() - start > PATIENCE_S * 1e9:
                raise CannotMeasure(f"the change is not enforced after {PATIENCE_S} s")
        elapsed.append((time.monotonic_ns() - start) / 1e6)
        # The removals of what went come within the second that follows.
        time.sleep(2.2 if number < 6 else 0)
        writes.append(daemon.status()["engine"]["writes"] - before)
    results.add("change.latency", statistics.median(elapsed), "ms", min=min(elapsed), max=max(elapsed))
    results.add("change.writes", statistics.median(writes[:6]), "writes", most=max(writes[:6]))
