"""The daemon's pinned L4 maps as bpf/include/kmesh/abi/l4.h lays them out, read from outside."""

import ipaddress
import struct

from kernel import PinnedMap

TCP = 6


def _mapped(address):
    return b"\0" * 10 + b"\xff\xff" + ipaddress.IPv4Address(address).packed


class L4Maps:
    def __init__(self, pins):
        self._frontends = PinnedMap(pins / "km_frontend", 20, 8)
        self._services = PinnedMap(pins / "km_service", 4, 28)
        self._slots = PinnedMap(pins / "km_slot", 12, 8)
        self._endpoints = PinnedMap(pins / "km_endpoint", 8, 24)

    def service_id(self, address, port=80):
        """None when the address is not a service's."""
        value = self._frontends.lookup(_mapped(address) + struct.pack("=HBB", port, TCP, 0))
        return value and struct.unpack_from("=I", value)[0]

    def tier_and_count(self, service):
        """The tier that is chosen from, and how many endpoints it has."""
        value = self._services.lookup(struct.pack("=I", service))
        return struct.unpack_from("=II", value, 8) if value else (0, 0)

    def endpoint(self, service, endpoint):
        """The endpoint's address; None when it is not served any more."""
        value = self._endpoints.lookup(struct.pack("=II", service, endpoint))
        return value and str(ipaddress.IPv4Address(value[12:16]))

    def endpoints(self, service):
        """{address: endpoint id} of those that are chosen from."""
        found = {}
        tier, count = self.tier_and_count(service)
        for index in range(count):
            slot = self._slots.lookup(struct.pack("=III", service, tier, index))
            if slot is None:
                continue
            identity = struct.unpack_from("=I", slot)[0]
            address = self.endpoint(service, identity)
            if address:
                found[address] = identity
        return found

    def close(self):
        for pinned in (self._frontends, self._services, self._slots, self._endpoints):
            pinned.close()
