"""The mesh of the benchmarks of authorization: a server, its client, and policies that protect the server."""

import json
import os
import random

NAMESPACE = "bench"
CLIENT = f"cluster.local/ns/{NAMESPACE}/sa/client"


def pod(name, address):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
            "spec": {"serviceAccountName": name, "containers": [{"name": "main", "image": "none"}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}


def policy(name, rules, action="ALLOW", app="server", namespace=NAMESPACE):
    return {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"app": app}}, "action": action, "rules": rules}}


def of_client():
    """A rule that lets the client in."""
    return {"from": [{"source": {"principals": [CLIENT]}}]}


def many(policies, rules, values):
    """Policies whose rules allow others, by every kind of value in turn; the last rule of all allows the client."""
    chance = random.Random(7)
    made = []
    for number in range(policies):
        wanted = [_rule(kind % 4, values, chance) for kind in range(rules)]
        if number == policies - 1:
            wanted[-1] = of_client()
        made.append(policy(f"many-{number:03}", wanted))
    return made


def _rule(kind, values, chance):
    numbers = [chance.randrange(100_000) for _ in range(values)]
    if kind == 0:
        return {"from": [{"source": {"principals": [f"cluster.local/ns/n{n % 100}/sa/s{n}" for n in numbers]}}]}
    if kind == 1:
        blocks = [f"198.{18 + n % 2}.{n // 256 % 256}.{n % 256}/32" for n in numbers]
        return {"from": [{"source": {"ipBlocks": blocks}}]}
    if kind == 2:
        return {"from": [{"source": {"namespaces": [f"n{n}" for n in numbers]}}]}
    return {"from": [{"source": {"notNamespaces": [NAMESPACE]}}],
            "to": [{"operation": {"ports": [str(1024 + n % 60_000) for n in numbers]}}]}


def write(path, objects):
    """Whole or not at all: a new file takes the name by rename."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    os.rename(temporary, path)
