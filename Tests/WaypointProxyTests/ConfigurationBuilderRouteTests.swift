/// Tables of routes: by host name, of services, and of Gateways.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct ConfigurationBuilderRouteTests {
    @Test func servicesAreFoundByAllTheirNames() throws {
        var builder = makeBuilder()
        let built = builder.apply([
            .upsert(.service(service("reviews", ports: [9080, 9090]))),
            .upsert(.service(service("reviews", in: "prod", ports: [9080]))),
            .upsert(.service(entry("api.example.com", ports: [443]))),
        ])
        let hosts = try plainHosts(built)
        for name in [
            "reviews", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local",
        ] {
            #expect(hosts[name] == "default/reviews.default.svc.cluster.local:9080")
            #expect(hosts["\(name):9090"] == "default/reviews.default.svc.cluster.local:9090")
        }
        #expect(hosts["reviews.prod"] == "prod/reviews.prod.svc.cluster.local:9080")
        #expect(hosts["api.example.com"] == "default/api.example.com:443")
        #expect(hosts["api"] == nil)
    }

    @Test func aShortNameIsThatOfTheOwnNamespace() throws {
        var builder = makeBuilder { $0.namespace = "prod" }
        let built = builder.apply(
            ["default", "prod"].map { .upsert(.service(service("reviews", in: $0, ports: [80]))) })
        #expect(try plainHosts(built)["reviews"] == "prod/reviews.prod.svc.cluster.local:80")
    }

    @Test func aHostThatIsWrittenOutIsStronger() throws {
        var builder = makeBuilder()
        let built = builder.apply([
            .upsert(.service(service("reviews", ports: [80]))),
            .upsert(.service(entry("reviews", ports: [81]))),
        ])
        #expect(try plainHosts(built)["reviews"] == "default/reviews:81")
    }

    @Test func thePortWithoutANumberIsTheFirstThatMayBeHTTP() throws {
        var builder = makeBuilder()
        var redis = service("mixed", ports: [6379, 80])
        redis.ports[0].applicationProtocol = .tcp
        let built = builder.apply([.upsert(.service(redis))])
        #expect(try plainHosts(built)["mixed"] == "default/mixed.default.svc.cluster.local:80")
    }

    @Test func ownRoutesHoldInTheTableOfHostsToo() throws {
        var builder = makeBuilder()
        let built = builder.apply([
            .upsert(.service(service("a", ports: [80], at: ["10.1.0.1"]))),
            .upsert(.service(service("b", ports: [80]))),
            .upsert(.routes(routes("a", 80, to: "b"))),
        ])
        #expect(try plainHosts(built)["a"] == "default/b.default.svc.cluster.local:80")
        let target = try #require(built.targets.targets.first { $0.kind == .service(backend("a", 80)) })
        let table = built.tables[Int(try #require(target.table))]
        #expect(table.source == routes("a", 80, to: "b"))
        let without = builder.apply([.remove(.routes(.service(key("a"), port: 80)))])
        #expect(try plainHosts(without)["a"] == "default/a.default.svc.cluster.local:80")
        let bare = try #require(without.targets.targets.first { $0.kind == .service(backend("a", 80)) })
        #expect(bare.table == nil)
    }

    @Test func hostsOfGatewaysComeFirst() throws {
        var builder = makeBuilder()
        let forward = Route(name: "gateway", action: .respond(status: 204))
        let gateway = RouteConfiguration(
            key: .gateway(namespace: "default", name: "g", listener: "http"),
            virtualHosts: [
                VirtualHost(domains: [.exact("a"), .suffix(".example.com")], routes: [forward])
            ])
        let built = builder.apply([
            .upsert(.service(service("a", ports: [80]))), .upsert(.routes(gateway)),
        ])
        let table = built.tables[Int(try #require(built.plainTable))]
        let host = try #require(table.source.virtualHosts.first { $0.domains.contains(.exact("a")) })
        #expect(host.routes == [forward])
        #expect(table.source.virtualHosts.contains { $0.domains == [.suffix(".example.com")] })
        #expect(try plainHosts(built)["a.default"] != nil)
    }

    @Test func tablesFollowTheClustersTheyLeadTo() throws {
        var builder = makeBuilder()
        let first = builder.apply([
            .upsert(.service(service("a", ports: [80]))), .upsert(.routes(routes("a", 80, to: "b"))),
        ])
        #expect(try ownTable(first).routes[0].backends.map(\.cluster) == [-1])
        let second = builder.apply([.upsert(.service(service("b", ports: [80])))])
        #expect(
            try ownTable(second).routes[0].backends.map(\.cluster) == [try cluster(second, "b", 80).number])
        let third = builder.apply([.remove(.service(key("b")))])
        #expect(try ownTable(third).routes[0].backends.map(\.cluster) == [-1])
    }

    @Test func routesKeepTheirNumbersForStatistics() throws {
        var builder = makeBuilder()
        let first = builder.apply([
            .upsert(.service(service("a", ports: [80]))), .upsert(.routes(routes("a", 80, to: "a"))),
        ])
        let second = builder.apply([
            .upsert(.service(service("0", ports: [80]))), .upsert(.service(service("b", ports: [80]))),
        ])
        #expect(try ownTable(first).routes[0].statistic == ownTable(second).routes[0].statistic)
        let number = try ownTable(second).routes[0].statistic
        #expect(builder.names.routeNames[Int(number)] == "default/a/0")
    }

    @Test func withoutServicesThereIsNoTable() {
        var builder = makeBuilder()
        #expect(builder.apply([]).plainTable == nil)
        _ = builder.apply([.upsert(.service(service("a", ports: [80])))])
        #expect(builder.apply([.remove(.service(key("a")))]).plainTable == nil)
    }

    private func ownTable(_ configuration: WaypointConfiguration) throws -> RouteTable {
        try #require(configuration.tables.first { $0.source.key == .service(key("a"), port: 80) })
    }

    /// The first backend that each host of the plain table leads to.
    private func plainHosts(_ configuration: WaypointConfiguration) throws -> [String: String] {
        let table = configuration.tables[Int(try #require(configuration.plainTable))]
        var hosts: [String: String] = [:]
        for host in table.source.virtualHosts {
            for case .exact(let name) in host.domains {
                guard case .forward(let action)? = host.routes.first?.action else { continue }
                hosts[name] = action.backends.first?.backend?.description
            }
        }
        return hosts
    }
}

/// The table of hosts as requests see it.
@Suite struct HostTableMatchTests {
    @Test func aPortInTheHostChoosesThePortOfTheService() throws {
        let names = StatisticNames()
        var builder = ConfigurationBuilder(.init(), names: names, compile: RouteTable.compile)
        let built = builder.apply([.upsert(.service(service("reviews", ports: [9080, 9090])))])
        let table = built.tables[Int(try #require(built.plainTable))]
        func port(_ host: String) throws -> UInt16? {
            let text = "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n"
            let fields = Slab<HeaderField>(capacity: 10)
            var head = RequestHead()
            let verdict = parseRequestHead(
                Array(text.utf8).span, limits: HeadLimits(line: 1000, head: 1000, fields: 10), into: &head,
                fields: fields)
            #expect(verdict == .complete)
            let bytes = Array(text.utf8)
            let number = table.host(of: head, in: bytes.span)
            let route = table.route(number, head, fields, in: bytes.span)
            guard route >= 0 else { return nil }
            let cluster = try #require(table.routes[Int(route)].backends.first?.cluster)
            return built.clusters[Int(cluster)]?.backend.servicePort?.port
        }
        #expect(try port("reviews") == 9080)
        #expect(try port("Reviews:9080") == 9080)
        #expect(try port("reviews:9090") == 9090)
        #expect(try port("reviews.default:9090") == 9090)
        // The proxy's own port, which clients that use it directly name.
        #expect(try port("reviews:8080") == 9080)
        #expect(try port("nobody:9090") == nil)
    }
}
