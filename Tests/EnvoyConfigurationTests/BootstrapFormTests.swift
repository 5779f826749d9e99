import KmeshKit
import Testing

@testable import EnvoyConfiguration

/// Envoy's own form, with either spelling of names.
@Suite struct BootstrapFormTests {
    private func forward(_ route: Route?) -> ForwardAction? {
        guard case .forward(let action)? = route?.action else { return nil }
        return action
    }

    @Test func aBootstrapIsRead() throws {
        let meaning = try Meaning(try fixture("envoy/bootstrap.json"))
        #expect(meaning.listeners.map(\.name) == ["web", "db"])
        let web = meaning.listeners[0], db = meaning.listeners[1]
        #expect(web.address.isUnspecified && web.port == 8080)
        #expect(web.readTimeout == 2500 && web.idleTimeout == 30_000)
        #expect(web.filterChains.map(\.name) == ["office", ""])
        #expect(
            web.filterChains.map(\.action) == [
                .http(routeConfiguration: "web/0/local_route"), .http(routeConfiguration: "shared"),
            ])
        #expect(
            web.filterChains[0].match
                == FilterChainMatch(
                    destinationPort: 8080,
                    sourcePrefixes: [IPBlock("10.0.0.0/8"), IPBlock("fd00::/64")].compactMap { $0 }))
        #expect(web.filterChains[1].match == FilterChainMatch())
        #expect(db.address == IPAddress("fd00::1") && db.port == 3306)
        #expect(db.filterChains.map(\.action) == [.tcp([WeightedBackend(backend: .cluster("db"))])])
        #expect(meaning.routes.map(\.key) == [.named("web/0/local_route"), .named("shared")])
    }

    @Test func clustersAreRead() throws {
        let clusters = try Meaning(try fixture("envoy/bootstrap.json")).clusters
        #expect(clusters.map(\.name) == ["api", "db", "empty"])
        #expect(clusters.map(\.policy) == [.leastRequest, .maglev, .roundRobin])
        #expect(clusters.map(\.maxConnections) == [100, nil, nil])
        #expect(clusters.map(\.connectTimeout) == [250, nil, nil])
        let place = Locality(region: "r1", zone: "z1")
        #expect(
            clusters[0].endpoints == [
                ClusterEndpoint(
                    address: IPAddress(v4: 0x0a01_0001), port: 80, weight: 3, locality: place),
                ClusterEndpoint(
                    address: IPAddress(v4: 0x0a01_0002), port: 80, health: .terminating, locality: place),
                ClusterEndpoint(address: IPAddress(v4: 0x0a01_0004), port: 80, priority: 1),
            ])
        #expect(clusters[1].endpoints.map(\.weight) == [2000, 1000, 6000])
        #expect(clusters[2].endpoints.isEmpty)
    }

    @Test func hostsAndRoutesAreRead() throws {
        let routes = try Meaning(try fixture("envoy/bootstrap.json")).routes
        let local = routes[0].virtualHosts
        #expect(
            local.map(\.domains) == [
                [
                    .exact("api.example.com"), .exact("api:8080"), .suffix(".api.example.com"),
                    .prefix("api."),
                ],
                [.any],
            ])
        let api = local[0].routes
        #expect(api.map(\.name) == ["exact", "api/1", "api/2", "api/3", "api/4"])
        #expect(
            api.map(\.match.path) == [
                .exact("/v1"), .textPrefix("/v"), .prefix("/a"), .regex("/x.*"), .prefix("/"),
            ])
        #expect(api.map(\.match.pathIgnoresCase) == [false, true, false, false, false])
        #expect(api[0].match.method == "GET")
        #expect(
            api[0].match.headers == [
                NamedMatch(name: "a", value: .exact("x"), ignoresCase: true),
                NamedMatch(name: "b", value: .prefix("p"), inverts: true),
                NamedMatch(name: "c", value: .suffix("s")),
                NamedMatch(name: "d", value: .contains("k"), missingIsEmpty: true),
                NamedMatch(name: "e", value: .present), NamedMatch(name: "f", value: .present),
                NamedMatch(name: "g", value: .present, inverts: true),
                NamedMatch(name: "h", value: .regex("a+")),
            ])
        #expect(
            api[0].match.queryParameters == [
                NamedMatch(name: "q", value: .exact("1")), NamedMatch(name: "Z", value: .present),
            ])
        let first = try #require(forward(api[0]))
        #expect(first.backends.map(\.weight) == [3, 1] && first.requestTimeout == 1500)
        #expect(
            first.retry == RetryPolicy(attempts: 3, codes: [502, 503, 504]) && first.backendTimeout == 500)
        #expect(first.hash == [.header("x-user"), .sourceAddress])
        #expect(forward(api[1])?.rewrite == URLRewrite(host: "h", path: .prefix("/w")))
        #expect(forward(api[1])?.retry == nil && forward(api[1])?.requestTimeout == nil)
        #expect(
            api[2].action
                == .redirect(RedirectAction(scheme: "https", host: "o", path: .full("/p"), status: 308)))
        #expect(api[3].action == .respond(status: 503))
        #expect(local[1].routes.isEmpty)
    }

    @Test func domainsOfAnyPortSayMore() throws {
        let host = #"{"domains": ["*.a.com:80", "*.a.com", "A.com:80", "a.com"], "routes": []}"#
        let meaning = try Meaning(document(host: host))
        #expect(
            meaning.routes[0].virtualHosts[0].domains
                == [.suffix(".a.com"), .exact("a.com:80"), .exact("a.com")])
    }

    @Test func numbersAreDurationsInSeconds() throws {
        for (text, expected) in [("10", 10_000), ("\"10s\"", 10_000), ("\"0.0001s\"", 1), ("0.25", 250)] {
            let cluster = #"{"name": "c", "connectTimeout": \#(text)}"#
            #expect(try Meaning(document(cluster: cluster)).clusters[0].connectTimeout == UInt32(expected))
        }
    }

    @Test func whatIsNotSetIsNoError() throws {
        let listener = """
            {"name": "l", "address": {"port": 80, "ipv4": 0, "protocol": "TCP"}, "use_original_dst": false,
             "additional_addresses": [], "filter_chains": [{"filters": [{"name": "t", "tcp_proxy":
                {"cluster": "c", "weighted_clusters": null, "tunneling_config": null}}]}]}
            """
        let meaning = try Meaning(document(listener: listener))
        #expect(meaning.listeners[0].address == IPAddress(v4: 0))
    }
}
