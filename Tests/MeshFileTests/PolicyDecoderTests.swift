import KmeshKit
import MeshFile
import Testing

private let head =
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\n"

private func policy(_ spec: String) throws -> Kubernetes.AuthorizationPolicy {
    guard case .authorizationPolicy(let policy) = try decodeOne(head + "spec: \(spec)") else {
        throw Unexpected(what: spec)
    }
    return policy
}

/// The only clause of the only rule.
private func clause(_ rule: String) throws -> [PolicyMatch] {
    let rules = try policy("{rules: [\(rule)]}").rules
    try #require(rules.count == 1 && rules[0].clauses.count == 1, "\(rule)")
    return rules[0].clauses[0]
}

@Suite struct PolicyDecoderTests {
    @Test func readsAPolicyAsPeopleWriteIt() throws {
        let object = try decodeOne(
            """
            apiVersion: security.istio.io/v1beta1
            kind: AuthorizationPolicy
            metadata:
              name: viewer
              namespace: shop
              annotations: {istio.io/dry-run: "true", other: x}
            spec:
              selector:
                matchLabels: {app: ratings, version: v1}
              action: DENY
              rules:
              - from:
                - source: {principals: ["cluster.local/ns/shop/sa/reviews"], namespaces: [shop, "kube-*"]}
                - source: {ipBlocks: [10.0.0.0/8]}
                to:
                - operation: {ports: ["9080", 9081], methods: [GET]}
                when:
                - {key: "request.headers[X-Team]", values: [a, "b*"], notValues: ["*"]}
                - {key: destination.ip, notValues: ["fd00::/64"]}
              - {}
            status: {conditions: [{type: Accepted}]}
            """)
        guard case .authorizationPolicy(let policy) = object else { throw Unexpected(what: "\(object)") }
        #expect(policy.key.description == "AuthorizationPolicy shop/viewer")
        #expect(policy.action == .deny && policy.isDryRun && policy.notices.isEmpty)
        #expect(policy.selector == ["app": "ratings", "version": "v1"] && policy.targets.isEmpty)
        var operation = PolicyMatch()
        operation.destinationPorts.any = [9080, 9081]
        operation.request = RequestMatch()
        operation.request?.methods.any = [.exact("GET")]
        var named = PolicyMatch()
        named.principals.any = [.exact("cluster.local/ns/shop/sa/reviews")]
        named.namespaces.any = [.exact("shop"), .prefix("kube-")]
        var near = PolicyMatch()
        near.sourceBlocks.any = [try #require(IPBlock("10.0.0.0/8"))]
        var header = PolicyMatch()
        header.request = RequestMatch()
        header.request?.headers = [
            .init(name: "x-team", values: Patterns(any: [.exact("a"), .prefix("b")], none: [.present]))
        ]
        var destination = PolicyMatch()
        destination.destinationBlocks.none = [try #require(IPBlock("fd00::/64"))]
        // Operations first, then sources, then conditions.
        #expect(
            policy.rules == [
                PolicyRule(clauses: [[operation], [named, near], [header], [destination]]), PolicyRule(),
            ])
    }

    @Test func whatIsLeftOutHasItsMeaning() throws {
        let nothing = try policy("{}")
        #expect(nothing.action == .allow && !nothing.isDryRun && nothing.rules.isEmpty)
        #expect(nothing.selector == nil && nothing.targets.isEmpty && nothing.namespace == "shop")
        #expect(try policy("{rules: []}").rules.isEmpty)
        #expect(try policy("{rules: [{}]}").rules == [PolicyRule()])
        #expect(try policy("{rules: [{when: []}]}").rules == [PolicyRule()])
        #expect(try policy("{selector: null, targetRefs: []}").notices.isEmpty)
        for selector in ["{}", "{matchLabels: {}}"] {
            let all = try policy("{selector: \(selector)}")
            #expect(all.selector == nil && all.notices.count == 1, "\(selector)")
        }
    }

    @Test func everyFieldOfASource() throws {
        let all = try clause(
            """
            {from: [{source: {principals: [a], notPrincipals: ["*"],
              namespaces: ["n*"], notNamespaces: ["*m"],
              requestPrincipals: [x], notRequestPrincipals: [y], ipBlocks: [1.2.3.4], notIpBlocks: ["::/0"],
              remoteIpBlocks: [10.0.0.0/8], notRemoteIpBlocks: [10.1.0.0/16]}}]}
            """)
        var match = PolicyMatch()
        match.principals = Patterns(any: [.exact("a")], none: [.present])
        match.namespaces = Patterns(any: [.prefix("n")], none: [.suffix("m")])
        match.sourceBlocks = try Patterns(any: [block("1.2.3.4/32")], none: [block("::/0")])
        match.request = RequestMatch()
        match.request?.remoteBlocks = try Patterns(any: [block("10.0.0.0/8")], none: [block("10.1.0.0/16")])
        match.request?.absent = Patterns(any: ["requestPrincipals"], none: ["requestPrincipals"])
        #expect(all == [match])
        let accounts = try clause(
            "{from: [{source: {serviceAccounts: [a, n/b], notServiceAccounts: [m/c]}}]}")
        #expect(
            accounts[0].serviceAccounts
                == Patterns(
                    any: [.init(namespace: "shop", name: "a"), .init(namespace: "n", name: "b")],
                    none: [.init(namespace: "m", name: "c")]))
        #expect(accounts[0].request == nil)
    }

