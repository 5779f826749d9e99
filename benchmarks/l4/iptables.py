"""Service rules as kube-proxy's iptables mode writes them, in a client's own namespace."""

import base64
import hashlib

from namespaces import path
from network import PORT, pod_address, service_address
from place import command

ENDPOINTS = 3


def install(namespace, services):
    """Rules for services 0 to `services` - 1; the last one is the farthest in KUBE-SERVICES."""
    rules = "\n".join(_table(services)) + "\n"
    command("nsenter", f"--net={path(namespace)}", "iptables-restore", text=rules)


def _chain(kind, *parts):
    """kube-proxy names chains by a hash of what they are for."""
    digest = base64.b32encode(hashlib.sha256("".join(parts).encode()).digest()).decode()
    return f"KUBE-{kind}-{digest[:16]}"


def _table(services):
    chains = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"]
    rules = [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT"'
        " -j MASQUERADE --random-fully",
        "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
    ]
    for number in range(services):
        own_chains, own_rules = _service(number)
        chains += own_chains
        rules += own_rules
    rules.append('-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the'
                 ' last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS')
    return ["*nat", *[f":{chain} - [0:0]" for chain in chains], *rules, "COMMIT"]


def _service(number):
    name, address = f"bench/service-{number}:http", service_address(number)
    service_chain = _chain("SVC", name, "tcp")
    dialed = f'-d {address}/32 -p tcp -m comment --comment "{name} cluster IP" -m tcp --dport 80'
    chains = [service_chain]
    rules = [f"-A KUBE-SERVICES {dialed} -j {service_chain}",
             f"-A {service_chain} ! -s 172.23.0.0/24 {dialed} -j KUBE-MARK-MASQ"]
    for index in range(ENDPOINTS):
        pod = pod_address(number * ENDPOINTS + index)
        endpoint_chain = _chain("SEP", name, "tcp", pod)
        chains.append(endpoint_chain)
        left = ENDPOINTS - index
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        rules += [
            f'-A {service_chain} -m comment --comment "{name} -> {pod}:{PORT}" {chance}-j {endpoint_chain}',
            f'-A {endpoint_chain} -s {pod}/32 -m comment --comment "{name}" -j KUBE-MARK-MASQ',
            f'-A {endpoint_chain} -p tcp -m comment --comment "{name}" -m tcp'
            f" -j DNAT --to-destination {pod}:{PORT}",
        ]
    return chains, rules
