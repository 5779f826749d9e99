import Testing

@testable import KmeshKit

extension Kubernetes.Object {
    static func aRoute(
        _ name: String = "r", in namespace: String = "default", to parents: [String] = ["web"],
        hostnames: [String] = [], backends: [String] = ["web"],
        _ change: (inout Kubernetes.HTTPRoute) -> Void = { _ in }
    ) -> Kubernetes.Object {
        var route = Kubernetes.HTTPRoute(
            namespace: namespace, name: name,
            parents: parents.map { .init(.init(namespace: namespace, name: $0)) }, hostnames: hostnames,
            rules: [.init(backends: backends.map { .init(.init(namespace: namespace, name: $0, port: 80)) })])
        change(&route)
        return .httpRoute(route)
    }

    static func aGateway(_ listeners: [Kubernetes.Gateway.Listener]) -> Kubernetes.Object {
        .gateway(
            Kubernetes.Gateway(namespace: "default", name: "g", className: "kmesh", listeners: listeners))
    }
}

extension MeshState {
    func routes(of service: String, port: UInt16 = 80, in namespace: String = "default") -> [VirtualHost]? {
        let key = ServiceKey(namespace: namespace, hostname: "\(service).\(namespace).svc.cluster.local")
        return virtualHosts(.service(key, port: port))
    }

    func virtualHosts(_ key: RouteConfigurationKey) -> [VirtualHost]? {
        guard case .routes(let routes) = resources[.routes(key)] else { return nil }
        return routes.virtualHosts
    }
}

private func backends(_ route: Route?) -> [String] {
    guard case .forward(let action)? = route?.action else { return [] }
    return action.backends.map { "\($0.backend.map { "\($0)" } ?? "-")*\($0.weight)" }
}

private func toGateway(_ route: inout Kubernetes.HTTPRoute, section: String? = nil, port: UInt16? = nil) {
    route.parents = [
        .init(
            .init(
                group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "default", name: "g",
                port: port), section: section)
    ]
}

@Suite struct RouteTranslationTests {
    private let web = "default/web.default.svc.cluster.local"

    @Test func aRouteOfAServiceTakesItsTCPPorts() throws {
        var mesh = try Mesh([
            .aService(ports: [
                .init(port: 80), .init(port: 81), .init(port: 82, transport: .udp),
            ]), .aRoute(hostnames: ["ignored.example.com"]),
        ])
        let hosts = try #require(mesh.state.routes(of: "web"))
        #expect(hosts.map(\.domains) == [[.any]] && hosts[0].routes.map(\.name) == ["default/r/0"])
        #expect(backends(hosts[0].routes.first) == ["\(web):80*1"])
        #expect(mesh.state.routes(of: "web", port: 81) == hosts)
        #expect(mesh.state.routes(of: "web", port: 82) == nil)
        try mesh.put([.aRoute { $0.parents[0].reference.port = 81 }])
        #expect(mesh.state.routes(of: "web") == nil && mesh.state.routes(of: "web", port: 81) != nil)
        try mesh.put([], removing: [.init(.httpRoute, namespace: "default", name: "r")])
        #expect(mesh.state.routes(of: "web", port: 81) == nil && mesh.translator.objectCount == 1)
    }

