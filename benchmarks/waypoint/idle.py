"""Kept connections that do nothing: memory for each of them.

Run by itself (`idle.py ADDRESS PORT HOST PATH COUNT`) it is the client: one request on every connection, then a
line on its output, and it holds them until its input ends.
"""

import resource
import socket
import sys

CONNECTIONS = 10000
# HAProxy wants two descriptors for each, and the machine may allow no more than 20,000.
PEER_CONNECTIONS = 9000


def measure(place, proxies, sides, missing, results):
    import settings
    import requests
    from place import CannotMeasure, say

    if "ours" in missing:
        raise CannotMeasure(missing["ours"])
    found = {}
    for side, proxy in sides.items():
        # What a first load makes it take is not the connections'.
        requests.load(place, proxies.namespace, proxy.http, 64, settings.SMALL, False, 1)
        before = proxy.rss_bytes()
        count = CONNECTIONS if side == "ours" else PEER_CONNECTIONS
        client = hold(place, proxies, proxy, count)
        after = proxy.rss_bytes()
        client.stdin.close()
        client.wait(30)
        found[side] = (after - before) / count
        say(f"  idle {side}: {found[side]:.0f} bytes for each connection, {after / 1e6:.1f} MB in all")
        if side == "ours":
            rss = after
    others = {f"vs_{side}": found["ours"] / value for side, value in found.items()
              if side != "ours" and value > 0}
    results.add("idle.bytes_per_connection", found["ours"], "B", **others)
    results.add("idle.rss", rss / 1e6, "MB")


def hold(place, proxies, proxy, count):
    import subprocess

    import settings
    from namespaces import path
    from place import CannotMeasure
    from processes import end

    name, target = settings.request(settings.SMALL)
    address, port = proxy.http.split(":")
    client = subprocess.Popen(
        ["nsenter", f"--net={path(proxies.namespace)}", sys.executable, "-B", __file__, address, port, name,
         target, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    place.on_close(lambda: end(client))
    said = client.stdout.readline().strip()
    if said != "ready":
        raise CannotMeasure(f"idle connections to {proxy.name}: {said or 'the client ended'}")
    return client


def main():
    address, port, name, target, count = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = f"GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    held = []
    for number in range(int(count)):
        connection = socket.create_connection((address, int(port)), timeout=10)
        connection.sendall(request)
        answer = b""
        while len(answer) < 1024:
            piece = connection.recv(65536)
            if not piece:
                print(f"connection {number} was closed", flush=True)
                return
            answer += piece
        held.append(connection)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
