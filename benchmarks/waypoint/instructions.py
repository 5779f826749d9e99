"""User instructions and allocations for each request, counted by callgrind: the same on every machine."""

import re
import time

import requests
import settings
from place import CannotMeasure, command, say
from proxies import Proxy

SECONDS = 4
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}


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
        found[name, routes], allocations = _count(place, proxies, name, routes)
        say(f"  instructions {name}, {routes[0] * routes[1]} routes: {found[name, routes]:.0f}")
        if name == "ours" and routes == settings.ROUTES_100:
            results.add("1k_c64.allocations", allocations, "1")
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
            text = file.read_text(errors="replace")
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
            if total and int(total[1]):
                return int(total[1]) / count, _allocations(text) / count
        time.sleep(0.2)
    raise CannotMeasure("callgrind wrote no counts")


def _allocations(text):
    """Calls of the C library's allocators, which Swift's end in. A function has its name where it comes first."""
    names, calls, callee = {}, {}, None
    for line in text.splitlines():
        function = re.match(r"(c?)fn=\((\d+)\)(?: ([^']+))?", line)
        if function:
            if function[3]:
                names[function[2]] = function[3]
            callee = function[2] if function[1] else callee
        elif line.startswith("calls="):
            calls[callee] = calls.get(callee, 0) + int(line.split()[0][len("calls="):])
    if not {"send", "__send"} & {names.get(number) for number in calls}:
        raise CannotMeasure("callgrind knows no names of functions")
    return sum(number for callee, number in calls.items() if names.get(callee) in ALLOCATORS)
