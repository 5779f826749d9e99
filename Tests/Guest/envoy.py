# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Files of Envoy's listeners, routes and clusters."""

import json

from node import PORT


def place(address, port):
    return {"socket_address": {"address": address, "port_value": port}}


def endpoint(address, port=PORT, **fields):
    return {"endpoint": {"address": place(address, port)}, **fields}


def cluster(name, *endpoints, policy="ROUND_ROBIN", max_connections=None, groups=None):
    """`groups`: localities as they are, in the place of endpoints."""
    found = {"name": name, "type": "STATIC", "lb_policy": policy,
             "load_assignment": {"cluster_name": name, "endpoints": groups or [{"lb_endpoints": [
                 endpoint(each) if isinstance(each, str) else each for each in endpoints]}]}}
    if max_connections:
        found["circuit_breakers"] = {"thresholds": [{"max_connections": max_connections}]}
    return found


def route(cluster_name, prefix="/", path=None, hash_header=None, retries=None, weighted=None, **match):
    found = {"match": {"path": path} if path else {"prefix": prefix}, "route": {}}
    found["match"].update(match)
    if weighted:
        clusters = [{"name": name, "weight": weight} for name, weight in weighted.items()]
        found["route"]["weighted_clusters"] = {"clusters": clusters}
    else:
        found["route"]["cluster"] = cluster_name
    if hash_header:
        found["route"]["hash_policy"] = [{"header": {"header_name": hash_header}}]
    if retries is not None:
        found["route"]["retry_policy"] = {"retry_on": "connect-failure", "num_retries": retries}
    return found


def host(*routes, domains=("*",), name="host"):
    return {"name": name, "domains": list(domains), "routes": list(routes)}


def http(*hosts):
    named = [{**each, "name": f"{each['name']}-{number}"} for number, each in enumerate(hosts)]
    return [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
                 ".HttpConnectionManager",
        "stat_prefix": "in", "route_config": {"virtual_hosts": named}}}]


def tcp(cluster_name):
    return [{"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "in", "cluster": cluster_name}}]


def listener(address, port, *chains, **fields):
    return {"name": f"{address}_{port}", "address": place(address, port), "filter_chains": list(chains), **fields}


def chain(filters, **match):
    return {"filters": filters, **({"filter_chain_match": match} if match else {})}


def text(listeners, clusters):
    return json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}})
