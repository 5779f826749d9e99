import CKmeshABI
import KmeshKit
import Testing

@testable import KernelNativeEngine

/// How configurations come into the maps, change there and go.
@Suite struct RouteDataplaneTests {
    private func rig() throws -> Rig {
        var rig = Rig()
        try rig.apply([
            put(service("v1")), put(service("v2")), put(service("s", ["10.0.0.1", "fd00::1"])),
            put(routes(of: "s", [host([.any], [route(to: .to("v1"))])])),
        ])
        return rig
    }

    @Test func aServiceHasAListenerForEachAddress() throws {
        let rig = try rig()
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"))
        #expect(try rig.decide("fd00::1") == rig.all("v1", .v6))
        #expect(try rig.decide("10.0.0.1", port: 81) == .notAListener)
        let key = FrontendKey(address: IPAddress(v4: 0x0a00_0001), port: 80, transport: .tcp)
        let value = try #require(rig.maps.listeners.value(of: key))
        #expect(value.serviceID == rig.id("s") && value.readTimeout == 1000 && value.idleTimeout == 3000)
        #expect(try rig.verify() == [])
    }

    @Test func timersAreTheServices() throws {
        var rig = try rig()
        var changed = service("s", ["10.0.0.1"])
        (changed.httpReadTimeout, changed.httpIdleTimeout) = (7, 8)
        try rig.apply([put(changed)])
        let key = FrontendKey(address: IPAddress(v4: 0x0a00_0001), port: 80, transport: .tcp)
        let value = try #require(rig.maps.listeners.value(of: key))
        #expect(value.readTimeout == 7 && value.idleTimeout == 8)
        #expect(rig.maps.listeners.count == 1, "the address of the other family is gone")
    }

    @Test func waypointsKeepTheirTraffic() throws {
        var rig = try rig()
        var changed = service("s", ["10.0.0.1", "fd00::1"])
        changed.waypoint = WaypointReference(service: .named("w"), port: 80)
        try rig.apply([put(changed)])
        #expect(try rig.decide("10.0.0.1") == .notAListener)
        changed.prefersKernelRouting = true
        try rig.apply([put(changed)])
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"))
        try rig.apply([.remove(.routes(.service(.named("s"), port: 80)))])
        #expect(try rig.decide("10.0.0.1") == .notAListener)
        rig.settle()
        #expect(rig.count == 0)
        #expect(rig.dataplane.entriesByMap.values.allSatisfy { $0 == 0 })
    }