    @Test func whatARouteRefersToMayComeAndGo() throws {
        var mesh = try Mesh()
        let first = try mesh.put([.aRoute(backends: ["web", "v2"])])
        #expect(
            first.warnings.map(\.description) == [
                "HTTPRoute default/r is not in force for Service default/web: there is no such Service",
                "HTTPRoute default/r rule 0: the backend Service default/web:80 is not there: its share of "
                    + "the requests gets 500",
                "HTTPRoute default/r rule 0: the backend Service default/v2:80 is not there: its share of "
                    + "the requests gets 500",
            ])
        #expect(mesh.state.resources.isEmpty)
        let second = try mesh.put([.aService()])
        #expect(second.warnings.map(\.message).count { $0.contains("v2:80 is not there") } == 1)
        #expect(backends(mesh.state.routes(of: "web")?[0].routes[0]) == ["\(web):80*1", "-*1"])
        let third = try mesh.put([.aService("v2", at: ["172.16.0.2"])])
        #expect(third.warnings.isEmpty)
        #expect(backends(mesh.state.routes(of: "web")?[0].routes[0]).contains("-*1") == false)
        // A change that routes do not see changes none.
        let same = try mesh.put([.aService("v2", at: ["172.16.0.3"])])
        #expect(same.changes.count == 1)
        let gone = try mesh.put([], removing: [.init(.service, namespace: "default", name: "v2")])
        #expect(gone.warnings.count == 1 && gone.changes.count == 2)
        try mesh.put([], removing: [.init(.service, namespace: "default", name: "web")])
        #expect(mesh.state.resources.isEmpty)
    }

    @Test func invalidReferencesAreNamed() throws {
        let cases: [((inout Kubernetes.HTTPRoute) -> Void, String)] = [
            ({ $0.rules[0].backends[0].reference.port = 81 }, "Service default/web:81 is no TCP port"),
            (
                { $0.rules[0].backends[0].reference.kind = "Hostname" },
                "Hostname default/web:80 is no Service"
            ),
            ({ $0.rules[0].backends[0].weight = 0 }, "has no backend with a weight"),
            ({ $0.rules[0].backends = [] }, "has no backend with a weight"),
            ({ $0.parents = [] }, "has no parentRefs"),
            ({ $0.parents[0].reference.kind = "Pod" }, "for Pod default/web: a parent is a Service or"),
            ({ $0.parents[0].reference.namespace = "b" }, "must be in the Service's own namespace"),
            ({ $0.parents[0].reference.port = 81 }, "the Service has no such TCP port"),
            ({ $0.notices = ["notice"] }, "notice"),
        ]
        for (change, message) in cases {
            var mesh = try Mesh([.aService()])
            let warnings = try mesh.put([.aRoute("r", change)]).warnings.map(\.description)
            #expect(warnings.count { $0.contains(message) } == 1, "\(message): \(warnings)")
        }
        let mesh = try Mesh([.aService(), .aRoute { $0.rules[0].backends[0].weight = 0 }])
        #expect(mesh.state.routes(of: "web")?[0].routes[0].action == .respond(status: 500))
    }

    @Test func otherNamespacesMustGrantReferences() throws {
        let route = Kubernetes.Object.aRoute { $0.rules[0].backends[0].reference.namespace = "back" }
        let service = try Kubernetes.Object.aService(at: ["172.16.0.2"]) { $0.namespace = "back" }
        var mesh = try Mesh([.aService(), service, route])
        func target() -> [String] { backends(mesh.state.routes(of: "web")?[0].routes[0]) }
        #expect(target() == ["-*1"])
        func grant(
            from: String = "default", kind: String = "HTTPRoute", to name: String?
        ) -> Kubernetes.Object {
            .referenceGrant(
                .init(
                    namespace: "back", name: "g",
                    sources: [.init(group: "gateway.networking.k8s.io", kind: kind, namespace: from)],
                    targets: [.init(kind: "Service", name: name)]))
        }
        for useless in [grant(from: "other", to: nil), grant(kind: "GRPCRoute", to: nil), grant(to: "x")] {
            try mesh.put([useless])
            #expect(target() == ["-*1"])
        }
        for useful in [grant(to: nil), grant(to: "web")] {
            try mesh.put([useful])
            #expect(target() == ["back/web.back.svc.cluster.local:80*1"])
        }
        try mesh.put([], removing: [.init(.referenceGrant, namespace: "back", name: "g")])
        #expect(target() == ["-*1"])
    }

    @Test func listenersChooseRoutesByHost() throws {
        var mesh = try Mesh([
            .aService(),
            .aGateway([
                .init(name: "any", port: 80, protocolName: "HTTP"),
                .init(name: "wild", hostname: "*.example.com", port: 81, protocolName: "HTTP"),
                .init(name: "one", hostname: "a.example.com", port: 82, protocolName: "HTTP"),
                .init(name: "tls", port: 443, protocolName: "HTTPS"),
            ]),
        ])
        func domains(_ listener: String) -> [DomainPattern]? {
            mesh.state.virtualHosts(.gateway(namespace: "default", name: "g", listener: listener))?
                .flatMap(\.domains)
        }
        try mesh.put([.aRoute { toGateway(&$0) }])
        #expect(domains("any") == [.any] && domains("wild") == [.suffix(".example.com")])
        #expect(domains("one") == [.exact("a.example.com")] && domains("tls") == nil)
        try mesh.put([
            .aRoute(hostnames: ["*.com", "b.example.com", "x.org"]) { toGateway(&$0) }
        ])
        #expect(domains("any") == [.exact("b.example.com"), .exact("x.org"), .suffix(".com")])
        #expect(domains("wild") == [.exact("b.example.com"), .suffix(".example.com")])
        #expect(domains("one") == [.exact("a.example.com")])
        try mesh.put([.aRoute(hostnames: ["example.com"]) { toGateway(&$0) }])
        #expect(domains("wild") == nil && domains("one") == nil && domains("any") != nil)
        for (section, port, message) in [
            ("one", nil, "no hostname of the route"), ("tls", nil, "its protocol must be HTTP"),
            ("none", nil, "no such listener"), ("any", 81, "no such listener"),
        ] as [(String, UInt16?, String)] {
            let translation = try mesh.put([
                .aRoute(hostnames: ["example.com"]) { toGateway(&$0, section: section, port: port) }
            ])
            #expect(translation.warnings.contains { $0.message.contains(message) }, "\(section)")
        }
        let other = try mesh.put([.aRoute(in: "b") { toGateway(&$0) }])
        #expect(other.warnings.contains { $0.message.contains("takes no routes of other namespaces") })
        try mesh.put([.aGateway([.init(name: "any", port: 80, protocolName: "HTTP", routeNamespaces: .all)])])
        #expect(domains("any") == [.any])
    }

    @Test func theOrderIsThatOfTheSpecification() throws {
        func match(_ path: PathMatch, _ change: (inout RouteMatch) -> Void = { _ in }) -> RouteMatch {
            var match = RouteMatch(path: path)
            change(&match)
            return match
        }
        let one = NamedMatch(name: "a", value: .exact("x"))
        // Each is after all before it.
        let ordered: [(RouteMatch, Int64?, String)] = [
            (match(.exact("/")), nil, "m"), (match(.prefix("/abc")), nil, "m"),
            (match(.prefix("/a")) { $0.method = "GET" }, nil, "m"),
            (match(.prefix("/a")) { $0.headers = [one, one] }, nil, "m"),
            (
                match(.prefix("/a")) {
                    $0.headers = [one]; $0.queryParameters = [one]
                }, nil, "m"
            ),
            (match(.prefix("/a")) { $0.headers = [one] }, nil, "m"),
            (match(.prefix("/a")) { $0.queryParameters = [one] }, nil, "m"),
            (match(.prefix("/a")), 5, "z"), (match(.prefix("/a")), 6, "a"), (match(.prefix("/a")), nil, "b"),
            (match(.prefix("/a")), nil, "c"), (match(.prefix("/")), 1, "a"), (match(.regex("/a.*")), 1, "a"),
        ]
        let routes = ordered.enumerated().map { index, part in
            Kubernetes.Object.aRoute("\(part.2)-\(index)") { route in
                route.creationTime = part.1
                route.rules[0].matches = [part.0]
            }
        }
        let mesh = try Mesh([.aService()] + routes.reversed())
        let found = mesh.state.routes(of: "web")?[0].routes.map(\.match)
        #expect(found == ordered.map(\.0))
        // Within one route the first rule is before the second.
        let rules = try Mesh([
            .aService(),
            .aRoute { $0.rules = [.init(name: "b"), .init(name: "a"), .init()] },
        ])
        #expect(
            rules.state.routes(of: "web")?[0].routes.map(\.name) == [
                "default/r/b", "default/r/a", "default/r/2",
            ])
    }

    @Test func lessSpecificHostsTakeWhatIsLeft() throws {
        let mesh = try Mesh([
            .aService(), .aGateway([.init(name: "any", port: 80, protocolName: "HTTP")]),
            .aRoute("exact", hostnames: ["a.b.com"]) {
                toGateway(&$0)
                $0.rules[0].matches = [RouteMatch(path: .regex("/x"))]
            },
            .aRoute("wild", hostnames: ["*.com", "*.b.com"]) { toGateway(&$0) },
            .aRoute("all") {
                toGateway(&$0)
                $0.rules[0].matches = [RouteMatch(path: .exact("/x"))]
            },
        ])
        let hosts = try #require(
            mesh.state.virtualHosts(.gateway(namespace: "default", name: "g", listener: "any")))
        let shown = hosts.map { host in
            "\(host.domains[0]): " + host.routes.map { String($0.name.dropFirst(8)) }.joined(separator: " ")
        }
        #expect(
            shown == [
                "exact(\"a.b.com\"): exact/0 wild/0 all/0", "suffix(\".b.com\"): wild/0 all/0",
                "suffix(\".com\"): wild/0 all/0", "any: all/0",
            ])
    }

    @Test func aRefusedStepLeavesRoutesAsTheyWere() throws {
        var mesh = try Mesh([.aService(), .aRoute()])
        let before = mesh.state
        #expect(throws: TranslationError.self) {
            try mesh.put(
                [.aService("two"), .aRoute(backends: ["two"]), .aRoute("new")],
                removing: [.init(.gateway, namespace: "default", name: "g")])
        }
        #expect(mesh.state == before && mesh.translator.objectCount == 2)
        #expect(mesh.translator.origin(of: .init(.httpRoute, namespace: "default", name: "new")) == nil)
        let change = try mesh.put([.aRoute("other")])
        #expect(change.changes.count == 1)
        #expect(mesh.state.routes(of: "web")?[0].routes.map(\.name) == ["default/other/0", "default/r/0"])
    }

    @Test func annotationsChooseAmongEndpoints() throws {
        let cases: [((inout Kubernetes.Service) -> Void, UpstreamPolicy)] = [
            ({ _ in }, .leastRequest), ({ $0.affinityTimeout = 10 }, .sourceHash),
            (
                {
                    $0.affinityTimeout = 10; $0.upstreamPolicy = .roundRobin
                }, .roundRobin
            ),
        ]
        for (change, policy) in cases {
            #expect(try Mesh([.aService("web", change)]).state.service("web")?.upstreamPolicy == policy)
        }
    }
}
