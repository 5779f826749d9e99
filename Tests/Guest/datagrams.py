# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""A backend of datagrams: datagrams.py ADDRESS PORT. It answers each with its own address and port."""

import socket
import sys


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        while True:
            data, peer = server.recvfrom(2048)
            server.sendto(f"{address}:{port} ".encode() + data, peer)


if __name__ == "__main__":
    main()