    /// Routes that lead to a service follow its ids.
    @Test func goneServicesAreRefusedAndNewIDsFollowed() throws {
        var rig = try rig()
        try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to([("v1", 3), ("v2", 1)]))])]))])
        let shares = [rig.id("v1"), rig.id("v2")]
        #expect(
            try rig.decide("10.0.0.1")
                == .shares([.init(id: shares[0], weight: 3), .init(id: shares[1], weight: 1)]))
        try rig.apply([drop(service: "v1")])
        #expect(
            try rig.decide("10.0.0.1") == .shares([.init(id: 0, weight: 3), .init(id: shares[1], weight: 1)]))
        try rig.apply([put(service("v1"))])
        #expect(rig.id("v1") != shares[0])
        #expect(
            try rig.decide("10.0.0.1")
                == .shares([.init(id: rig.id("v1"), weight: 3), .init(id: shares[1], weight: 1)]))
        try rig.apply([drop(service: "v1"), drop(service: "v2")])
        #expect(try rig.decide("10.0.0.1") == .refused(KMESH_REASON_NO_BACKEND))
        try rig.apply([drop(service: "s")])
        #expect(rig.maps.listeners.count == 0)
    }

    @Test func whatNothingLeadsToGoesAfterAGracePeriod() throws {
        var rig = try rig()
        let before = rig.count
        try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to("v2"))])]))])
        #expect(rig.count > before, "the old table is still there")
        rig.dataplane.tend(rig.ports)
        #expect(rig.count > before, "a second has not passed")
        // What it is given up for in between begins its own grace period.
        try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to("v1"))])]))])
        rig.dataplane.tend(rig.ports)
        #expect(rig.count > before)
        rig.settle()
        #expect(rig.count == before)
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"))
        #expect(try rig.verify() == [])
    }

    /// One route of a thousand virtual hosts: the host, and the table with its names.
    @Test func littleIsWrittenForALittleChange() throws {
        var rig = Rig()
        try rig.apply([put(service("v1")), put(service("v2")), put(service("s", ["10.0.0.1"]))])
        func hosts(_ changed: Int? = nil) -> [VirtualHost] {
            (0..<1000).map { (number: Int) in
                host(
                    [.exact("h\(number).com")],
                    [
                        route("a", .exact("/a"), to: .to("v2")),
                        route("b", to: .to(number == changed ? "v2" : "v1")),
                    ])
            }
        }
        try rig.apply([put(routes(of: "s", hosts()))])
        let (before, writes) = (rig.count, rig.writeCount)
        try rig.apply([put(routes(of: "s", hosts()))])
        #expect(rig.writeCount == writes, "nothing has changed")
        try rig.apply([put(routes(of: "s", hosts(500)))])
        // A host with its path and two routes; a table with 1,000 names; the listener.
        #expect(rig.writeCount - writes == 4 + 1001 + 1)
        #expect(try rig.decide("10.0.0.1", TestRequest("/", "h500.com")) == rig.all("v2"))
        rig.settle()
        #expect(rig.count == before)
    }

    @Test func splitsAreExactAndMixed() throws {
        var rig = try rig()
        let parts: [(String, UInt32)] = [("v1", 90), ("v2", 9), ("missing", 1)]
        try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to(parts))])]))])
        // Each family has its own.
        let split = try #require(
            try rig.maps.shares.contents().entries.first { $0.value.serviceID == rig.id("v1") }?.key.splitID)
        let lookup = KernelLookup(maps: rig.maps)
        var value = try #require(rig.maps.splits.value(of: NativeIDKey(split)))
        for start in [UInt32(0), 7, 93] {
            value.cursor = start
            try rig.maps.splits.upsert([MapEntry(NativeIDKey(split), value)])
            let taken = lookup.take(100, from: split)
            #expect(taken.count { $0 == rig.id("v1") } == 90)
            #expect(taken.count { $0 == rig.id("v2") } == 9)
            #expect(taken.count { $0 == 0 } == 1)
            // The rare ones do not come together.
            let rare = taken.indices.filter { taken[$0] == rig.id("v2") }
            #expect(zip(rare, rare.dropFirst()).allSatisfy { $1 - $0 > 3 })
        }
        #expect(try rig.verify() == [], "that programs count is no difference")
    }

    // MARK: Refusals

    private static let impossible: [(Route, String)] = [
        (
            Route(name: "r", match: RouteMatch(path: .regex("/x")), action: .to("v1")),
            "a pattern for its path"
        ),
        (
            route("r", headers: [NamedMatch(name: "x", value: .regex("y"))], to: .to("v1")),
            "a pattern for the header x"
        ),
        (route("r", headers: [NamedMatch(name: "?x", value: .present)], to: .to("v1")), "the header ?x"),
        (route("r", to: .redirect(RedirectAction())), "redirects"),
        (route("r", to: .respond(status: 404)), "answers with the status 404"),
        (
            Route(name: "r", action: .to("v1"), requestHeaders: HeaderChanges(remove: ["x"])),
            "changes headers of requests"
        ),
        (
            route(
                "r",
                to: .forward(
                    ForwardAction(
                        backends: [WeightedBackend(backend: .named("v1"))], rewrite: URLRewrite(host: "x")))),
            "rewrites URLs"
        ),
        (
            route(
                "r",
                to: .forward(
                    ForwardAction(backends: [WeightedBackend(backend: .named("v1"))], requestTimeout: 5))),
            "a timeout for requests"
        ),
        (
            route(
                "r",
                to: .forward(
                    ForwardAction(
                        backends: [WeightedBackend(backend: .named("v1"))], retry: RetryPolicy(codes: [503])))
            ),
            "retries by the status"
        ),
        (
            route(
                "r",
                to: .forward(
                    ForwardAction(
                        backends: [WeightedBackend(backend: .named("v1"))],
                        hash: [.header("a"), .header("b")]))),
            "more than one header"
        ),
        (
            route("r", .exact("/" + String(repeating: "x", count: 5000)), to: .to("v1")),
            "a text of 5006 bytes"
        ),
        (
            route(
                "r", headers: Array(repeating: NamedMatch(name: "x", value: .present), count: 1025),
                to: .to("v1")), "1025 conditions"
        ),
        (route("r", to: .to([("v1", .max), ("v2", 1)])), "weights whose sum"),
    ]

    @Test(arguments: impossible)
    func whatTheKernelCannotDoIsRefusedByName(route: Route, words: String) throws {
        var rig = try rig()
        let rejected = try rig.apply([put(routes(of: "s", [host([.any], [route])]))])
        let reason = try #require(rejected.first?.reason)
        #expect(reason.contains("route r") && reason.contains(words), "\(reason)")
        #expect(reason.hasSuffix("give Service default/s a waypoint, which can"), "\(reason)")
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"), "what ran before stays")
        // It follows the ids of what ran before.
        try rig.apply([drop(service: "v1")])
        try rig.apply([put(service("v1"))])
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"))
        #expect(!rig.dataplane.refusals.isEmpty)
        try rig.apply([put(routes(of: "s", [host([.any], [Route(name: "ok", action: .to("v2"))])]))])
        #expect(rig.dataplane.refusals.isEmpty)
    }

    @Test func tooManyLengthsAreRefused() throws {
        var rig = try rig()
        let paths = (1...63).map {
            route("\($0)", .prefix("/" + String(repeating: "x", count: $0)), to: .to("v1"))
        }
        var reason = try rig.apply([put(routes(of: "s", [host([.any], paths)]))]).first?.reason ?? ""
        #expect(reason.contains("63 different lengths of paths, and 62 are possible"), "\(reason)")
        let names = (1...63).map { DomainPattern.suffix("." + String(repeating: "x", count: $0)) }
        reason = try rig.apply([put(routes(of: "s", [host(names, [])]))]).first?.reason ?? ""
        #expect(reason.contains("63 different lengths of wildcard domains"), "\(reason)")
        #expect(try rig.apply([put(routes(of: "s", [host([.suffix("a.com")], [])]))]).count == 1)
    }

    /// What finds no room is refused before anything is written, and comes when there is room.
    @Test func whatFindsNoRoomIsRefused() throws {
        var rig = Rig(InMemoryNativeMaps(capacity: 10))
        func paths(_ count: Int) -> RouteConfiguration {
            routes(
                of: "s", [host([.any], (0..<count).map { route("\($0)", .exact("/\($0)"), to: .to("v1")) })])
        }
        try rig.apply([put(service("v1")), put(service("s", ["10.0.0.1"])), put(paths(6))])
        let writes = rig.writeCount
        var rejected = try rig.apply([put(paths(11))])
        #expect(
            rejected.first?.reason.contains("needs 7 more entries than map km_found has") == true,
            "\(rejected)")
        #expect(rig.writeCount == writes)
        // This one fits, but not beside the old one.
        rejected = try rig.apply([put(paths(7))])
        #expect(rejected.count == 1)
        #expect(try rig.decide("10.0.0.1", TestRequest("/6")) == .refused(KMESH_REASON_NO_ROUTE))
        try rig.apply([put(paths(4))])
        #expect(rig.dataplane.refusals.isEmpty)
        #expect(try rig.apply([put(paths(5))]).count == 1, "the first one's entries are still there")
        rig.settle()
        #expect(rig.dataplane.refusals.isEmpty, "there is room now, and it was tried again")
        #expect(try rig.decide("10.0.0.1", TestRequest("/4")) == rig.all("v1"))
        #expect(try rig.verify() == [])
    }

    // MARK: Faults, restarts

    @Test func whatCannotBeWrittenWaitsAndTheOldStays() throws {
        var rig = try rig()
        rig.maps.routes.setFault(.from(1))
        #expect(throws: MapError.self) {
            try rig.apply([put(routes(of: "s", [host([.any], [route(to: .to("v2"))])]))])
        }
        #expect(rig.dataplane.pendingWrites > 0)
        #expect(try rig.decide("10.0.0.1") == rig.all("v1"))
        rig.maps.routes.setFault(nil)
        try rig.apply([])
        #expect(rig.dataplane.pendingWrites == 0)
        #expect(try rig.decide("10.0.0.1") == rig.all("v2"))
        rig.settle()
        #expect(try rig.verify() == [])
    }

    @Test func aRestartReplacesWhatWasLeft() throws {
        let rig = try rig()
        let before = rig.count
        var next = Rig(rig.maps)
        next.ports = rig.ports
        try next.dataplane.adopt()
        next.settle()
        #expect(rig.count == before, "nothing is known before the first configuration")
        #expect(try next.verify() == [])
        try next.apply([
            put(service("v1")), put(service("v2")), put(service("s", ["10.0.0.1"])),
            put(routes(of: "s", [host([.any], [route(to: .to("v2"))])])),
        ])
        #expect(try next.decide("10.0.0.1") == next.all("v2"))
        #expect(try next.decide("fd00::1") == .notAListener)
        next.settle()
        #expect(try next.verify() == [])
        #expect(next.count < before)
        // A service whose routes are refused now goes on as the earlier run left it.
        var last = Rig(rig.maps)
        last.ports = next.ports
        try last.dataplane.adopt()
        try last.apply([
            put(service("s", ["10.0.0.1"])),
            put(routes(of: "s", [host([.any], [route(to: .redirect(RedirectAction()))])])),
        ])
        last.settle()
        let key = FrontendKey(address: IPAddress(v4: 0x0a00_0001), port: 80, transport: .tcp)
        if case .shares = KernelLookup(maps: rig.maps).decide(key, TestRequest()) {
        } else {
            Issue.record("what was left is gone")
        }
    }

    /// What a run has taken over unchanged is its service's, and goes with it.
    @Test func whatWasTakenOverIsKeptForItsOwnerAlone() throws {
        let rig = try rig()
        var next = Rig(rig.maps)
        next.ports = rig.ports
        try next.dataplane.adopt()
        next.dataplane.prepare([
            put(service("v1")), put(service("s", ["10.0.0.1", "fd00::1"])),
            put(routes(of: "s", [host([.any], [route(to: .to("v1"))])])),
        ])
        let writes = rig.writeCount
        try next.dataplane.refer(to: next.ports)
        #expect(rig.writeCount == writes)
        let rejected = try next.apply([
            .remove(.service(.named("s"))), .remove(.routes(.service(.named("s"), port: 80))),
            put(service("t", ["10.0.0.1"])),
            put(routes(of: "t", [host([.any], [route(to: .redirect(RedirectAction()))])])),
        ])
        #expect(!rejected.isEmpty)
        #expect(try next.decide("10.0.0.1") == .notAListener)
        next.settle()
        #expect(next.count == 0)
    }

    /// An earlier run that died in the middle of an update leaves what nothing leads to, or not all of it.
    @Test(arguments: 1...12)
    func aRestartAfterACrash(writes: Int) throws {
        var rig = try rig()
        for map in rig.maps.all { map.setFault(.from(writes)) }
        _ = try? rig.apply([put(routes(of: "s", [host([.any], [route("x", .exact("/x"), to: .to("v2"))])]))])
        rig.settle()
        rig.setFault(nil)
        var next = Rig(rig.maps)
        next.ports = rig.ports
        try next.dataplane.adopt()
        try next.apply([
            put(service("v1")), put(service("s", ["10.0.0.1", "fd00::1"])),
            put(routes(of: "s", [host([.any], [route(to: .to("v1"))])])),
        ])
        next.settle()
        #expect(try next.verify() == [])
        #expect(try next.decide("10.0.0.1") == next.all("v1"))
        #expect(next.count == 2 * 4, "a listener, a table, a host and a route for each family")
    }
}
