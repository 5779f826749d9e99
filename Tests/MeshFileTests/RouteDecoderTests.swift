import KmeshKit
import MeshFile
import Testing

private func route(_ spec: String, version: String = "v1") throws -> Kubernetes.HTTPRoute {
    let text =
        "apiVersion: gateway.networking.k8s.io/\(version)\nkind: HTTPRoute\nmetadata: {name: r}\n"
        + "spec: \(spec)"
    guard case .httpRoute(let route) = try decodeOne(text) else { throw Unexpected(what: text) }
    return route
}

private let manifest = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata:
      name: reviews
      namespace: shop
      creationTimestamp: "2026-01-31T12:00:00Z"
    spec:
      parentRefs:
      - {group: "", kind: Service, name: reviews, port: 9080}
      - {name: front, namespace: edge, sectionName: web}
      hostnames: [reviews.example.com, "*.shop.example.com"]
      rules:
      - name: jason
        matches:
        - headers: [{name: End-User, value: jason}, {name: x, type: RegularExpression, value: "a+"}]
          method: GET
          path: {type: Exact, value: /a/b}
          queryParams: [{name: q, value: "1"}]
        - path: {value: /c/}
        filters:
        - type: RequestHeaderModifier
          requestHeaderModifier:
            set: [{name: X-One, value: "1"}]
            add: [{name: x-two, value: "2"}]
            remove: [X-Three]
        - type: ResponseHeaderModifier
          responseHeaderModifier: {set: [{name: Server, value: kmesh}]}
        - type: URLRewrite
          urlRewrite: {hostname: b.example.com, path: {type: ReplaceFullPath, replaceFullPath: /x}}
        backendRefs:
        - {name: reviews-v2, port: 9080}
        - name: other
          namespace: back
          port: 80
          weight: 0
          filters:
          - type: RequestRedirect
            requestRedirect: {scheme: https, statusCode: 308}
        timeouts: {request: 1m30s, backendRequest: 500ms}
        retry: {codes: [503, 502, 503], attempts: 3, backoff: 100ms}
      - filters: [{type: RequestRedirect, requestRedirect: {hostname: c.example.com, port: 8080}}]
    status: {parents: []}
    """

@Suite struct RouteDecoderTests {
    @Test func readsARouteAsPeopleWriteIt() throws {
        let object = try decodeOne(manifest)
        guard case .httpRoute(let route) = object else { throw Unexpected(what: "\(object)") }
        #expect(route.namespace == "shop" && route.creationTime == 1_769_860_800)
        #expect(
            route.parents.map(\.reference.description) == ["Service shop/reviews:9080", "Gateway edge/front"])
        #expect(route.parents.map(\.section) == [nil, "web"])
        #expect(route.hostnames == ["reviews.example.com", "*.shop.example.com"])
        let first = route.rules[0]
        #expect(
            first.matches == [
                RouteMatch(
                    path: .exact("/a/b"), method: "GET",
                    headers: [
                        NamedMatch(name: "end-user", value: .exact("jason")),
                        NamedMatch(name: "x", value: .regex("a+")),
                    ], queryParameters: [NamedMatch(name: "q", value: .exact("1"))]),
                RouteMatch(path: .prefix("/c")),
            ])
        #expect(
            first.filters.requestHeaders
                == HeaderChanges(
                    set: [HeaderValue(name: "X-One", value: "1")],
                    add: [HeaderValue(name: "x-two", value: "2")], remove: ["x-three"]))
        #expect(first.filters.responseHeaders.set.map(\.name) == ["Server"])
        #expect(first.filters.rewrite == URLRewrite(host: "b.example.com", path: .full("/x")))
        #expect(first.backends.map(\.weight) == [1, 0])
        #expect(first.backends[1].filters.redirect == RedirectAction(scheme: "https", port: 443, status: 308))
        #expect(first.requestTimeout == 90_000 && first.backendTimeout == 500)
        #expect(first.retry == RetryPolicy(attempts: 3, codes: [503, 502], backoff: 100))
        #expect(route.rules[1].filters.redirect == RedirectAction(host: "c.example.com", port: 8080))
        #expect(route.rules[1].matches == [RouteMatch()])
    }

    @Test func fillsInDefaults() throws {
        let plain = try route("{parentRefs: [{name: g}]}", version: "v1beta1")
        #expect(plain.rules == [Kubernetes.HTTPRoute.Rule()] && plain.creationTime == nil)
        #expect(
            plain.parents[0].reference.kind == "Gateway" && plain.parents[0].reference.namespace == "default")
        let zero = try route("{rules: [{timeouts: {request: 0s, backendRequest: 5s}, retry: {attempts: 0}}]}")
        #expect(zero.rules[0].requestTimeout == nil && zero.rules[0].backendTimeout == 5000)
        #expect(zero.rules[0].retry == nil)
        #expect(try route("{rules: [{retry: {}}]}").rules[0].retry == RetryPolicy())
        let same = try route(
            "{rules: [{matches: [{headers: [{name: A, value: x}, {name: a, value: y}]}]}]}")
        #expect(same.rules[0].matches[0].headers == [NamedMatch(name: "a", value: .exact("x"))])
        #expect(
            same.notices == [
                "rule 0: headers names a again, and only the first one counts: remove the others"
            ])
    }

    @Test(arguments: [
        ("/xyz", "/xyz"), ("/xyz/", "/xyz"), ("/", ""), ("\"\"", ""),
    ])
    func aReplacementOfAPrefixHasNoFinalSlash(text: String, prefix: String) throws {
        let read = try route(
            """
            {rules: [{matches: [{path: {value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path:
              {type: ReplacePrefixMatch, replacePrefixMatch: \(text)}}}]}]}
            """)
        #expect(read.rules[0].filters.rewrite?.path == .prefix(prefix))
    }

    static let mistakes: [(String, String)] = [
        ("{ruels: []}", "spec.ruels: HTTPRoute has no such field; did you mean rules?"),
        (rule("matches: [{path: {type: Prefix, value: /}}]"), "must be one of Exact, PathPrefix, Regular"),
        (rule("matches: [{path: {value: a}}]"), "matches[].path.value must begin with /, not a"),
        (rule("matches: [{path: {value: /a//b}}]"), "must not contain //"),
        (rule("matches: [{path: {value: /a/../b}}]"), "must not contain /../"),
        (rule("matches: [{path: {value: /a%2fb}}]"), "must not contain %2f"),
        (rule("matches: [{path: {value: /a/..}}]"), "must not end with /. or /.."),
        (rule("matches: [{path: {value: \"/a b\"}}]"), "has a character that a path cannot have"),
        (rule("matches: [{path: {value: \"/a?b\"}}]"), "has a character that a path cannot have"),
        (rule("matches: [{path: {value: /a%g0}}]"), "has a character that a path cannot have"),
        (
            rule("matches: [{path: {type: RegularExpression, value: \"/(a\"}}]"),
            "matches[].path.value must be a pattern of RE2, not \"/(a\": a ( without its ), at byte 4"
        ),
        (
            rule("matches: [{headers: [{name: a, type: RegularExpression, value: \"(?=a)\"}]}]"),
            "headers[].value must be a pattern of RE2, not \"(?=a)\": lookahead is not supported"
        ),
        (rule("matches: [{method: get}]"), "must be one of GET, HEAD"),
        (rule("matches: [{headers: [{name: \"a b\", value: x}]}]"), "headers[].name must have 1 to 256"),
        (rule("matches: [{headers: [{name: a}]}]"), "headers[].value is missing"),
        (rule("filters: [{type: RequestMirror, requestMirror: {}}]"), "requestMirror is not supported"),
        (rule("filters: [{type: CORS}]"), "CORS is not supported: remove the filter"),
        (rule("filters: [{type: ExtensionRef, extensionRef: {name: a}}]"), "extensionRef is not supported"),
        (rule("filters: [{type: Rewrite}]"), "must be one of RequestHeaderModifier, ResponseHeaderModifier"),
        (rule("filters: [{type: URLRewrite}]"), "filters[].urlRewrite is missing"),
        (rule("filters: [{type: URLRewrite, requestRedirect: {}}]"), "has requestRedirect, and its type is"),
        (
            rule("filters: [{type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]"),
            "has URLRewrite twice"
        ),
        (
            rule(
                "filters: [{type: URLRewrite, urlRewrite: {}}, "
                    + "{type: RequestRedirect, requestRedirect: {}}]"),
            "has RequestRedirect and URLRewrite"
        ),
        (
            rule(
                "filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a, port: 1}]"),
            "has a RequestRedirect filter and backendRefs"
        ),
        (
            rule(
                "matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: "
                    + "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]"),
            "its rule must have one match, with a PathPrefix"
        ),
        (
            rule(
                "backendRefs: [{name: a, port: 1, filters: [{type: RequestRedirect, requestRedirect: "
                    + "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}], "
                    + "matches: [{}, {}]"),
            "its rule must have one match, with a PathPrefix"
        ),
        (rule(redirect("statusCode: 304")), "statusCode must be one of 301, 302, 303, 307, 308, not 304"),
        (rule(redirect("scheme: ftp")), "must be one of http, https, not ftp"),
        (rule(redirect("hostname: \"a.b/c\"")), "must be a host name in lower case"),
        (rule(redirect("path: {type: ReplaceFullPath, replaceFullPath: \"/a\\nb\"}")), "a path cannot have"),
        (rule(redirect("path: {type: ReplaceFullPath}")), "replaceFullPath is missing"),
        (rule(setting("{name: a, value: \"x\\r\\ny: z\"}")), "set[].value has a control character"),
        (rule(setting("{name: a, value: \"x\\0\"}")), "set[].value has a control character"),
        (rule(setting("{name: \"a:\", value: x}")), "set[].name must have 1 to 256 letters"),
        (
            rule(setting("{name: Content-Length, value: \"1\"}")),
            "Content-Length cannot be changed: remove it"
        ),
        (rule(setting("{name: Host, value: a}")), "Host cannot be changed: use URLRewrite.hostname"),
        (rule(setting("{name: a, value: x}, {name: A, value: y}")), "A is changed twice"),
        (rule("backendRefs: [{name: a}]"), "backendRefs[].port is missing"),
        (rule("backendRefs: [{name: a, port: 1, weight: -1}]"), "weight must be a number from 0 to 1000000"),
        (rule("sessionPersistence: {type: Cookie}"), "sessionPersistence is not supported"),
        (rule("timeouts: {request: 10}"), "must be a duration such as 10s, 1m30s or 500ms, not 10"),
        (rule("timeouts: {request: 1.5s}"), "must be a duration"),
        (rule("timeouts: {request: 99999h}"), "must be at most 1193h"),
        (rule("timeouts: {request: 1s, backendRequest: 2s}"), "backendRequest is longer than request"),
        (rule("retry: {codes: [200]}"), "codes must be a number from 400 to 599"),
        (rule("name: a}, {name: a"), "spec.rules has two \"a\""),
        ("{hostnames: [10.0.0.1]}", "must be a host name"),
        ("{hostnames: [\"a.*.b\"]}", "must be a host name in lower case, or *. and one"),
        ("{parentRefs: [{kind: Service, group: \"\", name: a, sectionName: b}]}", "use port"),
        ("{parentRefs: [{name: a}, {name: a}]}", "names Gateway default/a twice"),
        ("{parentRefs: [{kind: Service}]}", "parentRefs[].name is missing"),
    ]

    private static func rule(_ text: String) -> String { "{rules: [{\(text)}]}" }
    private static func redirect(_ text: String) -> String {
        "filters: [{type: RequestRedirect, requestRedirect: {\(text)}}]"
    }
    private static func setting(_ text: String) -> String {
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [\(text)]}}]"
    }

    @Test(arguments: mistakes)
    func mistakesAreNamed(spec: String, message: String) {
        let error = #expect(throws: DecodeError.self) { try route(spec) }
        #expect(error?.line == 4)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test func aTimestampMustBeOne() {
        let text =
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
            + "metadata: {name: r, creationTimestamp: yesterday}\nspec: {}"
        let error = #expect(throws: DecodeError.self) { try decodeAll(text) }
        #expect(error?.message.contains("must be a time such as 2026-01-31T12:00:00Z") == true)
    }

    @Test(
        arguments: [
            ("{name: http, port: 80}", .http), ("{name: http-web, port: 80}", .http),
            ("{name: HTTP-web, port: 80}", .http), ("{name: httpx, port: 80}", .detect),
            ("{name: http2-web, port: 80}", .tcp), ("{name: grpc, port: 80}", .tcp),
            ("{name: grpc-web-a, port: 80}", .http), ("{name: tls-x, port: 80}", .tcp),
            ("{name: mysql, port: 80}", .tcp), ("{name: web, port: 80}", .detect),
            ("{port: 80}", .detect), ("{name: tcp, port: 80, appProtocol: http}", .http),
            ("{name: http, port: 80, appProtocol: kubernetes.io/h2c}", .tcp),
            ("{name: http, port: 80, appProtocol: kubernetes.io/ws}", .http),
            ("{name: http, port: 80, appProtocol: example.com/own}", .http),
            ("{name: http, port: 80, protocol: UDP}", .detect),
        ] as [(String, ApplicationProtocol)])
    func portsDeclareTheirProtocol(port: String, expected: ApplicationProtocol) throws {
        let object = try decodeOne(
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [\(port)]}")
        guard case .service(let service) = object else { throw Unexpected(what: port) }
        #expect(service.ports.map(\.applicationProtocol) == [expected])
    }
}
