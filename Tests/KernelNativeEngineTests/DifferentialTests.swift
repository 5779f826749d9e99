import CKmeshABI
import Foundation
import KernelNativeEngine
import KmeshKit
import Testing

/// Random configurations and requests: the maps say what the configuration says.
@Suite struct DifferentialTests {
    private static let rounds =
        ProcessInfo.processInfo.environment["KMESH_FUZZ_ITERATIONS"].flatMap { Int($0) } ?? 60

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func mapsSayWhatTheConfigurationSays(seed: UInt64) throws {
        var generator = RouteGenerator(seed: seed)
        var rig = Rig()
        try rig.apply(RouteGenerator.services.map { put(service($0, [])) })
        try rig.apply([put(service("s", ["10.0.0.1"]))])
        var (chosen, refused) = (0, 0)
        for _ in 0..<Self.rounds {
            let configuration = routes(of: "s", generator.hosts())
            let rejected = try rig.apply([put(configuration)])
            try #require(rejected.isEmpty, "\(rejected)")
            for _ in 0..<30 {
                let request = generator.request()
                let expected = configuration.decide(request, rig)
                #expect(try rig.decide("10.0.0.1", request) == expected, "seed \(seed): \(request)")
                if case .shares = expected { chosen += 1 } else { refused += 1 }
            }
            rig.dataplane.tend(rig.ports)
        }
        #expect(try rig.verify() == [])
        #expect(min(chosen, refused) > Self.rounds * 3, "too few mean anything")
    }
}

/// Random virtual hosts and requests that they have to do with.
struct RouteGenerator {
    private var random: SplitMix64
    private var number = 0

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    static let services = ["v1", "v2", "v3"]

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private static let texts = [
        "/", "/a", "/A", "/b", "/a/b", "/a/B/c", "/ab", "/a//b", "/c/d/e/f/g", "/%61", "",
    ]
    private static let values = ["", "1", "2", "12", "1,2", "x1", "X1", "1 ,2"]
    /// Longer than a small text, and than a middle one.
    private static let long = [String(repeating: "l", count: 100), String(repeating: "m", count: 1900)]

    private mutating func path() -> PathMatch {
        let text = below(12) == 0 ? "/" + pick(Self.long) : pick(Self.texts)
        return switch below(3) {
        case 0: .exact(text)
        case 1: .prefix(text)
        default: .textPrefix(text)
        }
    }

    private mutating func named(_ names: [String]) -> [NamedMatch] {
        guard below(3) == 0 else { return [] }
        let count = below(15) == 0 ? 20 : 1 + below(2)
        return (0..<count).map { _ in
            let text = below(12) == 0 ? pick(Self.long) : pick(Self.values)
            let value: ValueMatch =
                switch below(count > 2 ? 2 : 6) {
                case 0: .present
                case 1: .contains("")
                case 2: .exact(text)
                case 3: .prefix(text)
                case 4: .suffix(text)
                default: .contains(text)
                }
            return NamedMatch(
                name: pick(names), value: value, inverts: below(4) == 0, ignoresCase: below(4) == 0,
                missingIsEmpty: below(4) == 0)
        }
    }

    private mutating func action() -> RouteAction {
        if below(10) == 0 { return .respond(status: 500) }
        let backends = (0..<(1 + below(3))).map { _ in
            WeightedBackend(
                backend: below(8) == 0 ? nil : .named(pick(Self.services + ["missing"])),
                weight: pick([0, 1, 1, 2, 50, 90]))
        }
        let hash: [HashSource] = pick([[], [.header("x")], [.sourceAddress], [.header("y"), .sourceAddress]])
        let retry = below(3) == 0 ? RetryPolicy(attempts: UInt32(below(6))) : nil
        return .forward(ForwardAction(backends: backends, retry: retry, hash: hash))
    }

    mutating func hosts() -> [VirtualHost] {
        (0..<(1 + below(5))).map { _ in
            let domains = (0...below(2)).map { _ in
                pick([
                    DomainPattern.any, .exact("a.com"), .exact("B.a.com"), .exact("com"), .exact("a.com:80"),
                    .exact("[::1]"), .exact("[::1]:80"), .suffix(".com"), .suffix(".a.com"),
                    .suffix(".com:81"), .prefix("a."), .prefix("b.a."), .prefix("A.com."),
                ])
            }
            return VirtualHost(domains: domains, routes: (0..<below(14)).map { _ in route() })
        }
    }

    private mutating func route() -> Route {
        number += 1
        var match = RouteMatch(path: path(), headers: named(["x", "y"]), queryParameters: named(["q", "r"]))
        match.pathIgnoresCase = below(3) == 0
        if below(5) == 0 { match.method = pick(["GET", "POST"]) }
        return Route(name: "\(number)", match: match, action: action())
    }

    mutating func request() -> TestRequest {
        let others = ["/a/b/c", "*", "/a/", "/abc", "/A/b/"]
        let path = below(10) == 0 ? "/" + pick(Self.long) : pick(Self.texts + others)
        return TestRequest(
            path.isEmpty ? "/" : path,
            pick([
                "a.com", "A.COM", "a.com:80", "a.com:99", "b.a.com", "c.b.a.com:81", "x.com:81", "com",
                "[::1]:80", "[::1]", "[::1]:9", "a.org", "b.a.org", "a.com.au", "o",
            ]),
            method: pick(["GET", "GET", "POST", "GE"]),
            query: below(2) == 0
                ? nil : pick(["q=1", "q=2&r=1", "r", "q", "", "&q=1", "q=1&q=2", "x=1", "r=X1"]),
            headers: (0..<below(4)).map { _ in
                (pick(["X", "x", "Y", "z"]), below(10) == 0 ? pick(Self.long) : pick(Self.values))
            })
    }
}
