import KmeshKit
import Testing

@testable import EnvoyConfiguration

/// The five files that Kmesh's own tests use, unchanged.
@Suite struct KmeshFormTests {
    private let local = IPAddress(v4: 0x7f00_0001)

    private func backends(_ action: FilterChainAction?) -> [WeightedBackend] {
        guard case .tcp(let backends)? = action else { return [] }
        return backends
    }

    private func forward(_ route: Route?) -> ForwardAction? {
        guard case .forward(let action)? = route?.action else { return nil }
        return action
    }

    @Test(
        arguments: [
            "envoy/oe_test_base_function.json", "envoy/oe_test_dark_launch_function.json",
            "envoy/oe_test_lb_policy_function.json", "envoy/oe_test_route_function.json",
            "envoy/oe_test_tcp_proxy_weight_cluster_function.json",
        ])
    func isReadWhole(_ name: String) throws {
        let meaning = try Meaning(try fixture(name))
        let listener = try #require(meaning.listeners.first)
        #expect(meaning.listeners.count == 1)
        #expect(listener.name == "127.0.0.1_9081" && listener.address == local && listener.port == 9563)
        #expect(listener.filterChains.count == 1)
        let match = listener.filterChains.first?.match
        #expect(match?.transportProtocol == .rawBuffer && match?.destinationPort == nil)
        #expect(match?.applicationProtocols == ["http/1.0", "http/1.1", "h2c"])
        for cluster in meaning.clusters {
            #expect(cluster.policy == .roundRobin && cluster.connectTimeout == 10_000)
            #expect(cluster.maxConnections == nil)
            #expect(cluster.endpoints.allSatisfy { $0.address == local && $0.weight == 1 })
        }
        if name.contains("tcp_proxy") {
            #expect(meaning.routes.isEmpty)
        } else {
            #expect(listener.filterChains.first?.action == .http(routeConfiguration: "9080"))
            #expect(meaning.routes.map(\.key) == [.named("9080")])
            #expect(meaning.routes.first?.virtualHosts.map(\.domains) == [[.any]])
        }
    }

    @Test func aRouteLeadsToACluster() throws {
        let meaning = try Meaning(try fixture("envoy/oe_test_base_function.json"))
        let action = try #require(forward(meaning.allRoutes.first))
        let name = "outbound|9080||details.default.svc.cluster.local"
        #expect(action.backends == [WeightedBackend(backend: .cluster(name))])
        #expect(action.retry == RetryPolicy(attempts: 2))
        #expect(meaning.allRoutes.map(\.match) == [RouteMatch(path: .prefix("/"))])
        #expect(meaning.clusters.map(\.name) == [name])
        #expect(meaning.clusters.first?.endpoints == [ClusterEndpoint(address: local, port: 51756)])
    }

    @Test func sharesAreOfClusters() throws {
        let dark = try Meaning(try fixture("envoy/oe_test_dark_launch_function.json"))
        let names = ["v1", "v2"].map { "outbound|9080|\($0)|details.default.svc.cluster.local" }
        let shares = zip(names, [80, 20]).map { WeightedBackend(backend: .cluster($0), weight: $1) }
        #expect(forward(dark.allRoutes.first)?.backends == shares)
        let tcp = try Meaning(try fixture("envoy/oe_test_tcp_proxy_weight_cluster_function.json"))
        #expect(backends(tcp.listeners.first?.filterChains.first?.action) == shares)
        #expect(tcp.clusters.map(\.name) == names)
    }

    @Test func localitiesHaveOneListOfEndpoints() throws {
        let meaning = try Meaning(try fixture("envoy/oe_test_lb_policy_function.json"))
        #expect(meaning.clusters.first?.endpoints.map(\.port) == [51756, 57388])
    }

    @Test func routesAreTriedInTheirOrder() throws {
        let meaning = try Meaning(try fixture("envoy/oe_test_route_function.json"))
        #expect(
            meaning.allRoutes.map(\.match.headers) == [
                [NamedMatch(name: "end-user", value: .exact("jason"))], [],
            ])
        #expect(meaning.allRoutes.map { forward($0)?.backends.count } == [1, 1])
    }
}
