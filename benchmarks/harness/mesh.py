"""Mesh files: Kubernetes objects as JSON, the small ones that the measured services are described in."""

import json
import os
import shutil

from network import PORT, pod_address, service_address
from place import BUILD, ROOT, CannotMeasure, command, say

NAMESPACE = "bench"
PER_FILE = 500
ENDPOINTS = 3


def service(name, address):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"clusterIP": address, "clusterIPs": [address], "type": "ClusterIP",
                     "ports": [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}]}}


def endpoint_slice(name, addresses):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{name}-1", "namespace": NAMESPACE,
                         "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]}


def pod(name, address):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
            "spec": {"serviceAccountName": name, "containers": [{"name": "main", "image": "none"}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}


def write(path, objects):
    """Whole or not at all: a new file takes the name by rename."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    os.rename(temporary, path)


def write_services(directory, count):
    """Services 0 to `count` - 1 at their addresses, each with three pods."""
    directory.mkdir(exist_ok=True)
    for first in range(0, count, PER_FILE):
        objects = []
        for number in range(first, min(first + PER_FILE, count)):
            name = f"service-{number}"
            pods = [pod_address(number * ENDPOINTS + index) for index in range(ENDPOINTS)]
            objects += [service(name, service_address(number)), endpoint_slice(name, pods)]
        write(directory / f"services-{first:05}.json", objects)


def copy_large(directory, services, pods):
    """The mesh of a large cluster. It is kept between runs in the build directory, and copied: the run writes
    beside it."""
    generator = ROOT / "benchmarks" / "generate-mesh"
    if not generator.exists():
        raise CannotMeasure(f"{generator} is missing")
    kept = BUILD / f"mesh-{services}-{pods}"
    if not kept.exists() or kept.stat().st_mtime < generator.stat().st_mtime:
        say(f"generating {services} services and {pods} Pods")
        shutil.rmtree(kept, ignore_errors=True)
        command(generator, "--services", services, "--pods", pods, "--directory", kept)
    shutil.copytree(kept, directory)
