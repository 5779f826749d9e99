"""The cases of conformance.py: those of the Gateway API's conformance suite with its names, and what
docs/routing.md promises beyond them."""

from conformance_objects import (
    EDGE, MESH, full, gateway, grant, headers, match, prefix, redirect, ref, rewrite, route, rule, send,
    shares)

CASES = []


def case(name, found, *requests, says=()):
    CASES.append({"name": name, "objects": found, "requests": requests, "says": says})


ONE, TWO = [("Version", "one")], [("Version", "two")]

case(
    "HTTPRouteSimpleSameNamespace", [gateway(), route("r", rule(None, "v1"))],
    send("/", "v1"), send("/any/path?with=query", "v1", path="/any/path?with=query"),
    send("/", "v1", host="127.0.0.1"))

case(
    "HTTPRouteExactPathMatching",
    [gateway(), route("r", rule(match(exact="/one"), "v1"), rule(match(exact="/two"), "v2"))],
    send("/one", "v1"), send("/two", "v2"), send("/", 404), send("/one/example", 404), send("/two/", 404),
    send("/Two", 404), send("/one?query=1", "v1"))

case(
    "HTTPRouteMatching",
    [gateway(), route(
        "r", rule([match(prefix="/"), match(headers=ONE)], "v1"),
        rule([match(prefix="/v2"), match(headers=TWO)], "v2"))],
    send("/", "v1"), send("/example", "v1"), send("/", "v1", headers=ONE), send("/v2", "v2"),
    send("/v2/example", "v2"),
    send("/", "v2", headers=TWO), send("/v2/", "v2"), send("/v2example", "v1"), send("/foo/v2/example", "v1"))

case(
    "HTTPRouteMatchingAcrossRoutes",
    [gateway(),
     route("part1", rule([match(prefix="/"), match(headers=ONE)], "v1"),
         hosts=["example.com", "example.net"]),
     route("part2", rule([match(prefix="/v2"), match(headers=TWO)], "v2"), hosts=["example.com"])],
    send("/", "v1"), send("/example", "v1"), send("/example", "v1", host="example.net"),
    send("/", "v1", headers=ONE),
    send("/v2", "v2"), send("/v2", "v1", host="example.net"), send("/v2/example", "v2"),
    send("/", "v2", headers=TWO),
    send("/v2/", "v2"), send("/v2example", "v1"), send("/foo/v2/example", "v1"),
    send("/", 404, host="example.org"))

case(
    "HTTPRoutePathMatchOrder",
    [gateway(), route(
        "r", rule(match(exact="/match/exact/one"), "v3"), rule(match(exact="/match/exact"), "v2"),
        rule(match(prefix="/match"), "v1"), rule(match(prefix="/match/prefix/one"), "v2"),
        rule(match(prefix="/match/prefix/"), "v1"), rule(match(prefix="/match/prefix/two"), "v3"))],
    send("/match/exact/one", "v3"), send("/match/exact", "v2"), send("/match", "v1"),
    send("/match/prefix/one/any", "v2"), send("/match/prefix/any", "v1"), send("/match/prefix/two/any", "v3"),
    send("/match/any", "v1"), send("/matched", 404))

case(
    "HTTPRouteHeaderMatching",
    [gateway(), route(
        "r", rule(match(headers=ONE), "v1"), rule(match(headers=TWO), "v2"),
        rule(match(headers=[*TWO, ("color", "orange")]), "v1"),
        rule([match(headers=[("color", "blue")]), match(headers=[("color", "green")])], "v1"),
        rule([match(headers=[("color", "red")]), match(headers=[("color", "yellow")])], "v2"))],
    send("/", "v1", headers=ONE), send("/", "v2", headers=TWO),
    send("/", "v1", headers=[*TWO, ("Color", "orange")]),
    send("/", 404, headers=[("Color", "orange")]), send("/", 404, headers=[("Some-Other-Header", "one")]),
    send("/", "v1", headers=[("Color", "blue")]), send("/", "v1", headers=[("COLOR", "green")]),
    send("/", "v2", headers=[("color", "red")]), send("/", "v2", headers=[("Color", "yellow")]),
    send("/", 404, headers=[("Color", "purple")]), send("/", 404, headers=[("Color", "Blue")]),
    send("/", 404, headers=[*ONE, *TWO]))

