"""Load on one address: wrk for requests on kept connections, the C program for new connections."""

import dataclasses
import json
import re

import programs
from namespaces import wait_for_port
from network import PORT
from place import BUILD, CannotMeasure
from processes import CLIENT_CPU, SERVER_CPU, run, start

PROGRAM = BUILD / "load"
UNITS_US = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000}


@dataclasses.dataclass
class Client:
    """From where, and what, a side dials."""
    namespace: str
    cgroup: object
    targets: list


def build():
    programs.build("load")


def start_server(place, network):
    start(place, network.server, [PROGRAM, "serve", PORT], cpu=SERVER_CPU, log="server.log")
    wait_for_port(network.server, "0.0.0.0", PORT)


def keep_alive(place, client, connections, seconds):
    """wrk's figures; an error of a socket or an answer makes the run worthless."""
    words = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://{client.targets[0]}/"]
    output = run(place, client.namespace, words, seconds, client.cgroup, CLIENT_CPU)
    trouble = re.search(r"Socket errors:.*|Non-2xx.*", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if trouble or rate is None or float(rate[1]) == 0:
        raise CannotMeasure(f"wrk to {client.targets[0]}: {trouble[0] if trouble else 'no answers'}")
    return {"requests_per_s": float(rate[1]), "p50": _quantile(output, 50), "p99": _quantile(output, 99)}


def _quantile(output, percent):
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
    if found is None:
        raise CannotMeasure(f"wrk printed no {percent}% latency")
    return float(found[1]) * UNITS_US[found[2]]


def connect(place, client, in_flight, seconds):
    output = run(place, client.namespace, [PROGRAM, "connect", seconds, in_flight, *client.targets],
                 seconds, client.cgroup, CLIENT_CPU)
    found = json.loads(output)
    if found["failed"] or not found["connects"]:
        raise CannotMeasure(
            f"{found['failed']} connects to {client.targets[0]} failed: {found['first_error']}")
    return {"connects_per_s": found["connects_per_s"], "p50": found["p50_us"], "p99": found["p99_us"],
            "connects": found["connects"]}
