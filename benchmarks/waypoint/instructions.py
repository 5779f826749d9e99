"""User instructions for each request, counted by callgrind: the figure that no machine's noise touches."""

import re
import time

import requests
import settings
from place import CannotMeasure, command, say
from proxies import Proxy

SECONDS = 4


def measure(place, proxies, options, results):
    wanted = []
    if "instructions" in options.only:
        wanted.append(("ours", settings.ROUTES_100))
        if "haproxy" in options.peers:
            wanted.append(("haproxy", settings.ROUTES_100))
    if "routes1000" in options.only:
        wanted += [("ours", settings.ROUTES_10), ("ours", settings.ROUTES_1000)]
    found = {}
    for name, routes in wanted:
        found[name, routes] = _count(place, proxies, name, routes)
        say(f"  instructions {name}, {routes[0] * routes[1]} routes: {found[name, routes]:.0f}")
    if "instructions" in options.only:
        ours, peer = found["ours", settings.ROUTES_100], found.get(("haproxy", settings.ROUTES_100))
        results.add("1k_c64.instructions", ours, "1", **({"vs_haproxy": ours / peer} if peer else {}))
    if "routes1000" in options.only:
        many, few = found["ours", settings.ROUTES_1000], found["ours", settings.ROUTES_10]
        results.add("routes1000.instructions", many, "1", vs_routes10=many / few)


def _count(place, proxies, name, routes):
    output = place.directory / f"callgrind-{name}-{routes[0] * routes[1]}"
    prefix = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    proxy = proxies.start(name, routes, prefix)
    try:
        return _counted(place, proxies, proxy, output, routes)
    finally:
        proxy.stop()


def _counted(place, proxies, proxy: Proxy, output, routes):
    def load(seconds):
        return requests.load(place, proxies.namespace, proxy.http, 32, settings.SMALL, False, seconds, routes)

    load(1)
    command("callgrind_control", "-i", "on", proxy.child.pid)
    load(1)
    command("callgrind_control", "-z", proxy.child.pid)
    count = load(SECONDS)["requests"]
    command("callgrind_control", "-d", proxy.child.pid)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in sorted(output.parent.glob(f"{output.name}*")):
            total = re.search(r"^(?:totals|summary): (\d+)", file.read_text(errors="replace"), re.MULTILINE)
            if total and int(total[1]):
                return int(total[1]) / count
        time.sleep(0.2)
    raise CannotMeasure("callgrind wrote no counts")