case(
    "HTTPRouteMethodMatching",
    [gateway(), route(
        "r", rule(match(method="POST"), "v1"), rule(match(method="GET"), "v2"),
        rule(match(prefix="/path1", method="GET"), "v1"), rule(match(headers=ONE, method="PUT"), "v2"),
        rule(match(prefix="/path2", headers=TWO, method="POST"), "v3"),
        rule(match(prefix="/path3", method="PATCH"), "v1"), rule(match(prefix="/path4", headers=ONE), "v1"),
        rule(match(prefix="/path4", method="PATCH"), "v2"), rule(match(prefix="/path5"), "v1"),
        rule(match(method="PATCH"), "v2"), rule(match(headers=[("version", "four")]), "v1"))],
    send("/", "v1", method="POST"), send("/", "v2"), send("/", 404, method="HEAD"), send("/path1", "v1"),
    send("/", "v2", method="PUT", headers=ONE), send("/path2", "v3", method="POST", headers=TWO),
    send("/", 404, method="PUT"), send("/path5", "v1", method="PATCH"),
    send("/path4", "v2", method="PATCH", headers=ONE),
    send("/", "v2", method="PATCH", headers=[("Version", "four")]), send("/path3", "v1", method="PATCH"))

WHALE, DOLPHIN, BLUE = ("animal", "whale"), ("animal", "dolphin"), ("color", "blue")
case(
    "HTTPRouteQueryParamMatching",
    [gateway(), route(
        "r", rule(match(query=[WHALE]), "v1"), rule(match(query=[DOLPHIN]), "v2"),
        rule(match(query=[DOLPHIN, BLUE]), "v3"),
        rule([match(query=[("ANIMAL", "Whale")]), match(query=[("animal", "shark")])], "v3"),
        rule(match(prefix="/path1", query=[WHALE]), "v2"), rule(match(headers=ONE, query=[WHALE]), "v3"),
        rule(match(prefix="/path5", query=[WHALE]), "v3"), rule(match(prefix="/path5", headers=TWO), "v1"))],
    send("/?animal=whale", "v1"), send("/?animal=dolphin", "v2"), send("/?animal=dolphin&color=blue", "v3"),
    send("/?color=blue&animal=dolphin", "v3"), send("/?animal=whale&otherparam=irrelevant", "v1"),
    send("/?animal=dog", 404), send("/?animal=whaledolphin", 404), send("/?color=blue", 404), send("/", 404),
    send("/?animal=whale&animal=dolphin", "v1"), send("/?animal=dolphin&animal=whale", "v2"),
    send("/?ANIMAL=Whale", "v3"), send("/?animal=shark", "v3"), send("/?animal=Whale", 404),
    send("/path1?animal=whale", "v2"), send("/?animal=whale", "v3", headers=ONE),
    send("/path5?animal=whale", "v1", headers=TWO), send("/#?animal=whale", 400))

INTERSECTION = [
    gateway(("l1", "very.specific.com"), ("l2", "*.wildcard.io"), ("l3", "*.anotherwildcard.io")),
    route("s1", rule(match(prefix="/s1"), "v1"),
          hosts=["non.matching.com", "*.nonmatchingwildcard.io", "very.specific.com"]),
    route("s2", rule(match(prefix="/s2"), "v2"),
          hosts=["non.matching.com", "wildcard.io", "foo.wildcard.io", "bar.wildcard.io",
              "foo.bar.wildcard.io"]),
    route("s3", rule(match(prefix="/s3"), "v3"), hosts=["non.matching.com", "*.specific.com"]),
    route("s4", rule(match(prefix="/s4"), "v1"), hosts=["*.anotherwildcard.io"]),
    route("s5", rule(match(prefix="/s5"), "v2"), hosts=["specific.but.wrong.com", "wildcard.io"])]
