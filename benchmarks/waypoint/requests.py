"""HTTP requests through each proxy: CPU for each of them, and latency."""

import re

import settings
from place import CannotMeasure
from processes import run
from proxies import LOAD_CPU
from rounds import interleave

UNITS_US = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000}

# Connections, the size of the body, and whether each request has a connection of its own.
SCENARIOS = {
    "1k_c64": (64, settings.SMALL, False),
    "1k_c1": (1, settings.SMALL, False),
    "64k_c64": (64, settings.LARGE, False),
    "close_c64": (64, settings.SMALL, True),
}

# What a browser sends, about 450 bytes with the request line.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Cookie": "session=6f1ed002ab5595859014ebf0951522d9; theme=dark",
    "Cache-Control": "no-cache",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "X-Client-Version": "7.12.0",
}


def load(place, namespace, address, connections, size, closes, seconds, routes=settings.ROUTES_100):
    """wrk's figures; an error of a socket or an answer makes the run worthless."""
    name, path = settings.request(size, routes)
    words = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Host: {name}"]
    for header, value in HEADERS.items():
        words += ["-H", f"{header}: {value}"]
    if closes:
        words += ["-H", "Connection: close"]
    output = run(place, namespace, [*words, f"http://{address}{path}"], seconds, cpu=LOAD_CPU)
    trouble = re.search(r"Non-2xx.*", output)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    # wrk counts the end of a connection that it did not ask for as a read error, and so each answer that closes.
    bad = errors and any(int(errors[at]) for at in ((1, 3, 4) if closes else (1, 2, 3, 4)))
    count = re.search(r"(\d+) requests in", output)
    if trouble or bad or count is None or int(count[1]) == 0:
        said = trouble[0] if trouble else errors[0] if errors else "no answers"
        raise CannotMeasure(f"wrk to {address}{path}: {said}")
    return {"requests": int(count[1]), "p50": _quantile(output, 50), "p99": _quantile(output, 99)}


def _quantile(output, percent):
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
    if found is None:
        raise CannotMeasure(f"wrk printed no {percent}% latency")
    return float(found[1]) * UNITS_US[found[2]]


def _measured(place, namespace, proxy, connections, size, closes, seconds, routes=settings.ROUTES_100):
    before = proxy.cpu_seconds()
    found = load(place, namespace, proxy.http, connections, size, closes, seconds, routes)
    found["cpu_per_request"] = (proxy.cpu_seconds() - before) / found["requests"] * 1e6
    found["requests_per_s"] = found["requests"] / seconds
    return found


def measure(place, proxies, sides, missing, scenario, options, results):
    connections, size, closes = SCENARIOS[scenario]

    def one(side):
        return _measured(place, proxies.namespace, sides[side], connections, size, closes, options.seconds)

    for side in list(sides):
        load(place, proxies.namespace, sides[side].http, connections, size, closes, 1)
    rounds, gone = interleave(sides, options.pairs, one, scenario)
    for figure, unit in (("cpu_per_request", "us"), ("p50", "us"), ("p99", "us"), ("requests_per_s", "1/s")):
        results.add_sides(scenario, figure, unit, rounds, {**missing, **gone}, reference="haproxy")


def measure_routes(place, proxies, ours, options, results):
    """The same proxy with 1,000 routes, beside itself with 10."""
    ours.stop()
    routes = {"ours": settings.ROUTES_1000, "routes10": settings.ROUTES_10}

    def one(side):
        proxy = proxies.start("ours", routes[side])
        try:
            load(place, proxies.namespace, proxy.http, 64, settings.SMALL, False, 1, routes[side])
            return _measured(place, proxies.namespace, proxy, 64, settings.SMALL, False, options.seconds,
                             routes[side])
        finally:
            proxy.stop()

    rounds, gone = interleave(routes, options.pairs, one, "routes1000")
    results.add_sides("routes1000", "cpu_per_request", "us", rounds, gone, reference="routes10")
