"""A SYN, a later packet, and a lookup, as the programs get them."""

import ipaddress
import struct

SYN, ACK = 0x02, 0x10


def segment(source, destination, port, flags, payload=b""):
    """An Ethernet frame with a TCP segment. Its checksums are left out, as the programs do not look at them."""
    length = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 64, 6, 0,
                     ipaddress.IPv4Address(source).packed, ipaddress.IPv4Address(destination).packed)
    tcp = struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 5 << 4, flags, 65535, 0, 0)
    return b"\x02" * 12 + struct.pack("!H", 0x0800) + ip + tcp + payload


def lookup(source, destination, port):
    """struct bpf_sk_lookup of <linux/bpf.h>."""
    AF_INET, TCP = 2, 6
    return struct.pack("=QII4s16sHH4s16sII4x", 0, AF_INET, TCP, ipaddress.IPv4Address(source).packed, bytes(16),
                       struct.unpack("=H", struct.pack("!H", 40000))[0], 0,
                       ipaddress.IPv4Address(destination).packed, bytes(16), port, 0)