case(
    "HTTPRouteHostnameIntersection", INTERSECTION,
    send("/s1", "v1", host="very.specific.com"), send("/s1", "v1", host="very.specific.com:1234"),
    send("/s1", "v1", host="VERY.specific.com"), send("/s1", 404, host="non.matching.com"),
    send("/s1", 404, host="foo.nonmatchingwildcard.io"), send("/s1", 404, host="foo.wildcard.io"),
    send("/non-matching-prefix", 404, host="very.specific.com"), send("/s2", "v2", host="foo.wildcard.io"),
    send("/s2", "v2", host="bar.wildcard.io"), send("/s2", "v2", host="foo.bar.wildcard.io:8080"),
    send("/s2", 404, host="non.matching.com"), send("/s2", 404, host="wildcard.io"),
    send("/s2", 404, host="very.specific.com"), send("/s2", 404, host="other.wildcard.io"),
    send("/s3", "v3", host="very.specific.com"), send("/s3", 404, host="foo.specific.com"),
    send("/s3", 404, host="non.matching.com"), send("/s4", "v1", host="one.anotherwildcard.io"),
    send("/s4", "v1", host="one.two.three.anotherwildcard.io"), send("/s4", 404, host="anotherwildcard.io"),
    send("/s5", 404, host="specific.but.wrong.com"), send("/s5", 404, host="wildcard.io"),
    says=["HTTPRoute shop/s5 is not in force for Gateway shop/edge: no hostname"])

case(
    "HTTPRouteListenerHostnameMatching",
    [gateway(("l1", "bar.com"), ("l2", "foo.bar.com"), ("l3", "*.bar.com"), ("l4", "*.foo.com")),
     route("r1", rule(None, "v1"), parents=[{**EDGE, "sectionName": "l1"}]),
     route("r2", rule(None, "v2"), parents=[{**EDGE, "sectionName": "l2"}]),
     route("r3", rule(None, "v3"), parents=[{**EDGE, "sectionName": "l3"}, {**EDGE, "sectionName": "l4"}])],
    send("/", "v1", host="bar.com"), send("/", "v2", host="foo.bar.com"), send("/", "v3", host="baz.bar.com"),
    send("/", "v3", host="boo.bar.com"), send("/", "v3", host="multiple.prefixes.bar.com"),
    send("/", "v3", host="multiple.prefixes.foo.com"), send("/", 404, host="foo.com"),
    send("/", 404, host="no.matching.host"))

case(
    "GatewayHTTPListenerIsolation",
    [gateway(("empty", None), ("wild", "*.example.com"), ("foo", "*.foo.example.com"),
        ("abc", "abc.foo.example.com")),
     *[route(f"to-{section}", rule(match(prefix=f"/{section}"), "v1"),
         parents=[{**EDGE, "sectionName": section}])
       for section in ("empty", "wild", "foo", "abc")]],
    *[send(f"/{path}", "v1" if path == section else 404, host=host)
      for section, host in (("empty", "bar.com"), ("wild", "bar.example.com"), ("foo", "bar.foo.example.com"),
                            ("abc", "abc.foo.example.com"))
      for path in ("empty", "wild", "foo", "abc")])

case(
    "HTTPRouteCrossNamespace",
    [gateway(("http", None, {"allowedRoutes": {"namespaces": {"from": "All"}}})),
     gateway(("http", "same.example"), name="closed"),
     route("r", rule(None, "web"), namespace="web", hosts=["web.example"]),
     route("kept-out", rule(None, "web"), namespace="web", parents=[{**EDGE, "name": "closed"}])],
    send("/", "web", host="web.example"), send("/", 404, host="same.example"),
    says=["web/kept-out is not in force for Gateway shop/closed: the listener takes no routes of other"])

MODIFIED = [("Some-Other-Header", "val")]


