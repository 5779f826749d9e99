import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct RoutingTableTests {
    @Test func hostsAreFoundFromTheMostSpecificOn() {
        let table = RouteTable([
            VirtualHost(domains: [.suffix(".com")], routes: [Route("com", .prefix("/"))]),
            VirtualHost(domains: [.suffix(".b.com"), .exact("x.org")], routes: [Route("b", .prefix("/"))]),
            VirtualHost(domains: [.exact("a.b.com")], routes: [Route("a", .prefix("/"))]),
            VirtualHost(domains: [.exact("a.b.com")], routes: [Route("late", .prefix("/"))]),
        ])
        let cases: [(String, String?)] = [
            ("a.b.com", "a"), ("A.B.Com", "a"), ("c.b.com", "b"), ("d.a.b.com", "b"), ("b.com", "com"),
            ("x.org", "b"), ("y.x.org", nil), ("com", nil), (".com", nil), ("", nil), ("a.b.com.", nil),
            ("xb.com", "com"),
        ]
        for (host, expected) in cases {
            #expect(RoutedRequest(host: host).route(by: table) == expected, "\(host)")
        }
        let any = RouteTable([VirtualHost(domains: [.any], routes: [Route("any", .prefix("/"))])])
        #expect(RoutedRequest(host: "").route(by: any) == "any")
    }

    @Test func pathsAreComparedAsTheyAre() {
        let table = RouteTable([
            VirtualHost(
                domains: [.any],
                routes: [
                    Route("exact", .exact("/a")), Route("deep", .prefix("/a/b")), Route("a", .prefix("/a")),
                    Route("slash", .exact("/c/")), Route("c", .prefix("/c")),
                    Route("pattern", .regex("/v[0-9]+/.*")), Route("root", .exact("/")),
                ])
        ])
        let cases: [(String, String?)] = [
            ("/a", "exact"), ("/a/", "a"), ("/a/b", "deep"), ("/a/b/c", "deep"), ("/a/bc", "a"), ("/ab", nil),
            ("/A", nil), ("/c/", "slash"), ("/c", "c"), ("/v12/x", "pattern"), ("/v/x", nil), ("/", "root"),
            ("", "root"), ("//a", nil), ("/x/../a", nil), ("/%61", nil), ("/a%2Fb", nil), ("/a//b", "a"),
            ("*", nil),
        ]
        for (path, expected) in cases {
            #expect(RoutedRequest(path: path).route(by: table) == expected, "\(path)")
        }
        let all = RouteTable([VirtualHost(domains: [.any], routes: [Route("all", .prefix("/"))])])
        #expect(RoutedRequest(method: "OPTIONS", path: "*").route(by: all) == "all")
    }

    @Test func manyPrefixesOfOnePathAreAllLookedAt() {
        let prefixes = (1...12).map { String(repeating: "/a", count: $0) }
        let table = RouteTable([
            VirtualHost(
                domains: [.any],
                routes: prefixes.reversed().map { prefix in
                    Route(prefix, .prefix(prefix)) {
                        $0.headers = [.init(name: "depth", value: .regex(".*,\(prefix.utf8.count),.*"))]
                    }
                })
        ])
        let path = String(repeating: "/a", count: 13)
        for prefix in prefixes {
            let depth = ",\(prefix.utf8.count),"
            let request = RoutedRequest(path: path, headers: [(name: "Depth", value: depth)])
            #expect(request.route(by: table) == prefix)
        }
        let all = RoutedRequest(path: path, headers: [(name: "Depth", value: ",2,16,24,")])
        #expect(all.route(by: table) == prefixes[11])
        #expect(RoutedRequest(path: path).route(by: table) == nil)
    }

    @Test func severalLinesOfAHeaderAreOne() {
        let table = RouteTable([
            VirtualHost(
                domains: [.any],
                routes: [
                    Route("exact", .prefix("/")) { $0.headers = [.init(name: "x", value: .exact("1, 2"))] },
                    Route("pattern", .prefix("/")) {
                        $0.headers = [.init(name: "x", value: .regex("[0-9]+(, [a-z])+"))]
                    },
                ])
        ])
        let cases: [([(String, String)], String?)] = [
            ([("X", "1, 2")], "exact"), ([("X", "1"), ("y", "3"), ("x", "2")], "exact"),
            ([("x", "1")], nil), ([("x", "1"), ("x", "2"), ("x", "3")], nil),
            ([("x", "2"), ("x", "1")], nil),
            ([("x", "12"), ("X", "a"), ("x", "b")], "pattern"), ([("xx", "1, 2")], nil), ([], nil),
        ]
        for (headers, expected) in cases {
            let request = RoutedRequest(headers: headers.map { (name: $0.0, value: $0.1) })
            #expect(request.route(by: table) == expected, "\(headers)")
        }
    }

    @Test func theFirstParameterOfANameCounts() {
        let table = RouteTable([
            VirtualHost(
                domains: [.any],
                routes: [
                    Route("q", .prefix("/")) { $0.queryParameters = [.init(name: "q", value: .exact("1"))] },
                    Route("r", .prefix("/")) { $0.queryParameters = [.init(name: "r", value: .regex("a*"))] },
                ])
        ])
        let cases: [(String?, String?)] = [
            ("q=1", "q"), ("a=2&q=1&q=3", "q"), ("q=3&q=1", nil), ("Q=1", nil), ("q=%31", nil), ("q=1=", nil),
            ("r", "r"), ("r=", "r"), ("x&r=aa&", "r"), ("r=b", nil), ("", nil), (nil, nil), ("&&", nil),
        ]
        for (query, expected) in cases {
            #expect(RoutedRequest(query: query).route(by: table) == expected, "\(query ?? "-")")
        }
    }

    @Test func partsOfValuesAndPathsArePatterns() {
        func route(_ name: String, _ value: ValueMatch) -> Route {
            Route(name, .prefix("/")) { $0.headers = [.init(name: "h", value: value)] }
        }
        let table = RouteTable([
            VirtualHost(
                domains: [.any],
                routes: [
                    Route("text", .textPrefix("/a.b")), route("prefix", .prefix("p+")),
                    route("suffix", .suffix("(s)")), route("contains", .contains("[c]")),
                    route("present", .present),
                ])
        ])
        let cases: [(String, String?, String?)] = [
            ("/a.bc", nil, "text"), ("/a.b/c", nil, "text"), ("/aXb", nil, nil),
            ("/", "p+x", "prefix"), ("/", "px", "present"), ("/", "x(s)", "suffix"),
            ("/", "x[c]y", "contains"), ("/", "c", "present"), ("/", "", "present"), ("/", nil, nil),
        ]
        for (path, value, expected) in cases {
            let headers = value.map { [(name: "H", value: $0)] } ?? []
            let found = RoutedRequest(path: path, headers: headers).route(by: table)
            #expect(found == expected, "\(path) \(value ?? "-")")
        }
    }

    @Test func aConfigurationWithUnsupportedPartsIsNotFollowed() {
        let good = Route("good", .prefix("/"))
        let toCluster = Route(
            name: "cluster", action: .forward(ForwardAction(backends: [.init(backend: .cluster("c"))])))
        let byHash = Route(
            name: "hash", action: .forward(ForwardAction(backends: [], hash: [.sourceAddress])))
        let cases: [(DomainPattern, Route, String)] = [
            (.prefix("foo."), good, "the host foo.* is not supported"),
            (.any, Route("case", .prefix("/")) { $0.pathIgnoresCase = true }, "the route case ignores"),
            (
                .any,
                Route("r", .prefix("/")) { $0.headers = [.init(name: "h", value: .present, inverts: true)] },
                "the route r inverts its match of h"
            ),
            (
                .any,
                Route("r", .prefix("/")) {
                    $0.headers = [.init(name: "h", value: .exact("a"), ignoresCase: true)]
                }, "ignores the case of h"
            ),
            (
                .any,
                Route("r", .prefix("/")) {
                    $0.queryParameters = [.init(name: "q", value: .exact(""), missingIsEmpty: true)]
                }, "takes a missing q"
            ),
            (.any, toCluster, "the route cluster leads to the cluster c"), (.any, byHash, "a hash"),
        ]
        for (domain, route, fault) in cases {
            let table = RouteTable([VirtualHost(domains: [.any, domain], routes: [good, route])])
            #expect(table.faults.count == 1 && table.faults[0].contains(fault), "\(table.faults)")
            #expect(RoutedRequest(host: "x").route(by: table) == nil)
        }
        #expect(RouteTable([VirtualHost(domains: [.any], routes: [good])]).faults.isEmpty)
    }

    @Test func aRouteIsCompiledForItsRequests() throws {
        let service = ServiceKey(namespace: "a", hostname: "one")
        let one = BackendReference.service(service, port: 80)
        let two = BackendReference(service: ServiceKey(namespace: "a", hostname: "two"), port: 80)
        let route = Route(
            name: "a/r/0", match: RouteMatch(path: .prefix("/api")),
            action: .forward(
                ForwardAction(
                    backends: [
                        WeightedBackend(backend: one, weight: 90), WeightedBackend(backend: two, weight: 0),
                        WeightedBackend(backend: two, weight: 9), WeightedBackend(backend: nil, weight: 1),
                    ], rewrite: URLRewrite(host: "h"), requestTimeout: 7,
                    retry: RetryPolicy(attempts: 2))),
            requestHeaders: HeaderChanges(
                set: [HeaderValue(name: "X-One", value: "1")], add: [HeaderValue(name: "B", value: "2")],
                remove: ["gone"]))
        var nothing = route
        nothing.name = "a/r/1"
        nothing.action = .forward(
            ForwardAction(backends: [WeightedBackend(backend: one, weight: 0)]))
        let source = RouteConfiguration(
            key: .service(service, port: 80),
            virtualHosts: [
                VirtualHost(domains: [.any], routes: [route, nothing]),
                VirtualHost(domains: [.exact("x")], routes: [route]),
            ])
        let table = RouteTable(
            compiling: source, clusters: { $0 == one ? 4 : nil }, statistics: { Int32($0.utf8.count) })
        #expect(table.routes.count == 2 && table.faults.isEmpty)
        let compiled = table.routes[0]
        #expect(compiled.backends.map(\.upTo) == [90, 99, 100] && compiled.totalWeight == 100)
        #expect(compiled.backends.map(\.cluster) == [4, -1, -1])
        #expect(compiled.statistic == 5 && compiled.matchedPrefix == Array("/api".utf8))
        #expect(compiled.requestTimeout == 7 && compiled.backendTimeout == 0 && compiled.retry?.attempts == 2)
        #expect(
            compiled.requestEdits.dropped.map { String(decoding: $0, as: UTF8.self) } == ["x-one", "gone"])
        #expect(String(decoding: compiled.requestEdits.appended, as: UTF8.self) == "X-One: 1\r\nB: 2\r\n")
        guard case .respond(500) = table.routes[1].action else {
            Issue.record("a route without weights answers \(table.routes[1].action)")
            return
        }
    }

    @Test func patternsThatAreNoneAreSaid() {
        let table = RouteTable([
            VirtualHost(domains: [.any], routes: [Route("bad", .regex("(")), Route("good", .prefix("/"))])
        ])
        #expect(RoutedRequest().route(by: table) == "good")
        #expect(table.faults == ["the route bad never matches: a ( without its ), at byte 2"])
        let empty = RouteTable(source: table.source, routes: [])
        #expect(RoutedRequest().route(by: empty) == nil)
    }
}
