"""Connections that carry exactly as many bytes as asked for, in both directions.

bulk.py serve PORT TIMES           takes TIMES connections: reads a line `UP DOWN`, UP bytes, and sends DOWN bytes
bulk.py send ADDRESS PORT UP DOWN  the client of one: prints its own address and the bytes that it sent and received
bulk.py flood ADDRESS PORT COUNT   COUNT connections one after the other, each `0 0`
bulk.py refused ADDRESS PORT       dials, and prints the error
"""

import errno
import json
import socket
import sys


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def read(stream, count):
    done = 0
    while done < count:
        chunk = stream.recv(min(1 << 16, count - done))
        if not chunk:
            raise SystemExit(f"the peer ended after {done} of {count} bytes")
        done += len(chunk)


def read_line(stream):
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.recv(1)
        if not byte:
            return None
        line += byte
    return line


def serve(port, times):
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", int(port)))
        listener.listen(128)
        print(json.dumps({"listening": port}), flush=True)
        for _ in range(int(times)):
            stream, _ = listener.accept()
            with stream:
                line = read_line(stream)
                if line:
                    up, down = map(int, line.split())
                    read(stream, up)
                    stream.sendall(bytes(down))
                    stream.recv(1)


def send(address, port, up, down):
    line = f"{up} {down}\n".encode()
    with socket.socket(family(address)) as stream:
        stream.connect((address, int(port)))
        stream.sendall(line + bytes(int(up)))
        read(stream, int(down))
        print(json.dumps({"port": stream.getsockname()[1], "sent": len(line) + int(up), "received": int(down)}))


def flood(address, port, count):
    for _ in range(int(count)):
        with socket.socket(family(address)) as stream:
            stream.connect((address, int(port)))
            stream.sendall(b"0 0\n")
    print(json.dumps({"made": int(count)}))


def refused(address, port):
    with socket.socket(family(address)) as stream:
        print(json.dumps({"error": errno.errorcode[stream.connect_ex((address, int(port)))]}))


if __name__ == "__main__":
    {"serve": serve, "send": send, "flood": flood, "refused": refused}[sys.argv[1]](*sys.argv[2:])
