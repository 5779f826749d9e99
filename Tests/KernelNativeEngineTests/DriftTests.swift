import KmeshKit
import Testing

@testable import KernelNativeEngine

/// What somebody else changes in the maps is found and repaired; and what people see of the maps.
@Suite struct DriftTests {
    private func rig() throws -> Rig {
        var rig = Rig()
        try rig.apply(try configuration())
        return rig
    }

    /// Of everything that there is something.
    private func configuration() throws -> [ResourceChange<MeshResource>] {
        let long = String(repeating: "x", count: 300)
        let many = (0..<9).map { NamedMatch(name: "h\($0)", value: .present) }
        return [
            put(service("v1")), put(service("v2")), put(service("s", ["10.0.0.1"])), put(cluster: "c"),
            put(
                routes(
                    of: "s",
                    [
                        host(
                            [.any, .exact("a.com")],
                            [route("many", .prefix("/a"), headers: many, to: .to("v1"))]),
                        host(
                            [.suffix(".com")],
                            [
                                route(
                                    "split", .exact("/" + String(repeating: "y", count: 100)),
                                    to: .to([("v1", 1), ("v2", 2)])),
                                route(
                                    "long", headers: [NamedMatch(name: "x", value: .exact(long))],
                                    to: .to("v2")),
                            ]),
                    ])),
            put(
                Listener(
                    name: "l", address: IPAddress(v4: 0), port: 81,
                    filterChains: [
                        FilterChain(
                            match: FilterChainMatch(sourcePrefixes: [try #require(IPBlock("10.0.0.0/8"))]),
                            action: .tcp([WeightedBackend(backend: .cluster("c"))]))
                    ])),
        ]
    }

    /// The next run knows what is the same, whatever programs have counted meanwhile.
    @Test func aRestartWritesOnlyWhatHasChanged() throws {
        var rig = try rig()
        // Of units that are equal each stays where it is.
        var all = try configuration()
        for (number, name) in ["u", "t"].enumerated() {
            let more = [
                put(service(name, ["10.0.0.\(number + 5)"])),
                put(routes(of: name, [host([.any], [route(to: .to("v1"))])])),
            ]
            try rig.apply(more)
            all += more
        }
        let split = try #require(rig.maps.splits.contents().entries.first)
        var counted = split.value
        counted.cursor = 77
        try rig.maps.splits.upsert([MapEntry(split.key, counted)])
        let writes = rig.writeCount
        var next = Rig(rig.maps)
        next.ports = rig.ports
        try next.dataplane.adopt()
        next.settle()
        next.dataplane.prepare(all)
        try next.dataplane.refer(to: rig.ports)
        next.settle()
        #expect(rig.writeCount == writes)
        #expect(try next.verify() == [])
        #expect(next.dataplane.entriesByMap.values.reduce(0, +) == next.count)
        #expect(try rig.maps.splits.contents().entries[split.key]?.cursor == 77)
        // What it took over it can replace, too.
        let routed = ["s", "t", "u"].map { MeshResourceName.routes(.service(.named($0), port: 80)) }
        try next.apply(routed.map { .remove($0) } + [.remove(.listener("l"))])
        next.settle()
        #expect(next.count == 0)
    }

    private func look(_ rig: inout Rig) -> (repaired: [String: UInt64], texts: [String]) {
        var pace = DriftPace()
        (pace.readings, pace.entries, pace.wantedRound, pace.mapRound) = (7, 3, 1, 1)
        var report = DriftReport()
        for _ in 0..<60 { report.add(rig.dataplane.repairDrift(pace) { "service \($0)" }) }
        #expect(report.fault == nil)
        return (report.repaired, report.texts)
    }

    @Test func whatIsAsItShouldBeIsNotWritten() throws {
        var rig = try rig()
        #expect(try rig.verify() == [])
        let writes = rig.writeCount
        #expect(look(&rig).repaired == [:])
        #expect(rig.writeCount == writes)
        for map in rig.maps.all { #expect(map.count > 0, "nothing in \(map.name)") }
    }

    @Test func everyKindOfDamageIsRepaired() throws {
        var rig = try rig()
        let maps = rig.maps
        try check(maps.listeners, &rig) { $0.serviceID += 1 }
        try check(maps.chains, &rig) { $0.target += 1 }
        try check(maps.tables, &rig) { $0.other += 1 }
        try check(maps.hosts, &rig) { $0.other += 1 }
        try check(maps.found, &rig) { $0.text += 1 }
        try check(maps.routes, &rig) { $0.target += 1 }
        try check(maps.conditions, &rig) { $0.texts[0] += 1 }
        try check(maps.texts64, &rig) { $0.matcher.value.append(1) }
        try check(maps.texts256, &rig) { $0.matcher.value.append(1) }
        try check(maps.texts4096, &rig) { $0.matcher.value.append(1) }
        try check(maps.splits, &rig) { $0.stride += 1 }
        try check(maps.shares, &rig) { $0.end += 1 }
        // A foreign entry, and one that is damaged.
        let foreign = FrontendKey(address: IPAddress(v4: 77), port: 7, transport: .tcp)
        try maps.listeners.upsert([MapEntry(foreign, ListenerValue())])
        try maps.routes.upsert([
            MapEntry(RouteMapKey(hostID: 1_000_000, number: 1), RouteValue(action: 1, target: 1))
        ])
        let damaged = FrontendKey(address: IPAddress(v4: 0x0a00_0001), port: 80, transport: .tcp)
        maps.listeners.damage(damaged)
        #expect(try rig.verify().count == 3)
        #expect(look(&rig).repaired == ["km_listener": 2, "km_route": 1])
        #expect(try rig.verify() == [])
    }

    /// Changes each entry, then removes each.
    private func check<Key, Value>(
        _ map: InMemoryMap<Key, Value>, _ rig: inout Rig, _ change: (inout Value) -> Void
    ) throws {
        let entries = try map.contents().entries
        try map.upsert(
            entries.map { key, value in
                var value = value
                change(&value)
                return MapEntry(key, value)
            })
        #expect(try rig.verify().count == entries.count, "\(map.name)")
        #expect(look(&rig).repaired == [map.name: UInt64(entries.count)], "\(map.name)")
        try map.remove(Array(entries.keys))
        #expect(try rig.verify().count == entries.count, "\(map.name)")
        let (repaired, texts) = look(&rig)
        #expect(repaired == [map.name: UInt64(entries.count)], "\(map.name)")
        #expect(
            texts.allSatisfy { $0.contains("drift in \(map.name), ") && !$0.contains("unknown") }, "\(texts)")
        #expect(try rig.verify() == [])
        #expect(try map.contents().entries == entries)
    }

    @Test func dumpsHaveNames() throws {
        let rig = try rig()
        let maps = rig.dataplane.dumpableMaps { "service \($0)" }
        #expect(maps.count == 12)
        func table(_ name: String) throws -> String { try maps.read(MapQuery([name]))[0].table }
        for map in maps { #expect(!(try table(map.name).contains("unknown"))) }
        let listeners = try table("listener")
        #expect(listeners.contains("listener=\"routes of Service default/s:80\""), "\(listeners)")
        #expect(listeners.contains("address=\"any 0.0.0.0\" port=81 listener=\"Listener l\""), "\(listeners)")
        #expect(listeners.contains("routesBy=\"Service default/s:80 (IPv4)\""), "\(listeners)")
        #expect(try table("km_chain").contains("clients=\"10.0.0.0 of 104 bits\" service=\"service "))
        #expect(try table("km_found").contains("if=\":host ends with .com\""))
        #expect(try table("km_found").contains("if=\":path is at or below /a\""))
        #expect(try table("km_route").contains("sharesBy=\"Service default/s:80 (IPv4) *.com route split\""))
    }
}
