"""In the guest: whether connections see a changing route before or after its change, and nothing else. Prints one line of
JSON. Usage: atomic.py CHANGES MODULE"""

import json
import sys
import time

import guest
import mesh
import shop
from daemon import Daemon
from place import CannotMeasure, Place
from processes import finish, start_client
from shop import DEFAULT, LOCAL, ROUTED, Shop

CONNECTIONS = 3000


def main(changes, module):
    place = Place()
    try:
        place.open()
        stage = guest.Guest(place, CONNECTIONS, module, ())
        found = Shop()
        found.add("by-default", LOCAL)
        found.add("hundred", LOCAL, matches=shop.thousand()[-100:])
        route = found.objects.pop()
        directory = place.directory / "shop-atomic"
        found.write(directory)
        _write(directory, route, "routed-local")
        daemon = Daemon(place, stage.network, "atomic", directory, *guest.QUIET, f"--load-module={module}",
                        mode="kernel-native")
        stage.enroll(daemon)
        print(json.dumps({"side": "atomic", **_run(place, stage, daemon, directory, route, int(changes),
                                                   found.addresses["hundred"])}), flush=True)
    except CannotMeasure as error:
        print(json.dumps({"side": "atomic", "missing": str(error)}), flush=True)
    finally:
        place.close()


def _write(directory, route, backend):
    """All routes lead there."""
    for rule in route["spec"]["rules"]:
        rule["backendRefs"][0]["name"] = backend
    mesh.write(directory / "route.json", [route])


def _run(place, stage, daemon, directory, route, changes, address):
    """Clients one after the other, while the table turns over: both answers are for one of them, neither is a failure."""
    answers = {DEFAULT: 0, ROUTED: 0}
    failed = made = done = crossed = 0
    updates = daemon.status()["updates"]
    # What no route takes would be refused, so that an answer of either is one of a whole table.
    words = [guest.EXCHANGE, "watch", CONNECTIONS, address, 80, f"{DEFAULT},{ROUTED}", "/products/0907/x"]
    deadline = time.monotonic() + guest.PATIENCE_S
    while done < changes and time.monotonic() < deadline:
        client = start_client(place, stage.client, words, daemon.client_cgroup)
        while client.poll() is None:
            done += 1
            _write(directory, route, ("by-default", "routed-local")[done % 2])
            while daemon.status()["updates"] < updates + done and client.poll() is None:
                time.sleep(0.01)
        found = json.loads(finish(client, guest.PATIENCE_S))
        failed += found["failed"]
        made += found["connections"]
        crossed += bool(found[DEFAULT] and found[ROUTED])
        for name in answers:
            answers[name] += found[name]
    if not crossed:
        raise CannotMeasure("no client has seen its route change")
    return {"failed": failed, "connections": made, "changes": daemon.status()["updates"] - updates,
            "crossed": crossed,
            "old": answers[ROUTED], "new": answers[DEFAULT]}


if __name__ == "__main__":
    main(*sys.argv[1:])