    @Test func everyFieldOfAnOperation() throws {
        let all = try clause(
            """
            {to: [{operation: {hosts: [Web.Example.COM, "*.B.com"], notHosts: ["C.*", "*"],
              ports: ["1", "65535"], notPorts: ["2"], methods: [GET, "P*"], notMethods: [get],
              paths: ["/A*b", "*/c"], notPaths: [/D]}}]}
            """)
        var match = PolicyMatch()
        match.destinationPorts = Patterns(any: [1, 65535], none: [2])
        match.request = RequestMatch()
        match.request?.hosts = Patterns(
            any: [.exact("web.example.com"), .suffix(".b.com")], none: [.prefix("c."), .present])
        match.request?.methods = Patterns(any: [.exact("GET"), .prefix("P")], none: [.exact("get")])
        match.request?.paths = Patterns(any: [.exact("/A*b"), .suffix("/c")], none: [.exact("/D")])
        #expect(all == [match])
        #expect(try clause("{to: [{operation: {notPorts: [\"1\"]}}]}")[0].request == nil)
    }

    @Test func everyConditionOfConnections() throws {
        func condition(_ key: String, _ value: String, _ other: String) throws -> PolicyMatch {
            try clause("{when: [{key: \(key), values: [\(value)], notValues: [\(other)]}]}")[0]
        }
        let blocks = try Patterns(any: [block("10.0.0.0/8")], none: [block("10.0.0.1/32")])
        #expect(try condition("source.ip", "10.0.0.0/8", "10.0.0.1").sourceBlocks == blocks)
        #expect(try condition("destination.ip", "10.0.0.0/8", "10.0.0.1").destinationBlocks == blocks)
        #expect(
            try condition("destination.port", "\"80\"", "81").destinationPorts
                == Patterns(any: [80], none: [81]))
        let texts = Patterns<StringMatch>(any: [.prefix("a")], none: [.exact("b")])
        #expect(try condition("source.namespace", "a*", "b").namespaces == texts)
        #expect(try condition("source.principal", "a*", "b").principals == texts)
        #expect(
            try condition("source.serviceAccount", "a", "n/b").serviceAccounts
                == Patterns(
                    any: [.init(namespace: "shop", name: "a")], none: [.init(namespace: "n", name: "b")]))
        for key in ["source.namespace", "destination.port", "source.principal"] {
            #expect(try condition(key, "1", "2").request == nil, "\(key)")
        }
    }

    @Test func everyConditionOfRequests() throws {
        func request(_ key: String, _ rest: String) throws -> RequestMatch? {
            let match = try clause("{when: [{key: \"\(key)\", \(rest)}]}")[0]
            #expect(match.isEmptyAtL4)
            return match.request
        }
        #expect(try request("remote.ip", "values: [10.0.0.1]")?.remoteBlocks.any.count == 1)
        let header = try request("request.headers[X-A]", "notValues: [b, \"\u{63}*\"]")?.headers
        #expect(header == [.init(name: "x-a", values: Patterns(none: [.exact("b"), .prefix("c")]))])
        for key in [
            "request.auth.principal", "request.auth.audiences", "request.auth.presenter", "connection.sni",
            "request.auth.claims[iss]", "request.auth.claims[a][b]",
        ] {
            #expect(try request(key, "values: [a, b]")?.absent == Patterns(any: [key]), "\(key)")
            #expect(try request(key, "notValues: [a]")?.absent == Patterns(none: [key]), "\(key)")
        }
    }

    @Test func whatNoRequestHasIsNamed() throws {
        let notices = try policy(
            """
            {rules: [{}, {from: [{source: {requestPrincipals: [a, b]}}],
              when: [{key: connection.sni, notValues: [x]}]}]}
            """
        ).notices
        #expect(
            notices == [
                "rule 1: no request has requestPrincipals here: what asks for it never matches",
                "rule 1: no request has connection.sni here: what must not have it always matches",
            ])
    }

    @Test func targetsAreObjectsOfTheNamespace() throws {
        let targets = try policy(
            """
            {targetRefs: [{kind: Service, name: a}, {group: core, kind: Service, name: b, namespace: shop},
              {group: networking.istio.io, kind: ServiceEntry, name: c},
              {group: gateway.networking.k8s.io, kind: Gateway, name: d},
              {group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]}
            """
        ).targets
        #expect(
            targets.map(\.description) == [
                "Service shop/a", "Service shop/b", "ServiceEntry shop/c", "Gateway shop/d",
                "GatewayClass istio-waypoint",
            ])
        #expect(try policy("{targetRef: {group: \"\", kind: Service, name: a}}").targets == [targets[0]])
    }

    private func block(_ text: String) throws -> IPBlock { try #require(IPBlock(text)) }
}

