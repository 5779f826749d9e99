import CKmeshABI
import KmeshKit
import Testing

@testable import KernelNativeEngine

/// Listeners with filter chains: what becomes of them, and what is refused.
@Suite struct ListenerTests {
    private func listener(
        _ chains: [FilterChain], _ name: String = "l", _ address: String = "0.0.0.0"
    ) throws -> Listener {
        Listener(name: name, address: try #require(IPAddress(address)), port: 80, filterChains: chains)
    }

    private func http(_ match: FilterChainMatch = FilterChainMatch(), _ name: String = "web") -> FilterChain {
        FilterChain(name: "http", match: match, action: .http(routeConfiguration: name))
    }

    private func tcp(
        _ match: FilterChainMatch = FilterChainMatch(), _ clusters: [(String, UInt32)] = [("c1", 1)]
    ) -> FilterChain {
        FilterChain(
            name: "tcp", match: match,
            action: .tcp(clusters.map { WeightedBackend(backend: .cluster($0.0), weight: $0.1) }))
    }

    private func web(_ cluster: String = "c1") -> RouteConfiguration {
        RouteConfiguration(
            key: .named("web"),
            virtualHosts: [
                host(
                    [.any],
                    [
                        Route(
                            name: "all",
                            action: .forward(
                                ForwardAction(backends: [WeightedBackend(backend: .cluster(cluster))])))
                    ])
            ])
    }

    private func rig(_ changes: [ResourceChange<MeshResource>] = []) throws -> Rig {
        var rig = Rig()
        try rig.apply(["c1", "c2", "c3"].map { put(cluster: $0) } + [put(web())])
        if !changes.isEmpty { #expect(try rig.apply(changes).isEmpty) }
        return rig
    }

    private func id(_ rig: Rig, _ cluster: String, _ family: AddressFamily = .v4) -> UInt32 {
        rig.ports.ids[ServicePortReference(.cluster(cluster), family)] ?? 0
    }

    private func value(_ rig: Rig, _ address: String = "0.0.0.0") throws -> ListenerValue {
        let key = FrontendKey(address: try #require(IPAddress(address)), port: 80, transport: .tcp)
        return try #require(rig.maps.listeners.value(of: key))
    }

    @Test func oneChainIsTheListenersOwn() throws {
        let rig = try rig([put(try listener([http()])), put(try listener([tcp()], "six", "::"))])
        #expect(try value(rig).chainCount == 0)
        #expect(try rig.decide("0.0.0.0") == .shares([.init(id: id(rig, "c1"), weight: 1)]))
        #expect(try value(rig).serviceID == id(rig, "c1"), "where the last route leads")
        #expect(try rig.decide("::") == .shares([.init(id: id(rig, "c1", .v6), weight: 1)]))
        #expect(rig.maps.chains.count == 0)
        #expect(try rig.verify() == [])
    }

    @Test func sharesOfConnections() throws {
        let rig = try rig([put(try listener([tcp(FilterChainMatch(), [("c1", 2), ("c2", 2), ("c3", 0)])]))])
        #expect(
            try rig.decide("0.0.0.0")
                == .shares([.init(id: id(rig, "c1"), weight: 1), .init(id: id(rig, "c2"), weight: 1)]))
        #expect(try value(rig).serviceID == 0)
    }

    @Test func theNarrowestRangeOfClientsCounts() throws {
        func from(_ blocks: String...) -> FilterChainMatch {
            FilterChainMatch(sourcePrefixes: blocks.compactMap { IPBlock($0) })
        }
        let rig = try rig([
            put(
                try listener([
                    tcp(from("10.0.0.0/8")), tcp(from("10.1.0.0/16", "192.168.0.0/16"), [("c2", 1)]),
                    http(from("10.1.2.0/24")),
                ]))
        ])
        #expect(try value(rig).chainCount == 4)
        let cases = [
            ("10.1.2.3", "c1"), ("10.1.9.9", "c2"), ("192.168.1.1", "c2"), ("10.200.0.1", "c1"),
        ]
        for (client, cluster) in cases {
            #expect(
                try rig.decide("0.0.0.0", client: client)
                    == .shares([.init(id: id(rig, cluster), weight: 1)]),
                "\(client)")
        }
        #expect(try rig.decide("0.0.0.0", client: "11.0.0.1") == .refused(KMESH_REASON_NO_CHAIN))
    }

    @Test func requestsAndStreamsAreToldApart() throws {
        let match = FilterChainMatch(
            transportProtocol: .rawBuffer, applicationProtocols: ["http/1.1", "h2c"])
        var rig = try rig([put(try listener([http(match), tcp(FilterChainMatch(), [("c2", 1)])]))])
        #expect(try value(rig).serviceID == id(rig, "c2"))
        #expect(try value(rig).action == KMESH_ACTION_ROUTE.rawValue)
        // What is encrypted is a stream too.
        let tls = FilterChainMatch(transportProtocol: .tls)
        #expect(try rig.apply([put(try listener([http(match), tcp(tls, [("c2", 1)])]))]).isEmpty)
        #expect(try value(rig).serviceID == id(rig, "c2"))
    }

    @Test func whatTheKernelCannotTellApartIsRefused() throws {
        let tls = FilterChainMatch(transportProtocol: .tls)
        let own = FilterChainMatch(applicationProtocols: ["mysql"])
        let http1 = FilterChainMatch(applicationProtocols: ["http/1.1", "http/1.0"])
        let cases: [[FilterChain]] = [
            [tcp(tls), tcp(FilterChainMatch(), [("c2", 1)])], [tcp(tls), http(), tcp(own, [("c2", 1)])],
            [tcp(tls)], [tcp(own), tcp(FilterChainMatch(), [("c2", 1)])],
            [http(http1), tcp(FilterChainMatch(), [("c1", 1), ("c2", 1)])],
            [http(FilterChainMatch(applicationProtocols: ["http/1.0"])), tcp()],
            [http(FilterChainMatch(applicationProtocols: ["h2"]))],
        ]
        for chains in cases {
            var rig = try rig([put(try listener([tcp()]))])
            let rejected = try rig.apply([put(try listener(chains))])
            let reason = try #require(rejected.first?.reason, "\(chains)")
            #expect(reason.contains("filter chain") && reason.contains("let one"), "\(reason)")
            #expect(try rig.decide("0.0.0.0") == .shares([.init(id: id(rig, "c1"), weight: 1)]))
            #expect(try value(rig).action == KMESH_ACTION_SERVICE.rawValue, "what ran before stays")
        }
        // What comes to the same needs not be told apart.
        var rig = try rig()
        #expect(try rig.apply([put(try listener([tcp(tls), tcp(own), tcp()]))]).isEmpty)
        #expect(try rig.apply([put(try listener([]))]).isEmpty)
        #expect(try rig.decide("0.0.0.0") == .refused(KMESH_REASON_NO_CHAIN))
    }

    @Test func listenersWaitForTheirRoutes() throws {
        var rig = try rig([put(try listener([tcp()]))])
        #expect(try rig.apply([put(try listener([http(FilterChainMatch(), "later")]))]).isEmpty)
        #expect(rig.dataplane.waiting["l"]?.contains("RouteConfiguration later") == true)
        #expect(try value(rig).action == KMESH_ACTION_SERVICE.rawValue)
        var later = web("c2")
        later.key = .named("later")
        try rig.apply([put(later)])
        #expect(rig.dataplane.waiting.isEmpty)
        #expect(try rig.decide("0.0.0.0") == .shares([.init(id: id(rig, "c2"), weight: 1)]))
        // They go on with routes that are gone, and follow the clusters' ids.
        try rig.apply([.remove(.routes(.named("later"))), .remove(.cluster("c2"))])
        #expect(try rig.decide("0.0.0.0") == .refused(KMESH_REASON_NO_BACKEND))
        try rig.apply([put(cluster: "c2")])
        #expect(try rig.decide("0.0.0.0") == .shares([.init(id: id(rig, "c2"), weight: 1)]))
        try rig.apply([.remove(.listener("l"))])
        rig.settle()
        #expect(rig.count == 0)
    }

    @Test func addressesBelongToOne() throws {
        var rig = try rig([put(try listener([tcp()], "b", "10.0.0.9"))])
        var rejected = try rig.apply([
            put(try listener([tcp(FilterChainMatch(), [("c2", 1)])], "a", "10.0.0.9"))
        ])
        #expect(rejected.first?.reason.contains("which Listener b has") == true, "\(rejected)")
        #expect(try rig.decide("10.0.0.9") == .shares([.init(id: id(rig, "c1"), weight: 1)]))
        try rig.apply([.remove(.listener("b"))])
        #expect(try rig.decide("10.0.0.9") == .shares([.init(id: id(rig, "c2"), weight: 1)]))
        // A service takes its address, with routes or without.
        try rig.apply([put(service("s", ["10.0.0.9"]))])
        #expect(try rig.decide("10.0.0.9") == .notAListener)
        rejected = try rig.apply([put(try listener([tcp()], "a", "10.0.0.9"))])
        #expect(rejected.first?.reason.contains("which is a Service's") == true, "\(rejected)")
        try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to("s"))])]))])
        #expect(try rig.decide("10.0.0.9") == rig.all("s"))
        try rig.apply([drop(service: "s")])
        try rig.apply([])
        #expect(try rig.decide("10.0.0.9") == .shares([.init(id: id(rig, "c1"), weight: 1)]))
    }

    @Test func referencesAreWhatL4HasToKeep() throws {
        var rig = try rig([put(try listener([http(), tcp(FilterChainMatch(applicationProtocols: ["h2"]))]))])
        #expect(rig.dataplane.references == [ServicePortReference(.cluster("c1"), .v4)])
        rig.dataplane.prepare([put(web("c2"))])
        #expect(
            rig.dataplane.references
                == [ServicePortReference(.cluster("c1"), .v4), ServicePortReference(.cluster("c2"), .v4)],
            "until it is turned over")
        try rig.apply([])
        rig.dataplane.prepare([
            put(try listener([tcp(FilterChainMatch(), [("c3", 1), ("c1", 0)])], "l", "::"))
        ])
        #expect(rig.dataplane.references.contains(ServicePortReference(.cluster("c3"), .v6)))
        try rig.apply([])
        #expect(rig.dataplane.references == [ServicePortReference(.cluster("c3"), .v6)])
    }
}
