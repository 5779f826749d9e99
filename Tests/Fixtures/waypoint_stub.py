"""A waypoint that only says what it was told, for the end-to-end tests: serves port 15019 of its pod.

A connection for port 25 is greeted at once, with what the SYN said. One for port 7 is answered line by line. Any other
is read to its end and answered with one JSON object: the option of the SYN and the TLV as hexadecimal digits (empty
without one), length and SHA-256 of the bytes behind the TLV.
"""

import hashlib
import json
import socket
import struct
import sys
import threading

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28


def option_of(connection):
    """The option of kind 253 in the saved IP and TCP headers."""
    syn = connection.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 512)
    if not syn:
        return b""
    start = (syn[0] & 15) * 4 if syn[0] >> 4 == 4 else 40
    options = syn[start + 20 : start + (syn[start + 12] >> 4) * 4]
    while options and options[0] != 0:
        length = 1 if options[0] == 1 else options[1]
        if options[0] == 253:
            return options[:length]
        options = options[length:]
    return b""


def destination_port(option, tlv):
    if len(option) == 11:
        return struct.unpack(">H", option[9:11])[0]
    return struct.unpack(">H", tlv[-7:-5])[0] if tlv else 0


def take_tlv(stream, option):
    """The TLV that comes first: one must where the SYN says nothing, or else may where it says so."""
    if option and not option[4] & 1:
        return b""
    size = stream.peek(5)[:5]
    if size[:1] != b"\x01":
        return b""
    return stream.read(struct.unpack(">I", size[1:5])[0] + 10)


def serve(connection):
    option = option_of(connection)
    if destination_port(option, b"") == 25:
        connection.sendall(json.dumps({"option": option.hex()}).encode() + b"\r\n")
    stream = connection.makefile("rb")
    tlv = take_tlv(stream, option)
    if destination_port(option, tlv) == 7:
        for line in stream:
            connection.sendall(line)
    digest, length = hashlib.sha256(), 0
    while chunk := stream.read1(1 << 20):
        digest.update(chunk)
        length += len(chunk)
    answer = {"option": option.hex(), "tlv": tlv.hex(), "length": length, "sha": digest.hexdigest()}
    try:
        connection.sendall(json.dumps(answer).encode())
    except OSError:
        pass
    connection.close()


def attempt(connection):
    try:
        serve(connection)
    except OSError:
        connection.close()


listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
listener.bind(("::", int(sys.argv[1]) if len(sys.argv) > 1 else 15019))
listener.listen(1024)
while True:
    threading.Thread(target=attempt, args=(listener.accept()[0],), daemon=True).start()
