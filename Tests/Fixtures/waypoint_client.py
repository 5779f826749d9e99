"""A client that says what a waypoint was told, for the end-to-end tests. Prints one JSON object for each connection.

waypoint_client.py send ADDRESS PORT SHAPE...  sends in each of the shapes, and prints the waypoint's answer with the
                                               peer that the socket shows and whether every byte arrived
waypoint_client.py greeted ADDRESS PORT        reads before it writes
waypoint_client.py hold ADDRESS PORT SECONDS   one connection to port 7 that asks every 50 ms: how often it was answered
waypoint_client.py storm ADDRESS PORT TIMES    so many connections by 8 threads, with sizes drawn at random
An IPv4 address written ::ffff:a.b.c.d is dialed through an IPv6 socket.
"""

import contextlib
import errno
import hashlib
import json
import mmap
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

IPPROTO_MPTCP, SO_ZEROCOPY, MSG_ZEROCOPY = 262, 60, 0x4000000


def payload(size):
    return random.Random(size).randbytes(size)


def show(endpoint):
    return f"[{endpoint[0]}]:{endpoint[1]}" if ":" in endpoint[0] else f"{endpoint[0]}:{endpoint[1]}"


def make(address, shape):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    protocol = IPPROTO_MPTCP if shape == "mptcp" else 0
    made = socket.socket(family, socket.SOCK_STREAM, protocol)
    # Not settimeout(): that would make the socket one that does not block.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 20, 0))
    if shape == "tiny":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    if shape == "zerocopy":
        made.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    return made


@contextlib.contextmanager
def no_way_out():
    """Known neighbours get nothing: a SYN comes again after a second, and who writes meanwhile waits."""
    known = json.loads(subprocess.check_output(["ip", "-j", "neigh", "show", "dev", "eth0"]))
    for neighbour in known:
        call = ["ip", "neigh", "replace", neighbour["dst"], "dev", "eth0", "lladdr", "02:00:00:00:00:01"]
        subprocess.check_call([*call, "nud", "permanent"])
    yield
    for neighbour in known:
        subprocess.check_call(["ip", "neigh", "del", neighbour["dst"], "dev", "eth0"])


def send_sendfile(made, data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        done = 0
        while done < len(data):
            done += os.sendfile(made.fileno(), file.fileno(), done, len(data) - done)


def send_splice(made, data):
    source, sink = os.pipe()
    feeder = threading.Thread(target=lambda: (os.fdopen(sink, "wb").write(data),))
    feeder.start()
    left = len(data)
    while left:
        left -= os.splice(source, made.fileno(), left)
    feeder.join()
    os.close(source)


def send_nonblocking(made, data):
    made.setblocking(False)
    left = memoryview(data)
    while left:
        try:
            left = left[made.send(left) :]
        except BlockingIOError:
            pass
    made.setblocking(True)


def send_writev(made, data):
    third = len(data) // 3
    parts = [data[:third], data[third : 2 * third], data[2 * third :]]
    sent = made.sendmsg(parts)
    made.sendall(data[sent:])


def send_zerocopy(made, data):
    memory = mmap.mmap(-1, len(data))
    memory.write(data)
    left = memoryview(memory)
    while left:
        left = left[made.send(left, MSG_ZEROCOPY) :]


def send_more(made, data):
    for start in range(0, len(data), 700):
        made.sendall(data[start : start + 700], socket.MSG_MORE)


def send_cork(made, data):
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    made.sendall(data[:3])
    made.sendall(data[3:])
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def send_bytes(made, data):
    for index in range(len(data)):
        if made.send(data[index : index + 1]) != 1:
            raise OSError(errno.EIO, "more or less than one byte")


def send_empty(made, data):
    made.send(b"")
    made.sendall(data)


SHAPES = {
    "one": (1, socket.socket.sendall),
    "ten": (10, socket.socket.sendall),
    "mega": (1 << 20, socket.socket.sendall),
    "huge": (64 << 20, socket.socket.sendall),
    "nonblocking": (8 << 20, send_nonblocking),
    "writev": (100_000, send_writev),
    "sendfile": (1 << 20, send_sendfile),
    "splice": (1 << 20, send_splice),
    "zerocopy": (1 << 20, send_zerocopy),
    "more": (20_000, send_more),
    "cork": (5_000, send_cork),
    "bytes": (3_000, send_bytes),
    "empty": (1_000, send_empty),
    "tiny": (300_000, socket.socket.sendall),
    "mptcp": (100_000, socket.socket.sendall),
    # These two put bytes on their way before the handshake is over.
    "connecting": (1_000, socket.socket.sendall),
    "fastopen": (1_000, None),
}


def exchange(address, port, shape, size=None):
    length, send = SHAPES[shape]
    data = payload(size or length)
    made = make(address, shape)
    try:
        if shape == "fastopen":
            made.sendto(data, socket.MSG_FASTOPEN, (address, port))
        elif shape == "connecting":
            with no_way_out():
                made.setblocking(False)
                made.connect_ex((address, port))
                made.setblocking(True)
                sender = threading.Thread(target=send, args=(made, data[: length // 2]))
                sender.start()
                # Long enough for the thread to begin, and less than the second after which the SYN is repeated.
                time.sleep(0.5)
            sender.join()
            send(made, data[length // 2 :])
        else:
            made.connect((address, port))
            send(made, data)
        peer = show(made.getpeername())
        made.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := made.recv(65536):
            answer += chunk
        result = json.loads(answer)
    except (OSError, ValueError) as error:
        return {"error": errno.errorcode.get(getattr(error, "errno", 0), type(error).__name__)}
    finally:
        made.close()
    result["peer"] = peer
    result["whole"] = result["length"] == len(data) and result["sha"] == hashlib.sha256(data).hexdigest()
    return result


def greeted(address, port):
    made = make(address, "")
    made.connect((address, port))
    greeting = made.makefile("rb").readline()
    print(greeting.decode().strip(), flush=True)
    made.close()


def hold(address, port, seconds):
    made = make(address, "")
    made.connect((address, port))
    stream = made.makefile("rwb", buffering=0)
    answered = asked = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = b"line %d\n" % asked
        asked += 1
        stream.write(line)
        answered += stream.readline() == line
        time.sleep(0.05)
    print(json.dumps({"asked": asked, "answered": answered, "peer": show(made.getpeername())}), flush=True)


def storm(address, port, times):
    wrong = []

    def work(seed):
        draw = random.Random(seed)
        shapes = ["one", "mega", "nonblocking", "writev", "tiny", "more", "bytes"]
        for _ in range(times // 8):
            shape = draw.choice(shapes)
            limit = 2_000 if shape == "bytes" else 1 << draw.randrange(1, 20)
            result = exchange(address, port, shape, draw.randrange(1, limit + 1))
            if not result.get("whole") or not result.get("tlv"):
                wrong.append(f"{shape}: {result}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"wrong": len(wrong), "first": "".join(wrong[:1])}), flush=True)


how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how == "send":
    for shape in sys.argv[4:]:
        print(json.dumps({"shape": shape, **exchange(address, port, shape)}), flush=True)
elif how == "hold":
    hold(address, port, float(sys.argv[4]))
elif how == "greeted":
    greeted(address, port)
else:
    storm(address, port, int(sys.argv[4]))