@Suite struct PolicyMistakeTests {
    /// The line is that of the spec, or below it where the spec is written over several lines.
    @Test(arguments: [
        ("null", "spec is missing"), ("{action: AUDIT}", "istio.io/dry-run"),
        ("{action: CUSTOM}", "spec.action CUSTOM is not supported: use ALLOW or DENY"),
        ("{action: REFUSE}", "spec.action must be one of ALLOW, DENY, not REFUSE"),
        ("{action: DENY}", "a DENY without rules denies nothing"),
        ("{action: DENY, rules: []}", "a DENY without rules denies nothing"),
        ("{provider: {name: opa}}", "spec.provider is not supported"),
        ("{selektor: {}}", "spec.selektor: AuthorizationPolicy has no such field; did you mean selector?"),
        ("{selector: {matchExpressions: []}}", "spec.selector.matchExpressions: "),
        ("{selector: {matchLabels: {app: \"a*\"}}}", "must be labels without *, not app: a*"),
        ("{selector: {matchLabels: {\"\": a}}}", "must be labels without *, not : a"),
        ("{selector: {matchLabels: [a]}}", "spec.selector.matchLabels must be a mapping"),
        ("{selector: {}, targetRef: {kind: Service, name: a}}", "more than one of selector"),
        ("{targetRef: {kind: Service, name: a}, targetRefs: [{kind: Service, name: a}]}", "more than one of"),
        ("{targetRef: {name: a}}", "spec.targetRef.kind is missing"),
        ("{targetRef: {kind: Service}}", "spec.targetRef.name is missing"),
        ("{targetRef: {kind: Service, name: \"\"}}", "spec.targetRef.name is empty"),
        ("{targetRef: {kind: Service, name: a, namespace: b}}", "must be the policy's own, shop, not b"),
        ("{targetRef: {kind: Gateway, name: a}}", "not a Gateway of group \"\""),
        ("{targetRef: {kind: Pod, name: a}}", "not a Pod of group \"\""),
        ("{targetRefs: [{kind: Service, name: a}, {kind: Service, name: a}]}", "names Service shop/a twice"),
        ("{targetRefs: [{kind: Service, nam: a}]}", "spec.targetRefs[].nam: "),
        ("{rules: {}}", "spec.rules must be a list"), ("{rules: [null]}", "must be a list of mappings"),
        (
            "{rules: [{form: []}]}",
            "spec.rules[].form: AuthorizationPolicy has no such field; did you mean from?"
        ),
        ("{rules: [{from: []}]}", "spec.rules[].from must not be empty"),
        ("{rules: [{from: null}]}", "spec.rules[].from must not be empty"),
        ("{rules: [{to: []}]}", "spec.rules[].to must not be empty"),
        ("{rules: [{from: [{}]}]}", "spec.rules[].from[].source must not be empty"),
        ("{rules: [{from: [{source: null}]}]}", "spec.rules[].from[].source must not be empty"),
        ("{rules: [{from: [{source: {}}]}]}", "spec.rules[].from[].source must not be empty"),
        ("{rules: [{from: [{source: {principals: []}}]}]}", "source must not be empty: say what it is"),
        ("{rules: [{to: [{operation: {}}]}]}", "spec.rules[].to[].operation must not be empty"),
        ("{rules: [{to: [{operation: {hosts: []}}]}]}", "operation must not be empty: say what it is"),
        ("{rules: [{to: [{operation: {port: []}}]}]}", "did you mean ports?"),
    ])
    func mistakesOfPoliciesAreNamed(spec: String, message: String) {
        expectRefusal("spec: \(spec)", message)
    }