def modifier_rules(kind):
    changes = {
        "/set": {"set": {"X-Header-Set": "set-overwrites-values"}},
        "/add": {"add": {"X-Header-Add": "add-appends-values"}},
        "/remove": {"remove": ["X-Header-Remove"]},
        "/multiple": {"set": {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2"},
                      "add": {"X-Header-Add-1": "header-add-1", "X-Header-Add-2": "header-add-2"},
                      "remove": ["X-Header-Remove-1", "X-Header-Remove-2"]},
        "/case-insensitivity": {"set": {"X-Header-Set": "header-set"}, "add": {"X-Header-Add": "header-add"},
                                "remove": ["x-header-remove"]}}
    return [(path, headers(kind, **change)) for path, change in changes.items()]


# The path, what comes in, and what goes on.
MODIFICATIONS = [
    ("/set", [], {"X-Header-Set": "set-overwrites-values"}),
    ("/set", [("X-Header-Set", "some-other-value")], {"X-Header-Set": "set-overwrites-values"}),
    ("/add", [], {"X-Header-Add": "add-appends-values"}),
    ("/add", [("X-Header-Add", "some-other-value")],
        {"X-Header-Add": "some-other-value, add-appends-values"}),
    ("/remove", [("X-Header-Remove", "val")], {"X-Header-Remove": ""}),
    ("/multiple", [("X-Header-Set-2", "set-val-2"), ("X-Header-Add-2", "add-val-2"),
        ("X-Header-Remove-2", "val"),
                   ("Another-Header", "another-header-val")],
     {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2", "X-Header-Add-1": "header-add-1",
      "X-Header-Add-2": "add-val-2, header-add-2", "X-Header-Remove-2": "",
      "Another-Header": "another-header-val"}),
    ("/case-insensitivity", [("x-header-set", "original-val-set"), ("x-HEADER-add", "original-val-add"),
                             ("X-Header-REMOVE", "val"), ("Another-Header", "another-header-val")],
     {"X-Header-Set": "header-set", "X-Header-Add": "original-val-add, header-add", "X-Header-Remove": "",
      "Another-Header": "another-header-val"})]
ON_RULES = [rule(match(prefix=path), "v1", filters=[made]) for path,
    made in modifier_rules("RequestHeaderModifier")]
ON_BACKENDS = [rule(match(prefix=path), ref("v1", filters=[made]))
               for path, made in modifier_rules("RequestHeaderModifier")]
for name, rules in (("HTTPRouteRequestHeaderModifier", ON_RULES),
                    ("HTTPRouteBackendRequestHeaderModifier", ON_BACKENDS)):
    case(name, [gateway(), route("r", *rules)],
         *[send(path, "v1", headers=MODIFIED + given, sees={**seen, "Some-Other-Header": "val"})
           for path, given, seen in MODIFICATIONS])
case(
    "HTTPRouteResponseHeaderModifier",
    [gateway(), route("r", *[rule(match(prefix=path), "v1", filters=[made])
                             for path, made in modifier_rules("ResponseHeaderModifier")])],
    *[send(path, "v1", headers=[("X-Echo-Set-Header", ", ".join(f"{name}:{value}" for name, value in given))],
           answers=answered) for path, given, answered in MODIFICATIONS if given])
case(
    "HTTPRouteHeaderModifiersOfRuleAndBackend",
    [gateway(), route(
        "r", rule(None, ref("v1", filters=[headers("RequestHeaderModifier", add={"X-Way": "backend"})]),
                  filters=[headers("RequestHeaderModifier", set={"X-Way": "rule"})]))],
    send("/", "v1", headers=[("X-Way", "client")], sees={"X-Way": "rule, backend"}))

# A redirect's port is that of the listener as the client sees it, which is not 80 here.
case(
    "HTTPRouteRedirectHostAndStatus",
    [gateway(), route(
        "r", rule(match(prefix="/hostname-redirect"), filters=[redirect(hostname="example.org")]),
        rule(match(prefix="/status-code-301"), filters=[redirect(statusCode=301)]),
        rule(match(prefix="/host-and-status"), filters=[redirect(hostname="example.org", statusCode=301)]),
        rule(match(prefix="/303"), filters=[redirect(statusCode=303)]),
        rule(match(prefix="/307"), filters=[redirect(statusCode=307)]),
        rule(match(prefix="/308"), filters=[redirect(statusCode=308)]))],
    send("/hostname-redirect", 302, answers={"Location": "http://example.org:PORT/hostname-redirect"}),
    send("/status-code-301", 301, answers={"Location": "http://example.com:PORT/status-code-301"}),
    send("/host-and-status?q=1", 301, answers={"Location": "http://example.org:PORT/host-and-status?q=1"}),
    *[send(f"/{status}", status, answers={"Location": f"http://example.com:PORT/{status}"}, method="POST")
      for status in (303, 307, 308)])

PATHS = {
    "/original-prefix": {"path": prefix("/replacement-prefix")},
    "/full": {"path": full("/full-path-replacement")},
    "/prefix-and-host": {"hostname": "example.org", "path": prefix("/replacement-prefix")},
    "/prefix-and-status": {"path": prefix("/replacement-prefix"), "statusCode": 301},
    "/full-and-host": {"hostname": "example.org", "path": full("/replacement-full")},
    "/full-and-status": {"path": full("/replacement-full"), "statusCode": 301},
    "/strip": {"path": prefix("/")}}
case(
    "HTTPRouteRedirectPath",
    [gateway(), route("r", *[rule(match(prefix=path), filters=[redirect(**made)]) for path,
        made in PATHS.items()])],
    *[send(path, status, answers={"Location": f"http://{host}:PORT{to}"}) for path, status, host, to in (
        ("/original-prefix/lemon", 302, "example.com", "/replacement-prefix/lemon"),
        ("/original-prefix", 302, "example.com", "/replacement-prefix"),
        ("/full/path/original?a=b", 302, "example.com", "/full-path-replacement?a=b"),
        ("/prefix-and-host/lemon", 302, "example.org", "/replacement-prefix/lemon"),
        ("/prefix-and-status/lemon", 301, "example.com", "/replacement-prefix/lemon"),
        ("/full-and-host/lemon", 302, "example.org", "/replacement-full"),
        ("/full-and-status/lemon", 301, "example.com", "/replacement-full"),
        ("/strip/lemon", 302, "example.com", "/lemon"), ("/strip", 302, "example.com", "/"))])

PLACES = {
    "/port": ({"port": 8083}, 302, "http://example.com:8083/port"),
    "/port-and-host": ({"hostname": "example.org", "port": 8083}, 302,
        "http://example.org:8083/port-and-host"),
    "/port-and-status": ({"port": 8083, "statusCode": 301}, 301, "http://example.com:8083/port-and-status"),
    "/port-80": ({"port": 80}, 302, "http://example.com/port-80"),
    "/scheme-http": ({"scheme": "http"}, 302, "http://example.com/scheme-http"),
    "/scheme-https": ({"scheme": "https"}, 302, "https://example.com/scheme-https"),
    "/scheme-and-host": ({"scheme": "https", "hostname": "example.org"}, 302,
        "https://example.org/scheme-and-host"),
    "/scheme-and-status": ({"scheme": "https", "statusCode": 301}, 301,
        "https://example.com/scheme-and-status"),
    "/https-443": ({"scheme": "https", "port": 443}, 302, "https://example.com/https-443"),
    "/https-8443": ({"scheme": "https", "port": 8443}, 302, "https://example.com:8443/https-8443"),
    "/http-443": ({"scheme": "http", "port": 443}, 302, "http://example.com:443/http-443"),
    "/https-80": ({"scheme": "https", "port": 80}, 302, "https://example.com:80/https-80")}
case(
    "HTTPRouteRedirectPortAndScheme",
    [gateway(), route("r", *[rule(match(prefix=path), filters=[redirect(**made)])
                             for path, (made, _, _) in PLACES.items()])],
    *[send(path, status, host="example.com:4711", answers={"Location": location})
      for path, (_, status, location) in PLACES.items()])

case(
    "HTTPRouteRewriteHost",
    [gateway(), route(
        "r", rule(match(prefix="/one"), "v1", filters=[rewrite(hostname="one.example.org")]),
        rule(match(prefix="/two"), "v2", filters=[rewrite(hostname="example.org")]),
        rule(match(prefix="/"), "v3"),
        hosts=["rewrite.example"])],
    send("/one", "v1", host="rewrite.example", sees={"Host": "one.example.org"}),
    send("/two", "v2", host="rewrite.example:80", sees={"Host": "example.org"}),
    send("/", "v3", host="rewrite.example:81", sees={"Host": "rewrite.example:81"}))

REWRITES = {
    "/prefix/one": prefix("/one"), "/strip-prefix": prefix("/"), "/full/one": full("/one"),
    "/slashed/": prefix("/one/"), "/empty": prefix("")}
MORE = headers("RequestHeaderModifier", set={"X-Header-Set": "set"}, add={"X-Header-Add": "add"},
               remove=["X-Header-Remove"])
case(
    "HTTPRouteRewritePath",
    [gateway(), route(
        "r", *[rule(match(prefix=path), "v1", filters=[rewrite(path=to)]) for path, to in REWRITES.items()],
        rule(match(prefix="/full/rewrite-and-modify-headers"), "v1",
            filters=[rewrite(path=full("/test")), MORE]),
        rule(match(prefix="/prefix/rewrite-and-modify-headers"), "v1",
            filters=[rewrite(path=prefix("/prefix")), MORE]),
        rule(match(prefix="/at-backend"), ref("v2", filters=[rewrite(path=prefix("/there"))])))],
    *[send(path, "v1", path=to) for path, to in (
        ("/prefix/one/two", "/one/two"), ("/prefix/one", "/one"), ("/strip-prefix/three", "/three"),
        ("/strip-prefix", "/"), ("/strip-prefix/", "/"), ("/full/one/two", "/one"),
        ("/full/one?q=/x", "/one?q=/x"),
        ("/slashed/two", "/one/two"), ("/empty/two?a", "/two?a"), ("/empty", "/"))],
    *[send(path, "v1", path=to, headers=[("X-Header-Remove", "x"), ("X-Header-Add", "was"),
        ("X-Header-Set", "was")],
           sees={"X-Header-Set": "set", "X-Header-Add": "was, add", "X-Header-Remove": ""})
      for path, to in (("/full/rewrite-and-modify-headers/test", "/test"),
                       ("/prefix/rewrite-and-modify-headers/one", "/prefix/one"))],
    send("/at-backend/x", "v2", path="/there/x"))

case(
    "HTTPRouteWeight",
    [gateway(), route(
        "r", rule(match(prefix="/split"), ref("v1", 70), ref("v2", 30), ref("v3", 0)),
        rule(match(prefix="/tenth"), ref("v1", 90), ref("v2", 10)),
        rule(match(prefix="/even"), "v1", "v2", "v3"),
        rule(match(prefix="/large"), ref("v1", 1000000), ref("v2", 1000000)),
        rule(match(prefix="/none"), ref("v1", 0), ref("v2", 0)))],
    shares("/split", {"v1": 70, "v2": 30, "v3": 0}), shares("/tenth", {"v1": 90, "v2": 10}),
    shares("/even", {"v1": 1, "v2": 1, "v3": 1}), shares("/large", {"v1": 1, "v2": 1}, count=300),
    send("/none", 500), says=["rule 4: has no backend with a weight: its requests get 500"])

case(
    "HTTPRouteInvalidBackendRef",
    [gateway(), route(
        "r", rule(match(prefix="/kind"), ref("v1", group="example.com", kind="NotARealKind")),
        rule(match(prefix="/gone"), "nonexistent"), rule(match(prefix="/port"), ref("v1", port=9999)),
        rule(match(prefix="/half"), ref("v1", 1), ref("nonexistent", 1)), rule(match(prefix="/without")),
        rule(match(prefix="/ok"), "v1"))],
    send("/kind", 500), send("/gone", 500), send("/port", 500), send("/without", 500), send("/ok", "v1"),
    shares("/half", {"v1": 1, 500: 1}), says=["nonexistent:8080 is not there", "v1:9999 is no TCP port"])

case(
    "HTTPRouteReferenceGrant",
    [gateway(), route(
        "r", rule(match(prefix="/app-v1"), ref("app-v1", namespace="app")),
        rule(match(prefix="/app-v2"), ref("app-v2", namespace="app")),
        rule(match(prefix="/both"), ref("app-v1", 1, namespace="app"), ref("app-v2", 1, namespace="app")),
        rule(match(prefix="/web"), ref("web", namespace="web"))),
     grant("app", "shop", name="app-v1"), grant("web", "shop", kind="Gateway"), grant("shop", "shop")],
    send("/app-v1", "app-v1"), send("/app-v2", 500), send("/web", 500),
    shares("/both", {"app-v1": 1, 500: 1}),
    says=["Service app/app-v2:8080 is in another namespace, and no ReferenceGrant there allows it"])

case(
    "HTTPRouteTimeout",
    [gateway(), route(
        "r", rule(match(prefix="/request"), "v1", timeouts={"request": "1s"}),
        rule(match(prefix="/none"), "v1", timeouts={"request": "0s"}),
        rule(match(prefix="/backend"), "v1", timeouts={"request": "10s", "backendRequest": "1s"}),
        rule(match(prefix="/alone"), "v1", timeouts={"backendRequest": "1s"}),
        rule(match(prefix="/open"), "v1", timeouts={"request": "0s", "backendRequest": "1s"}))],
    *[send(f"/{path}", "v1") for path in ("request", "none", "backend", "alone", "open")],
    *[send(f"/{path}?delay=4", 504) for path in ("request", "backend", "alone", "open")],
    send("/none?delay=2", "v1"))

AGAIN = {"codes": [500, 503], "attempts": 2, "backoff": "20ms"}
case(
    "HTTPRouteRetry",
    [gateway(), route(
        "r", rule(match(prefix="/again"), "v1", retry=AGAIN),
        rule(match(prefix="/slow"), "v1", retry=AGAIN, timeouts={"request": "5s", "backendRequest": "300ms"}),
        rule(match(prefix="/"), "v1"))],
    send("/again?fail=503,1", "v1", tries=2), send("/again?fail=500,2", "v1", tries=3),
    send("/again?fail=503,3", 503, tries=3), send("/again?post&fail=503,1", 503, tries=1, method="POST"),
    send("/again?put&fail=503,1", "v1", tries=2, method="PUT"), send("/again?fail=502,1", 502, tries=1),
    send("/once?fail=503,1", 503, tries=1))

case(
    "HTTPRouteNamedRule",
    [gateway(), route("r", rule(match(prefix="/named"), "v1", name="named-rule"),
        rule(match(prefix="/not"), "v2"))],
    send("/named", "v1"), send("/not", "v2"), send("/other", 404))

OLD, NEW = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
case(
    "PrecedenceOfRoutes",
    [gateway(), route("b-old", rule(match(prefix="/time"), "v1"), created=OLD),
     route("a-new", rule(match(prefix="/time"), "v2"), created=NEW),
     route("b-name", rule(match(prefix="/name"), "v2"), created=OLD),
     route("a-name", rule(match(prefix="/name"), "v1"), created=OLD),
     route("order", rule(match(prefix="/order"), "v3"), rule(match(prefix="/order"), "v2")),
     route("more", rule(match(prefix="/more", headers=ONE), "v1"),
         rule(match(prefix="/more", headers=[*ONE, BLUE]), "v2"),
           rule(match(prefix="/more", query=[BLUE]), "v3"))],
    send("/time", "v1"), send("/name", "v1"), send("/order", "v3"), send("/more", "v1", headers=ONE),
    send("/more", "v2", headers=[*ONE, BLUE]), send("/more?color=blue", "v1", headers=ONE),
    send("/more?color=blue", "v3"))

case(
    "PatternsAndPathsAsTheyAre",
    [gateway(), route(
        "r", rule(match(regex="/v[0-9]+/(list|get)"), "v1"), rule(match(regex="/say/.*"), "v2"),
        rule(match(prefix="/a", headers=[("user", "j.*n")], query=[("id", "[0-9]+")],
            patterns=("user", "id")), "v3"),
        rule(match(prefix="/c%20d"), "v1"))],
    send("/v12/list", "v1"), send("/v12/list/more", 404), send("/v/list", 404), send("/v1/get?x=/", "v1"),
    send("/say/hello", "v2"), send("/say", 404), send("/a?id=12", "v3", headers=[("User", "jason")]),
    send("/a?id=12x", 404, headers=[("User", "jason")]), send("/a?id=12", 404, headers=[("User", "jasons")]),
    send("//say/hello", 404), send("/say/%2e%2e/x", "v2", path="/say/%2e%2e/x"), send("/x/../v1/get", 404),
    send("/c%20d/e", "v1", path="/c%20d/e"), send("/c%2520d", 404), send("/%63%20d", 404),
    # Lines of one name are one value.
    send("/a?id=1", 404, headers=[("User", "jason"), ("User", "x")]),
    send("/a?id=1", "v3", headers=[("User", "ja"), ("User", "sn")]))

# The mesh: routes whose parent is a Service, for whoever dials it, whatever host is asked for.
case(
    "MeshBasicAndPorts",
    [route("r", rule(match(prefix="/v1"), "v1"), rule(match(prefix="/v2"), "v2"), parents=[MESH],
        hosts=["ignored.example"])],
    send("/v1", "v1", to="all"), send("/v2", "v2", to="all", host="anything.example"),
    send("/", 404, to="all"),
    send("/v1", "v1", host="all:8080"), send("/v1", "v1", host="all.shop.svc.cluster.local"),
    send("/v1", "v1", host="all"),
    send("/", 404, host="all.shop"), shares("/", {"v1": 1, "v2": 1, "v3": 1}, to="all-more", count=300),
    shares("/v1", {"v1": 1, "v2": 1, "v3": 1}, host="all:8081", count=300), send("/", "v3", host="v3"),
    send("/", 404, host="nobody"))
case(
    "MeshTrafficSplit",
    [route("r", rule(match(headers=[("end-user", "jason")]), "v2", name="jason"),
           rule(None, ref("v1", 90), ref("v2", 10), name="split"), parents=[MESH])],
    shares("/", {"v1": 90, "v2": 10}, to="all"), *[send("/", "v2", headers=[("End-User", "jason")],
        to="all")] * 20)
case(
    "MeshHTTPRouteActions",
    [route(
        "r", rule(match(prefix="/to"), filters=[redirect(hostname="example.org", statusCode=301)]),
        rule(match(prefix="/secure"), filters=[redirect(scheme="https", port=8443)]),
        rule(match(prefix="/cut"), "v1", filters=[rewrite(path=prefix("/"), hostname="else.example")]),
        rule(match(prefix="/head"), "v1", filters=[headers("RequestHeaderModifier", set={"X-Mesh": "yes"})]),
        rule(match(query=[WHALE]), "v3"), parents=[{"group": "", "kind": "Service", "name": "all"}])],
    send("/to/x", 301, to="all", answers={"Location": "http://example.org:PORT/to/x"}),
    send("/secure", 302, to="all", answers={"Location": "https://example.com:8443/secure"}),
    send("/cut/x", "v1", to="all", path="/x", sees={"Host": "else.example"}),
    send("/head", "v1", to="all-more", sees={"X-Mesh": "yes"}), send("/?animal=whale", "v3", to="all"))
case(
    "MeshConsumerRoute",
    [route("r", rule(None, ref("v1", namespace="shop")), parents=[{**MESH, "namespace": "shop"}],
        namespace="web")],
    shares("/", {"v1": 1, "v2": 1, "v3": 1}, to="all", count=300),
    says=["web/r is not in force for Service shop/all:8080: a route for a Service must be in the Service's"])
