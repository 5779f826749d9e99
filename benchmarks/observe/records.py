"""Whether every connection is told of, with 100,000 workloads; what the daemon needs for it."""

import time

import mesh
from pairs import ON_WORDS, AccessLog, Pair
from place import CannotMeasure, say

SERVICES, PODS = 10_000, 100_000
SMALL = (1_000, 10_000)
HOST = 40
IN_FLIGHT = 16
LOSSES = ("record_lost", "connection_unseen")


def measure(place, network, results, seconds, is_quick):
    services, pods = SMALL if is_quick else (SERVICES, PODS)
    directory = place.directory / "mesh-records"
    mesh.copy_large(directory, services, pods)
    log = AccessLog(place, "records")
    pair = Pair(place, network, "records", HOST, directory, ON_WORDS, log.file)
    loaded = pair.daemon.memory_mb("VmHWM")
    pair.connect(0.3)
    _wait_for_lines(log)
    log.clear()
    cpu = pair.daemon.cpu_seconds()
    say(f"  records: {seconds} s of connections, each with two ends that are observed")
    made = pair.connect(seconds, IN_FLIGHT)
    lines = _wait_for_lines(log)
    cpu = pair.daemon.cpu_seconds() - cpu
    # What was under way when the time was over has a line too, and is not counted as made.
    lost = max(0, 2 * made["connects"] - lines)
    reasons = pair.daemon.reasons()
    results.add("records.lost", lost, "records", of=2 * made["connects"], lines=lines,
                closes_per_s=made["connects_per_s"], **{name: reasons.get(name, 0) for name in LOSSES})
    results.add("records.cpu", cpu / lines * 1e6, "us", of_a_core=cpu / seconds)
    # What is not anonymous are the program's own pages, and the ring's, which are mapped twice.
    results.add("records.small_rss" if is_quick else "records.rss", pair.daemon.memory_mb("VmHWM"), "MB", loaded=loaded,
                anonymous=pair.daemon.memory_mb("RssAnon"), of_files=pair.daemon.memory_mb("RssFile"))
    pair.daemon.stop()


def _wait_for_lines(log):
    """The daemon reads its ring ten times a second: until nothing comes any more."""
    before, lines = -1, 0
    while lines != before:
        time.sleep(1)
        before, lines = lines, log.lines()
    if not lines:
        raise CannotMeasure("the access log has no line: nothing was observed")
    return lines