    @Test(arguments: [
        ("trustDomains: [a]", "trustDomains is not supported: use principals"),
        ("notTrustDomains: [a]", "notTrustDomains is not supported: use notPrincipals"),
        ("principals: a", "principals must be a list"), ("principals: [\"\"]", "texts that are not empty"),
        ("notPrincipals: [null]", "texts that are not empty"),
        ("namespaces: [{}]", "texts that are not empty"),
        ("principals: [\"a*b\"]", "principals may have one *, at its beginning or its end"),
        ("notNamespaces: [\"*a*\"]", "notNamespaces may have one *"),
        ("requestPrincipals: [\"a*b\"]", "requestPrincipals may have one *"),
        ("ipBlocks: [web]", "ipBlocks must be IP addresses or CIDRs, not web"),
        ("notIpBlocks: [10.0.0.0/33]", "notIpBlocks must be IP addresses or CIDRs"),
        ("remoteIpBlocks: [\"::/200\"]", "remoteIpBlocks must be"),
        ("notRemoteIpBlocks: [10.0.0.0.0]", "notRemoteIpBlocks must be"),
        ("serviceAccounts: [a/b/c]", "must be name or namespace/name, without *, not a/b/c"),
        ("serviceAccounts: [a/]", "must be name or namespace/name"),
        ("notServiceAccounts: [\"a*\"]", "notServiceAccounts must be name or namespace/name"),
        ("serviceAccounts: [a], namespaces: [b]", "serviceAccounts beside principals or namespaces"),
        ("serviceAccounts: [a], notPrincipals: [b]", "serviceAccounts beside principals or namespaces"),
    ])
    func mistakesOfSourcesAreNamed(source: String, message: String) {
        expectRefusal("spec: {rules: [{from: [{source: {\(source)}}]}]}", "spec.rules[].from[].source")
        expectRefusal("spec: {rules: [{from: [{source: {\(source)}}]}]}", message)
    }

    @Test(arguments: [
        ("ports: [\"0\"]", "ports must be ports from 1 to 65535, not \"0\""),
        ("ports: [\"65536\"]", "from 1 to 65535"), ("notPorts: [http]", "notPorts must be ports"),
        ("ports: [\"080\"]", "from 1 to 65535"), ("ports: [-1]", "from 1 to 65535"),
        ("paths: [\"/a/{*}/b\"]", "path templates are not supported"),
        ("notPaths: [\"/a/{**}\"]", "path templates are not supported"),
        ("hosts: [\"a*b\"]", "hosts may have one *"), ("methods: [\"\"]", "texts that are not empty"),
        ("notMethods: [\"**\"]", "notMethods may have one *"),
    ])
    func mistakesOfOperationsAreNamed(operation: String, message: String) {
        expectRefusal("spec: {rules: [{to: [{operation: {\(operation)}}]}]}", message)
    }

