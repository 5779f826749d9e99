// Random configurations and requests: a table answers what a walk through the configuration answers.
import Foundation
import KmeshKit
import Testing

@testable import WaypointProxy

private struct RouteGenerator {
    var random: SplitMix64

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private static let paths = [
        "/", "/a", "/b", "/a/b", "/a/b/c", "/ab", "/a/", "/a//b", "/a/b/", "/c/d/e/f/g", "/%61", "//", "/a/c",
    ]
    private static let patterns = ["/a.*", ".*b", "/[ab]/[ab]", "/", "(/[a-c])+", "x"]

    private mutating func path() -> PathMatch {
        switch below(5) {
        case 0...1: .exact(pick(Self.paths))
        case 2...3:
            .prefix(pick(["/", "/a", "/b", "/a/b", "/a/b/c", "/ab", "/a//b", "/c/d/e/f/g", "/a/b/c/d/e/f"]))
        default: .regex(pick(Self.patterns))
        }
    }

    private mutating func named(_ names: [String]) -> [NamedMatch] {
        guard below(4) == 0 else { return [] }
        return (0...below(2)).map { _ in
            let value: ValueMatch =
                below(3) == 0 ? .regex(pick(["[12]+", "1, 2", ".*"])) : .exact(pick(["1", "2", "1, 2", ""]))
            return NamedMatch(name: pick(names), value: value)
        }
    }

    mutating func hosts() -> [VirtualHost] {
        var number = 0
        return (0..<(1 + below(5))).map { _ in
            let domains = (0...below(2)).map { _ in
                pick([
                    DomainPattern.any, .exact("a.com"), .exact("b.a.com"), .exact("com"), .suffix(".com"),
                    .suffix(".a.com"), .suffix(".b.a.com"),
                ])
            }
            let routes = (0..<below(12)).map { _ in
                number += 1
                let (path, headers, queries) = (path(), named(["x", "y"]), named(["q", "r"]))
                let method: String? = below(5) == 0 ? pick(["GET", "POST"]) : nil
                return Route("\(number)", path) { match in
                    match.method = method
                    match.headers = headers
                    match.queryParameters = queries
                }
            }
            return VirtualHost(domains: domains, routes: routes)
        }
    }

    mutating func request() -> RoutedRequest {
        RoutedRequest(
            method: pick(["GET", "POST", "GE"]),
            host: pick(["a.com", "A.COM", "b.a.com", "c.b.a.com", "x.com", "com", "", ".com", "a.com.", "o"]),
            path: pick(Self.paths + ["", "*", "/a/b/c/d/e/f/g", "/b/a", "/cx", "/a/b%2fc"]),
            query: below(2) == 0 ? nil : pick(["q=1", "q=2&r=1", "r", "q", "", "&q=1", "q=1&q=2", "x=1"]),
            headers: (0..<below(4)).map { _ in
                (name: pick(["X", "x", "Y", "z"]), value: pick(["1", "2", "", "1, 2"]))
            })
    }
}

private let iterations =
    ProcessInfo.processInfo.environment["KMESH_FUZZ_ITERATIONS"].flatMap { Int($0) } ?? 300

@Suite struct RouteTableFuzzTests {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func tablesSayWhatTheConfigurationSays(seed: UInt64) throws {
        var generator = RouteGenerator(random: SplitMix64(seed: seed))
        var found = 0
        for _ in 0..<iterations {
            let table = RouteTable(generator.hosts())
            for _ in 0..<20 {
                let request = generator.request()
                let expected = try request.route(by: table.source)
                found += expected == nil ? 0 : 1
                #expect(request.route(by: table) == expected, "seed \(seed): \(request)")
            }
        }
        #expect(found > iterations * 4, "seed \(seed): too few requests have a route to mean anything")
    }

    /// Many routes, in which hashes meet and ranges are long.
    @Test(arguments: [(10, 100), (100, 10), (1, 1000)])
    func largeTablesFindEveryRoute(hosts: Int, rules: Int) throws {
        let table = RouteTable(
            (0..<hosts).map { host in
                VirtualHost(
                    domains: [.exact("h\(host).example.com")],
                    routes: (0..<rules).map { rule in
                        let path = "/service/\(rule)/items"
                        return Route("\(host)-\(rule)", rule % 2 == 0 ? .exact(path) : .prefix(path))
                    })
            })
        for host in 0..<hosts {
            for rule in 0..<rules {
                var request = RoutedRequest(host: "h\(host).example.com", path: "/service/\(rule)/items")
                #expect(request.route(by: table) == "\(host)-\(rule)")
                request.path += "/7"
                #expect(request.route(by: table) == (rule % 2 == 0 ? nil : "\(host)-\(rule)"))
            }
        }
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func hostileRequestsEndCleanly(seed: UInt64) {
        var generator = RouteGenerator(random: SplitMix64(seed: seed))
        let signs = Array("/.a%&=?*".utf8)
        func noise(_ count: Int) -> String {
            String(decoding: (0..<generator.below(count)).map { _ in generator.pick(signs) }, as: UTF8.self)
        }
        for _ in 0..<iterations {
            let table = RouteTable(generator.hosts())
            for size in [4, 40, 4000] {
                let request = RoutedRequest(
                    method: noise(9), host: noise(size), path: noise(size), query: noise(size),
                    headers: [(name: noise(9), value: noise(size))])
                let found = request.route(by: table)
                #expect((try? request.route(by: table.source)) == found, "seed \(seed): \(request)")
            }
        }
    }
}
