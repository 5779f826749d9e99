# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Clients of the tests: sockets that really wait, requests, and who has answered."""

import collections
import errno
import re
import select
import socket
import struct
import subprocess
import time

import node

ANSWER = re.compile(rb"^((?:[\d.]+|\[[0-9a-f:]+\]):\d+) ", re.MULTILINE)


def connect(address, port=80, waits=True, seconds=20):
    """A connected socket; not waiting ones are not connected yet."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if waits:
        # Python's own timeouts would make it one that does not wait.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
    else:
        sock.setblocking(False)
    error = sock.connect_ex((address, port))
    if error and error != errno.EINPROGRESS:
        sock.close()
        raise OSError(error, errno.errorcode[error])
    return sock


def request(target="/", method="GET", host="a", closes=True, **headers):
    """The bytes of a request. Underscores in names of headers stand for hyphens."""
    lines = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if closes:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def wait_for(sock, events, seconds=20):
    poll = select.poll()
    poll.register(sock, events)
    ready = poll.poll(seconds * 1000)
    return ready[0][1] if ready else 0


def answers(sock, count=1, seconds=20):
    """The names of the endpoints that answered on the connection: `count` of them, or until its end."""
    got = b""
    end = time.monotonic() + seconds
    while len(ANSWER.findall(got)) < count:
        if not wait_for(sock, select.POLLIN, max(0, end - time.monotonic())):
            raise TimeoutError(f"only {got!r}")
        try:
            more = sock.recv(65536)
        except BlockingIOError:
            continue
        if not more:
            break
        got += more
    return [name.decode() for name in ANSWER.findall(got)]


def send_all(sock, data):
    """Also by a socket that does not wait."""
    while data:
        try:
            data = data[sock.send(data):]
        except BlockingIOError:
            assert wait_for(sock, select.POLLOUT), "never writable again"


def ask(address, data=None, port=80, **parts):
    """Who answers a request on a connection of its own."""
    with connect(address, port) as sock:
        sock.sendall(data or request(**parts))
        found = answers(sock)
        assert found, "the connection ended without an answer"
        return found[0]


def refusal(address, data=None, port=80, **parts):
    """The error that a request on a connection of its own ends with."""
    try:
        found = ask(address, data, port, **parts)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return found


def counts(times, address, *arguments, **parts):
    return dict(collections.Counter(ask(address, *arguments, **parts) for _ in range(times)))


class Load:
    """A load of connections in the background, from the beginning of the block to its end."""

    def __init__(self, address, port=80, threads=2, count=0, data=None, **parts):
        words = [node.PROGRAMS / "load", address, port, threads, count, (data or request(**parts)).decode()]
        self._words = [str(word) for word in words]
        self.answers, self.errors, self.longest_ms = {}, {}, 0

    def __enter__(self):
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=node._end_with_parent)
        return self

    def __exit__(self, *_):
        output, _ = self._process.communicate(timeout=120)
        for line in output.splitlines():
            count, kind, name = line.split(" ", 2)
            if kind == "longest":
                self.longest_ms = int(count)
            else:
                (self.answers if kind == "answer" else self.errors)[name] = int(count)

    @property
    def total(self):
        return sum(self.answers.values())


def load(times, address, threads=1, **parts):
    """Who answered a number of connections, made one after the other by each thread."""
    with Load(address, threads=threads, count=times, **parts) as made:
        pass
    assert not made.errors, made.errors
    return made.answers
