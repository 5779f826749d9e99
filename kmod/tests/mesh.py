# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""What the tests share: the servers' addresses, the test program's maps, the module's counters, clients."""

import asyncio
import ctypes
import errno
import os
import re
import select
import socket
import struct
import time
import unittest

DIALED = ("10.99.0.1", 80)
FIRST = ("10.9.0.1", 8001)  # says srv1
SECOND = ("10.9.0.2", 8002)  # says srv2
GREETING = ("10.9.0.1", 8003)  # says srv3, and speaks first
NOBODY = ("10.9.0.1", 9)
UNROUTABLE = ("224.1.1.1", 9)
ALONE = (None, 0)  # the program leaves the address alone
DIALED6 = ("fd00:99::1", 80)

TO_FIRST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
TO_SECOND = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Version: v2\r\n\r\n"

DEFER, REFUSE, PLAIN = range(3)

MSG_FASTOPEN = 0x20000000
MSG_ZEROCOPY = 0x4000000
SO_ZEROCOPY = 60
TCP_FASTOPEN_CONNECT = 30
TCP_ULP = 31

PINS = os.environ.get("KMESH_PINS", "/sys/fs/bpf/kmesh_test")
STATS = "/sys/module/kmesh/stats/"

libc = ctypes.CDLL(None, use_errno=True)


class Map:
    """The one value of a pinned array."""

    SYSCALL = 321
    LOOKUP, UPDATE, GET = 1, 2, 7

    def __init__(self, name, size):
        self.size = size
        self.path = ctypes.create_string_buffer(os.path.join(PINS, name).encode())
        self.fd = self.call(self.GET, struct.pack("QIIII", ctypes.addressof(self.path), 0, 0, 0, 0))

    def call(self, command, attributes):
        buffer = ctypes.create_string_buffer(attributes, 64)
        result = libc.syscall(self.SYSCALL, command, buffer, 64)
        if result < 0:
            raise OSError(ctypes.get_errno(), f"bpf command {command} on {self.path.value.decode()}")
        return result

    def access(self, command, value):
        key = ctypes.create_string_buffer(4)
        attributes = struct.pack("IIQQQ", self.fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
        self.call(command, attributes)

    def read(self):
        value = ctypes.create_string_buffer(self.size)
        self.access(self.LOOKUP, value)
        return value.raw

    def write(self, value):
        self.access(self.UPDATE, ctypes.create_string_buffer(value, self.size))


def endpoint(address):
    name, port = address
    return struct.pack("=4s2s2x", socket.inet_aton(name) if name else bytes(4), struct.pack(">H", port))


def configuration(
    default=FIRST, second=SECOND, retries=(FIRST, FIRST), read=1500, idle=4000, mode=DEFER, retry_count=0,
    retval=0, refuses_retry=0,
):
    """struct test_config"""
    endpoints = b"".join(map(endpoint, (DIALED, default, second, *retries)))
    return endpoints + struct.pack("=4IiI", read, idle, mode, retry_count, retval, refuses_retry)


class Program:
    """The connect program: what it does, and what it answers (struct test_probe)."""

    LAYOUT = "=4I4iQIi64s4088s4096s"

    def __init__(self):
        self.config = Map("test_config", 64)
        self.probe = Map("test_probe", struct.calcsize(self.LAYOUT))

    def close(self):
        os.close(self.config.fd)
        os.close(self.probe.fd)

    def configure(self, **settings):
        self.config.write(configuration(**settings))

    def ask(self, key=b"", matcher=b"", length=0, flags=0):
        """Sets the question for the next request, and counts from zero."""
        self.probe.write(struct.pack("=8iQIi64s4088s4096x", *[0] * 8, 0, flags, length, key, matcher))

    def answers(self):
        fields = struct.unpack(self.LAYOUT, self.probe.read())
        names = ("other", "connect", "request", "retry", "deferred", "retries", "length", "matched", "hash")
        answers = dict(zip(names, fields))
        answers["value"] = fields[-1]
        return answers


def counter(name):
    with open(STATS + name, encoding="ascii") as file:
        return int(file.read())


def namespace_counters():
    with open("/proc/net/kmesh_stat", encoding="ascii") as file:
        return {name: int(value) for name, value in map(str.split, file)}


def client(waits=True, family=socket.AF_INET, timeout=5):
    """A socket that is really blocking: Python's own timeouts would make it one that is not."""
    made = socket.socket(family, socket.SOCK_STREAM)
    if not waits:
        made.setblocking(False)
        return made
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        made.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", timeout, 0))
    return made


def dialed(waits=True, family=socket.AF_INET, address=DIALED):
    made = client(waits, family)
    error = made.connect_ex(address)
    if error:
        made.close()
        raise OSError(error, os.strerror(error))
    return made


def ask_at_once(count):
    """Asks by as many asyncio clients at the same time, every other one the second server. Whether the right ones
    have answered."""
    async def one(number):
        reader, writer = await asyncio.open_connection(*DIALED)
        writer.write(TO_SECOND if number % 2 else TO_FIRST)
        await writer.drain()
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return servers(answer) == ["srv2" if number % 2 else "srv1"]

    async def all_of_them():
        return await asyncio.gather(*map(one, range(count)))

    return all(asyncio.run(all_of_them()))


def disconnect(sock):
    """connect(AF_UNSPEC)"""
    return libc.connect(sock.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)


def wait(sock, events, seconds=3):
    poll = select.poll()
    poll.register(sock, events)
    ready = poll.poll(seconds * 1000)
    return ready[0][1] if ready else 0


ANSWER = re.compile(rb"(srv\d)[^\n]*\n")


def receive(sock, count=1, seconds=3):
    """As many answers, each with its server's name; also from a socket that does not wait."""
    end = time.monotonic() + seconds
    got = b""
    while len(ANSWER.findall(got)) < count:
        if not wait(sock, select.POLLIN, max(0, end - time.monotonic())):
            raise TimeoutError(f"only {got!r}")
        try:
            more = sock.recv(65536)
        except BlockingIOError:
            continue
        if not more:
            break
        got += more
    return got


def servers(got):
    return [name.decode() for name in ANSWER.findall(got)]


def settled(name="live", value=0, seconds=2):
    """A counter, when it has become `value`, or time is up: workers may still be about."""
    end = time.monotonic() + seconds
    while counter(name) != value and time.monotonic() < end:
        time.sleep(0.02)
    return counter(name)


def send_all(sock, data):
    """Also by a socket that does not wait. Returns how often it would have had to."""
    times = 0
    while data:
        try:
            data = data[sock.send(data):]
        except BlockingIOError:
            times += 1
            assert wait(sock, select.POLLOUT), "never writable again"
    return times


class MeshTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = Program()

    @classmethod
    def tearDownClass(cls):
        cls.program.close()

    def setUp(self):
        self.program.configure()
        self.program.ask()

    def assertServed(self, sock, *names):
        self.assertEqual(servers(receive(sock, len(names))), list(names))

    def assertFails(self, error, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[error])
