"""Streams that are no HTTP, and HTTP beside them, for the end-to-end tests of the waypoint.

streams.py serve: a server that speaks first on 6379, and servers that echo on 7000 and 7001.
streams.py ask ADDRESS KIND...: one line of JSON for each kind of conversation.
"""

import json
import os
import socket
import sys
import threading
import time

GREETING = b"+READY\r\n"


def serve_one(connection, speaks_first):
    with connection:
        if speaks_first:
            connection.sendall(GREETING)
        while piece := connection.recv(65536):
            connection.sendall(piece)


def accept(listener, speaks_first):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection, speaks_first), daemon=True).start()


def serve():
    for port in (6379, 7000, 7001):
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        threading.Thread(target=accept, args=(listener, port == 6379), daemon=True).start()
    print(json.dumps({"serves": "1"}), flush=True)
    threading.Event().wait()


def read_to_end(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def echo(connection, payload):
    """Sends all, ends its direction, and reads until the other one ends."""
    sender = threading.Thread(target=lambda: (connection.sendall(payload), connection.shutdown(socket.SHUT_WR)))
    sender.start()
    found = read_to_end(connection)
    sender.join()
    return found == payload


def http(connection, headers=""):
    request = f"GET /a HTTP/1.1\r\nHost: web\r\n{headers}Connection: close\r\n\r\n"
    connection.sendall(request.encode())
    answer = read_to_end(connection).decode()
    pods = [line[5:] for line in answer.split("\n") if line.startswith("pod: ")]
    return pods[0].rsplit("-", 1)[0] if pods else answer[:40]


def greeted(connection):
    """The server speaks first; the client answers only then."""
    found = b""
    while len(found) < len(GREETING):
        found += connection.recv(100)
    return found == GREETING and echo(connection, b"PING\r\n" * 1000)


def silent(connection):
    """Longer than the waypoint listens for a protocol."""
    time.sleep(0.4)
    return echo(connection, b"late")


def almost_records(connection):
    """Bytes that begin as metadata does, and stop in the middle: they are the client's own."""
    connection.sendall(b"\x01\x00\x00")
    time.sleep(0.3)
    payload = b"\x00\x06and more"
    connection.sendall(payload)
    connection.shutdown(socket.SHUT_WR)
    return read_to_end(connection) == b"\x01\x00\x00" + payload


CONVERSATIONS = {
    "http": (80, http), "jason": (80, lambda connection: http(connection, "End-User: jason\r\n")),
    "undeclared-http": (81, http),
    "greeted": (6379, greeted),
    "echo": (7000, lambda connection: echo(connection, b"\x16\x03\x01" + os.urandom(100))),
    "bulk": (7000, lambda connection: echo(connection, os.urandom(20_000_000))),
    "undeclared-echo": (7001, lambda connection: echo(connection, b"\x16\x03\x01" + os.urandom(5_000_000))),
    "undeclared-silent": (7001, silent),
    "almost-records": (7000, almost_records),
    "nothing": (7000, lambda connection: echo(connection, b"")),
}


def ask(address, kinds):
    for kind in kinds:
        port, converse = CONVERSATIONS[kind]
        try:
            with socket.create_connection((address, port), 10) as connection:
                result = converse(connection)
        except OSError as error:
            result = repr(error)
        print(json.dumps({"kind": kind, "result": str(result)}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    ask(sys.argv[2], sys.argv[3:])
