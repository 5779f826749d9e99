"""A client that says what its sockets saw, for the end-to-end tests. Prints one JSON object for each line of work.

probe.py tcp ADDRESS PORT [TIMES]         connect, ask, close: who answered, and which peer the socket shows
probe.py udp ADDRESS PORT [TIMES]         the same with a connected datagram socket
probe.py sendto ADDRESS PORT [TIMES]      with one unconnected datagram socket for all times
probe.py direct ADDRESS PORT [TIMES]      to the service, then with the same socket to its endpoint: the senders seen,
                                          first without connect, then connected and dissolved
probe.py again ADDRESS PORT ADDRESS PORT  connect one datagram socket twice: the peer after each
probe.py hold ADDRESS PORT SECONDS        one connection that asks every 50 ms: how often it was answered,
                                          and which peer the socket shows at the end
probe.py connects ADDRESS PORT SECONDS    one connection after the other: how many were made, and how many failed
probe.py sticky ADDRESS PORT SECONDS      one unconnected datagram socket that asks every 50 ms: who answered
SIGINT ends those that take seconds early; they still say what they saw.
An IPv4 address written ::ffff:a.b.c.d is dialed through an IPv6 socket.
"""

import ctypes
import errno
import json
import signal
import socket
import struct
import sys
import time

REQUEST = b"GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n"


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def fields(answer):
    """The lines `name: value` of the echo server's answer."""
    lines = answer.decode(errors="replace").split("\r\n\r\n")[-1].splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def show(endpoint):
    return f"[{endpoint[0]}]:{endpoint[1]}" if ":" in endpoint[0] else f"{endpoint[0]}:{endpoint[1]}"


def report(**values):
    print(json.dumps(values), flush=True)


def failed(error):
    report(error=errno.errorcode.get(error.errno, type(error).__name__))


def read_answer(stream):
    """One whole answer: head, then as many bytes as Content-Length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = stream.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, body = data.split(b"\r\n\r\n", 1)
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        body += stream.recv(65536)
    return head + b"\r\n\r\n" + body


def tcp(address, port, times=1):
    for _ in range(times):
        with socket.socket(family(address), socket.SOCK_STREAM) as stream:
            stream.settimeout(5)
            try:
                stream.connect((address, port))
                stream.sendall(REQUEST)
                report(peer=show(stream.getpeername()), **fields(read_answer(stream)))
            except OSError as error:
                failed(error)


def udp(address, port, times=1):
    for _ in range(times):
        with socket.socket(family(address), socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(2)
            try:
                datagrams.connect((address, port))
                datagrams.send(b"hello")
                answer, sender = datagrams.recvfrom(65536)
                report(peer=show(datagrams.getpeername()), sender=show(sender), **fields(answer))
            except OSError as error:
                failed(error)


def sendto(address, port, times=1):
    with socket.socket(family(address), socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(2)
        for _ in range(times):
            try:
                datagrams.sendto(b"hello", (address, port))
                answer, sender = datagrams.recvfrom(65536)
                report(sender=show(sender), **fields(answer))
            except OSError as error:
                failed(error)


def ask(datagrams, address):
    datagrams.sendto(b"hello", address) if address else datagrams.send(b"hello")
    return datagrams.recvfrom(65536)


def direct(address, port, times=1):
    for is_connected in [False, True] * times:
        with socket.socket(family(address), socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(2)
            if is_connected:
                datagrams.connect((address, port))
            answer, sender = ask(datagrams, None if is_connected else (address, port))
            host, number = fields(answer)["at"].rsplit(":", 1)
            if is_connected:
                ctypes.CDLL(None).connect(datagrams.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)
            _, endpoint = ask(datagrams, (host.strip("[]"), int(number)))
            report(sender=show(sender), endpoint=show(endpoint), at=f"{host}:{number}")


def again(first, first_port, second, second_port):
    with socket.socket(family(first), socket.SOCK_DGRAM) as datagrams:
        for address, port in ((first, first_port), (second, int(second_port))):
            datagrams.connect((address, port))
            report(peer=show(datagrams.getpeername()))


def lasting(seconds):
    """Goes on for some seconds, or until SIGINT."""
    end = time.monotonic() + seconds

    def interrupted(*_):
        nonlocal end
        end = 0

    signal.signal(signal.SIGINT, interrupted)
    while time.monotonic() < end:
        yield


def hold(address, port, seconds=1):
    answers = 0
    with socket.socket(family(address), socket.SOCK_STREAM) as stream:
        stream.settimeout(10)
        stream.connect((address, port))
        for _ in lasting(seconds):
            stream.sendall(REQUEST)
            if not fields(read_answer(stream)):
                break
            answers += 1
            time.sleep(0.05)
        report(answers=answers, peer=show(stream.getpeername()))


def connects(address, port, seconds=1):
    connected, failures = 0, 0
    for _ in lasting(seconds):
        with socket.socket(family(address), socket.SOCK_STREAM) as stream:
            stream.settimeout(2)
            try:
                stream.connect((address, port))
                connected += 1
            except OSError:
                failures += 1
        time.sleep(0.002)
    report(connected=connected, failed=failures)


def sticky(address, port, seconds=1):
    with socket.socket(family(address), socket.SOCK_DGRAM) as datagrams:
        # Of a datagram to an endpoint that is gone nothing comes back.
        datagrams.settimeout(1)
        for _ in lasting(seconds):
            try:
                datagrams.sendto(b"hello", (address, port))
                answer, sender = datagrams.recvfrom(65536)
                report(sender=show(sender), **fields(answer))
            except OSError as error:
                failed(error)
            time.sleep(0.05)


if __name__ == "__main__":
    what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rest = sys.argv[4:]
    if what == "again":
        again(address, port, *rest)
    else:
        globals()[what](address, port, *[int(number) for number in rest])