    @Test(arguments: [
        ("values: [a]", "spec.rules[].when[].key is missing"),
        ("key: source.ip", "source.ip has neither values nor notValues"),
        ("key: source.ip, values: []", "has neither values nor notValues"),
        ("key: source.ip, values: a", "values must be a list"),
        ("key: source.ip, values: [a]", "values must be IP addresses or CIDRs"),
        ("key: source.ip, notValues: [a]", "notValues must be IP addresses or CIDRs"),
        ("key: destination.port, values: [http]", "values must be ports from 1 to 65535"),
        ("key: source.namespace, values: [\"\"]", "texts that are not empty"),
        ("key: source.serviceAccount, values: [a/b/c]", "must be name or namespace/name"),
        ("key: source.ipp, values: [a]", "source.ipp is not supported; did you mean source.ip?"),
        ("key: source.trustDomain, values: [a]", "source.trustDomain is not supported; use one of"),
        ("key: \"destination.labels[a]\", values: [b]", "destination.labels[a] is not supported; use one of"),
        ("key: \"experimental.envoy.filters.a.b[c]\", values: [b]", "filters.a.b[c] is not supported; use"),
        ("key: request.auth.issuer, values: [b]", "request.auth.issuer is not supported"),
        ("key: request.headers, values: [b]", "must be written request.headers[name], not request.headers"),
        ("key: \"request.headers[]\", values: [b]", "must be written request.headers[name]"),
        ("key: \"request.headers[a\", values: [b]", "must be written request.headers[name]"),
        ("key: \"request.headers[:path]\", values: [b]", "request.headers[] must have 1 to 256 letters"),
        ("key: request.auth.claims, values: [b]", "must be written request.auth.claims[name]"),
        ("key: source.ip, valves: [b]", "did you mean values?"),
    ])
    func mistakesOfConditionsAreNamed(condition: String, message: String) {
        expectRefusal("spec: {rules: [{when: [{\(condition)}]}]}", message)
    }

    @Test func aMistakeHasItsOwnLine() {
        let spec = """
            spec:
              rules:
              - to:
                - operation:
                    ports:
                    - "80"
                    - "99999"
            """
        expectRefusal(spec, "spec.rules[].to[].operation.ports must be", line: 10)
        expectRefusal("spec:\n  rules:\n  - when:\n    - key: x.y\n      values: [a]", "x.y", line: 7)
        expectRefusal("spec:\n  rules:\n  - from:\n    - source:\n        principal: [a]", "", line: 8)
    }

    @Test(arguments: ["maybe", "\"\"", "1"])
    func aBadAnnotationIsRefused(value: String) {
        let text = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata:
              name: p
              annotations:
                istio.io/dry-run: \(value)
            spec: {}
            """
        let error = #expect(throws: DecodeError.self) { try decodeAll(text) }
        #expect(error?.line == 6 && error?.message.contains("istio.io/dry-run must be \"true\"") == true)
    }

    @Test func versionsAndKindsOfTheGroupAreKnown() throws {
        func decode(_ version: String, _ kind: String) throws -> [ObjectDecoder.Decoded] {
            try decodeAll(
                "apiVersion: security.istio.io/\(version)\nkind: \(kind)\nmetadata: {name: a}\nspec: {}")
        }
        for kind in ["AuthorizationPolicy", "PeerAuthentication"] {
            for version in ["v1", "v1beta1"] {
                guard case .object = try decode(version, kind)[0] else { throw Unexpected(what: kind) }
            }
            #expect(throws: DecodeError.self) { try decode("v1alpha1", kind) }
        }
        #expect(try decode("v1", "RequestAuthentication") == [.skipped(kind: "RequestAuthentication")])
        let error = #expect(throws: DecodeError.self) { try decode("v1", "AuthorisationPolicy") }
        #expect(error?.message.contains("did you mean AuthorizationPolicy?") == true)
    }

    private func expectRefusal(_ spec: String, _ message: String, line: Int = 4) {
        let error = #expect(throws: DecodeError.self, "\(spec)") { try decodeAll(head + spec) }
        #expect(
            error?.line == line || spec.hasSuffix("null") && error?.line == 1, "\(String(describing: error))")
        #expect(error?.message.contains(message) == true, "\(spec): \(String(describing: error))")
        #expect(error?.message.hasPrefix("AuthorizationPolicy shop/p: ") == true, "\(spec)")
    }
}
