"""Processes of the run: in a namespace and a cgroup, on a processor, and gone with the run."""

import os
import signal
import subprocess

from namespaces import path
from place import CannotMeasure, die_with_parent

CLIENT_CPU = 0
SERVER_CPU = min(1, os.cpu_count() - 1)


def _prepare(cgroup, cpu):
    def prepare():
        die_with_parent()
        # In its cgroup before it is the program: its first connect is steered too.
        with open(cgroup / "cgroup.procs", "w") as procs:
            procs.write("0")
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
    return prepare


def start(place, namespace, words, cgroup=None, cpu=None, log=None, output=None):
    """Starts a program that ends with the run. `log` names the file of its output in the run's directory;
    `output` is a file for its standard output alone."""
    errors = open(place.directory / log, "ab") if log else subprocess.DEVNULL
    child = subprocess.Popen(
        ["nsenter", f"--net={path(namespace)}"] + [str(word) for word in words],
        stdin=subprocess.DEVNULL, stdout=output or errors, stderr=errors,
        preexec_fn=_prepare(cgroup or place.plain_cgroup, cpu), start_new_session=True)
    place.on_close(lambda: end(child))
    return child


def end(child, seconds=10):
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def start_client(place, namespace, words, cgroup=None, cpu=None):
    """Starts a client whose output `finish` returns."""
    child = subprocess.Popen(
        ["nsenter", f"--net={path(namespace)}"] + [str(word) for word in words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=_prepare(cgroup or place.plain_cgroup, cpu), start_new_session=True)
    place.on_close(lambda: end(child))
    return child


def finish(child, seconds):
    """Waits for the client's end, half a minute longer than it should take, and returns what it printed."""
    try:
        output, errors = child.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise CannotMeasure(f"{child.args[2]} did not end") from None
    if child.returncode != 0:
        raise CannotMeasure(f"{child.args[2]} ended with {child.returncode}: {errors.strip()}")
    return output


def run(place, namespace, words, seconds, cgroup=None, cpu=None):
    """Runs a client to its end and returns what it printed."""
    return finish(start_client(place, namespace, words, cgroup, cpu), seconds)


def tail(place, log, lines=5):
    """The last lines of a program's output, for errors."""
    try:
        text = (place.directory / log).read_text(errors="replace").strip()
    except OSError:
        return "no output"
    return " | ".join(text.splitlines()[-lines:]) or "no output"
