import KernelNativeEngine
import KmeshKit
import Testing

@testable import WaypointProxy

/// What HTTPRoutes can say, kernel and waypoint decide alike.
@Suite struct WaypointComparisonTests {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func kernelAndWaypointChooseTheSameBackends(seed: UInt64) throws {
        var generator = PlainGenerator(random: SplitMix64(seed: seed))
        var rig = Rig()
        try rig.apply([put(service("s", ["10.0.0.1"]))] + PlainGenerator.services.map { put(service($0)) })
        var chosen = 0
        for _ in 0..<60 {
            let configuration = routes(of: "s", generator.hosts())
            #expect(try rig.apply([put(configuration)]).isEmpty)
            let ids = rig.ports
            let table = RouteTable(
                compiling: configuration,
                clusters: { ids.id(of: ServicePortReference($0, .v4)).map { Int32($0) } },
                statistics: { _ in -1 })
            #expect(table.faults.isEmpty)
            for _ in 0..<30 {
                let request = generator.request()
                let expected = request.shares(by: table)
                var found: [Decision.Share]?
                if case .shares(let shares, _, _) = try rig.decide("10.0.0.1", request) { found = shares }
                #expect(found == expected, "seed \(seed): \(request)")
                if found != nil { chosen += 1 }
            }
            rig.dataplane.tend(rig.ports)
        }
        #expect(chosen > 100)
    }
}

/// What both can do: no patterns, and no header more than once in a request, for that they join differently.
private struct PlainGenerator {
    var random: SplitMix64
    static let services = ["v1", "v2"]
    private static let paths = ["/", "/a", "/b", "/a/b", "/a/b/c", "/ab", "/a//b", "/c/d/e/f/g", "/%61"]

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private mutating func named(_ names: [String]) -> [NamedMatch] {
        below(3) == 0
            ? (0...below(2)).map { _ in NamedMatch(name: pick(names), value: .exact(pick(["1", "2", ""]))) }
            : []
    }

    mutating func hosts() -> [VirtualHost] {
        (0..<(1 + below(4))).map { _ in
            let domains = (0...below(2)).map { _ in
                pick([
                    DomainPattern.any, .exact("a.com"), .exact("b.a.com"), .exact("a.com:80"),
                    .suffix(".com"),
                    .suffix(".a.com"),
                ])
            }
            let routes = (0..<below(10)).map { number in
                var match = RouteMatch(
                    path: below(2) == 0 ? .exact(pick(Self.paths)) : .prefix(pick(Self.paths)),
                    headers: named(["x", "y"]), queryParameters: named(["q", "r"]))
                if below(4) == 0 { match.method = pick(["GET", "POST"]) }
                let parts = (0...below(2)).map { _ in
                    (pick(Self.services + ["gone"]), pick([UInt32(0), 1, 3]))
                }
                return Route(name: "\(number)", match: match, action: .to(parts))
            }
            return host(domains, routes)
        }
    }

    mutating func request() -> TestRequest {
        TestRequest(
            pick(Self.paths + ["/a/b/d", "/a/", "/abc"]),
            pick(["a.com", "A.com", "a.com:80", "a.com:81", "b.a.com", "c.b.a.com", "com", "o"]),
            method: pick(["GET", "POST"]),
            query: below(2) == 0 ? nil : pick(["q=1", "q=2&r=1", "r", "q", ""]),
            headers: ["X", "y"].prefix(below(3)).map { ($0, pick(["1", "2", ""])) })
    }
}

extension TestRequest {
    /// `nil` for what is refused.
    fileprivate func shares(by table: RouteTable) -> [Decision.Share]? {
        var bytes: [UInt8] = []
        func append(_ text: String) -> ByteRange {
            let start = bytes.count
            bytes += Array(text.utf8)
            return ByteRange(start: Int32(start), count: Int32(bytes.count - start))
        }
        var head = RequestHead()
        head.method = append(method)
        head.path = append(path)
        if let query {
            head.query = append(query)
            head.hasQuery = true
        }
        head.authority = append(authority)
        head.host = append(host)
        let fields = Slab<HeaderField>(capacity: 8)
        for (index, header) in headers.enumerated() {
            fields[Int32(index)].name = append(header.name)
            fields[Int32(index)].value = append(header.value)
        }
        head.fieldCount = Int32(headers.count)
        let number = table.route(table.host(of: head, in: bytes.span), head, fields, in: bytes.span)
        guard number >= 0 else { return nil }
        var end: UInt32 = 0
        let shares = table.routes[Int(number)].backends.map { backend in
            defer { end = backend.upTo }
            return Decision.Share(id: UInt32(max(0, backend.cluster)), weight: backend.upTo - end)
        }
        return shares.contains { $0.id != 0 } ? shares.inLowestTerms : nil
    }
}
