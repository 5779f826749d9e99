# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Mesh files: the Kubernetes objects that the tests describe their services in."""

import json

from node import PORT

NAMESPACE = "shop"


def vip(number):
    return f"10.30.0.{number}"


def vip6(number):
    return f"fd00:30::{number}"


def at(address, port=PORT):
    """How an endpoint names itself."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def service(number, name, endpoints=(), port=80, target=PORT, annotations=None, extra=(), labels=None):
    """A service with addresses by its number, and its endpoints: numbers of pods, of both families. A pod is
    10.21.5.N and fd00:21::N."""
    ports = [{"name": "http", "port": port, "targetPort": target, "protocol": "TCP"}, *extra]
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations or {}, "labels": labels or {}}
    objects = [{"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                "spec": {"clusterIP": vip(number), "clusterIPs": [vip(number), vip6(number)], "ipFamilies": [
                    "IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack", "ports": ports}}]
    for family, prefix in (("IPv4", "10.21.5."), ("IPv6", "fd00:21::")):
        objects.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
            "metadata": {"name": f"{name}-{family.lower()}", "namespace": NAMESPACE,
                         "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": entry["name"], "port": entry["targetPort"], "protocol": entry["protocol"]}
                      for entry in ports],
            "endpoints": [{"addresses": [f"{prefix}{pod}"], "conditions": {"ready": True}} for pod in endpoints]})
    return objects


def pod(number):
    return at(f"10.21.5.{number}")


def pod6(number):
    return at(f"fd00:21::{number}")


def backend(name, weight=None, port=80):
    found = {"name": name, "port": port}
    return found if weight is None else {**found, "weight": weight}


def route(parent, *rules):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": parent, "namespace": NAMESPACE},
            "spec": {"parentRefs": [{"group": "", "kind": "Service", "name": parent, "port": 80}],
                     "rules": list(rules)}}


def rule(*backends, **match):
    """`match` is one match of the rule; without any it takes every request."""
    found = {"backendRefs": [backend(each) if isinstance(each, str) else each for each in backends]}
    return {**found, "matches": [match]} if match else found


def path(value, kind="PathPrefix"):
    return {"type": kind, "value": value}


def text(*objects):
    items = []
    for each in objects:
        items += each if isinstance(each, list) else [each]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
