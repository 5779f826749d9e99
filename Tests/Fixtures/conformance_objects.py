"""Kubernetes objects, requests and what must come of them, for conformance_cases.py."""


def gateway(*listeners, name="edge", namespace="shop"):
    """Listeners are (name, hostname) or (name, hostname, {more})."""
    made = []
    for listener in listeners or [("http", None)]:
        made.append({"name": listener[0], "port": 80, "protocol": "HTTP",
            **(listener[2] if len(listener) > 2 else {})})
        if listener[1]:
            made[-1]["hostname"] = listener[1]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"gatewayClassName": "kmesh", "listeners": made}}


EDGE = {"name": "edge", "namespace": "shop"}
MESH = {"group": "", "kind": "Service", "name": "all", "port": 8080}


def route(name, *rules, hosts=(), parents=(EDGE,), namespace="shop", created=None):
    metadata = {"name": name, "namespace": namespace}
    if created:
        metadata["creationTimestamp"] = created
    spec = {"parentRefs": list(parents), "rules": list(rules)}
    if hosts:
        spec["hostnames"] = list(hosts)
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
        "spec": spec}


def grant(namespace, source, kind="HTTPRoute", name=None):
    target = {"group": "", "kind": "Service"}
    if name:
        target["name"] = name
    return {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"name": f"from-{source}", "namespace": namespace},
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": source}],
                     "to": [target]}}


def ref(name, weight=None, filters=None, **more):
    found = {"name": name, "port": 8080, **more}
    if weight is not None:
        found["weight"] = weight
    if filters:
        found["filters"] = filters
    return found


def rule(matches, *backends, **more):
    made = {"backendRefs": [ref(each) if isinstance(each, str) else each for each in backends], **more}
    if matches is not None:
        made["matches"] = matches if isinstance(matches, list) else [matches]
    return {key: value for key, value in made.items() if value != [] or key != "backendRefs"}


def match(prefix=None, exact=None, regex=None, method=None, headers=(), query=(), patterns=()):
    """`headers` and `query` are pairs; those that `patterns` names are patterns."""
    made = {}
    for kind, value in (("PathPrefix", prefix), ("Exact", exact), ("RegularExpression", regex)):
        if value:
            made["path"] = {"type": kind, "value": value}
    if method:
        made["method"] = method
    for key, pairs in (("headers", headers), ("queryParams", query)):
        if pairs:
            made[key] = [{"type": "RegularExpression" if name in patterns else "Exact", "name": name,
                "value": value}
                         for name, value in pairs]
    return made


def send(target, want, host="example.com", headers=(), method="GET", to="hosts", **more):
    """`want` is a backend's name or a status."""
    wanted = {"backend": want} if isinstance(want, str) else {"status": want}
    return {"path": target, "host": host, "headers": list(headers), "method": method, "to": to,
            "want": {**wanted, **more}}


def shares(target, wanted, count=1500, **more):
    return {**send(target, 200, **more), "shares": wanted, "count": count}


def headers(kind, **changes):
    """A filter; `set` and `add` are dictionaries, `remove` a list."""
    made = {key: [{"name": name, "value": value} for name,
        value in pairs.items()] if key != "remove" else pairs
            for key, pairs in changes.items()}
    return {"type": kind, kind[0].lower() + kind[1:]: made}


def redirect(**more):
    return {"type": "RequestRedirect", "requestRedirect": more}


def rewrite(**more):
    return {"type": "URLRewrite", "urlRewrite": more}


def full(path):
    return {"type": "ReplaceFullPath", "replaceFullPath": path}


def prefix(path):
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}
