import KernelNativeEngine
import KmeshKit
import Testing

/// Ten times what Kmesh's maps hold, and far more; how long it takes is printed.
@Suite struct ScaleTests {
    @Test func tenTimesTheLimitsOfKmesh() throws {
        var rig = Rig()
        let backends = (0..<640).map { "b\($0)" }
        try rig.apply(backends.map { put(service($0)) } + [put(service("s", ["10.0.0.1"]))])
        let long = String(repeating: "n", count: 1920)
        let name = String(repeating: "h", count: 1900) + ".example.com"
        let shares = backends.map { ($0, UInt32(1 + $0.utf8.count)) }
        let all = (0..<80).map { number in
            route(
                "\(number)", .prefix("/\(long)/\(number)"),
                headers: [NamedMatch(name: "x-\(long)", value: .suffix(long + "\(number)"))], to: .to(shares))
        }
        let configuration = routes(of: "s", [host([.exact(name)], all), host([.suffix("." + name)], all)])
        #expect(try rig.apply([put(configuration)]).isEmpty)
        for number in [0, 40, 79] {
            for authority in [name, "a." + name] {
                var request = TestRequest(
                    "/\(long)/\(number)/x", authority, headers: [("X-" + long, "1" + long + "\(number)")])
                let expected = configuration.decide(request, rig)
                #expect(try rig.decide("10.0.0.1", request) == expected)
                if case .shares(let shares, _, _) = expected { #expect(shares.count == 640) }
                request.headers = []
                #expect(try rig.decide("10.0.0.1", request) == configuration.decide(request, rig))
            }
        }
        #expect(try rig.verify() == [])
    }

    @Test(arguments: [(1, 1000), (10_000, 1)])
    func largeTables(hosts: Int, routes count: Int) throws {
        var rig = Rig()
        try rig.apply([put(service("v1")), put(service("v2")), put(service("s", ["10.0.0.1"]))])
        func configuration(_ backend: String) -> RouteConfiguration {
            routes(
                of: "s",
                (0..<hosts).map { number in
                    host(
                        [.exact("h\(number).com")],
                        (0..<count).map {
                            route("\($0)", .prefix("/p\($0)"), to: .to($0 == 0 ? backend : "v1"))
                        })
                })
        }
        let clock = ContinuousClock()
        let first = try clock.measure { try rig.apply([put(configuration("v1"))]) }
        let entries = rig.count
        let second = try clock.measure { try rig.apply([put(configuration("v2"))]) }
        let none = try clock.measure { try rig.apply([]) }
        let request = TestRequest("/p0/x", "h\(hosts - 1).com")
        #expect(try rig.decide("10.0.0.1", request) == rig.all("v2"))
        let sweep = clock.measure { rig.settle() }
        #expect(rig.count == entries)
        print(
            "\(hosts) hosts of \(count) routes: \(entries) entries; first \(first), changed \(second), "
                + "unchanged \(none), removal \(sweep)")
    }
}
