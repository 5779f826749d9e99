import KmeshKit
import Testing

/// A new data plane over the maps of an earlier one.
@Suite struct RestartTests {
    private var configuration: [Change] {
        let all = workloads(20, serving: ["a", "b", "c", "d"])
        let zones = LocalityPreference(mode: .failover, scopes: [.zone])
        return [
            put(service("a", ["10.0.0.1", "fd00::1"], ports: [80, 81])),
            put(service("b", ["10.0.0.2"], policy: .weighted)),
            put(service("c", ["10.0.0.3"], policy: .maglev, affinity: 60)),
            put(service("d", ["10.0.0.4"], locality: zones)),
            put(service("e", ["10.0.0.4"], ports: [9])),
            .upsert(.node(Node(name: "n1", region: "r", zone: "z1"))),
        ]
            + all.enumerated().map { index, workload in
                var workload = workload
                workload.locality.zone = "z\(index % 3)"
                workload.weight = UInt32(1 + index % 4)
                if index % 7 == 0 { workload.memberships[0].health = .terminating }
                return put(workload)
            }
    }

    @Test func anUnchangedRestartWritesNothing() throws {
        var rig = Rig()
        for change in configuration { rig.apply([change]) }
        rig.apply([remove(workloads(20, serving: [])[4])])
        var configuration = configuration
        configuration.remove(at: 6 + 4)
        for _ in 0..<2 {
            try rig.restart()
            let result = rig.apply(configuration.reversed())
            #expect(result.writes == 0)
            #expect(result.rejected.isEmpty)
            #expect(try rig.dataplane.verify() == [])
            #expect(rig.dataplane.entryCounts == rig.maps.counts)
        }
    }

    @Test func aRestartWithChangesWritesOnlyThem() throws {
        var rig = Rig()
        rig.apply(configuration)
        let id = rig.serviceID("10.0.0.1")
        try rig.restart()
        let result = rig.apply(
            configuration.dropLast() + [put(workload("new", ["10.9.0.1"], serving: ["a"]))])
        #expect(result.writes <= 16)
        #expect(rig.serviceID("10.0.0.1") == id)
        #expect(try rig.dataplane.verify() == [])
        // The next service gets an id that was not there before.
        rig.apply([put(service("f", ["10.0.0.9"]))])
        #expect((rig.serviceID("10.0.0.9") ?? 0) > 6)
    }

    @Test func nothingIsTouchedBeforeTheFirstConfiguration() throws {
        var rig = Rig()
        rig.apply(configuration)
        let counts = rig.maps.counts
        try rig.restart()
        #expect(rig.maps.counts == counts)
        rig.apply([])
        #expect(rig.maps.counts == MapCounts())
    }

    @Test func garbageAndDamageAreRemoved() throws {
        var rig = Rig()
        rig.apply(configuration)
        let good = rig.maps.counts
        let id = try #require(rig.serviceID("10.0.0.1"))
        let other = try #require(rig.serviceID("10.0.0.2"))
        let address = try #require(IPAddress("10.66.0.1"))
        // Entries of services that nobody knows, behind the last slot, in other tiers, and dangling ones.
        try rig.maps.frontends.upsert([
            MapEntry(FrontendKey(address: address, port: 1, transport: .udp), FrontendValue(serviceID: 900)),
            MapEntry(FrontendKey(markerOf: address), FrontendValue(serviceID: 0)),
        ])
        try rig.maps.slots.upsert([
            MapEntry(SlotKey(serviceID: id, tier: 0, index: 4_000_000_000), SlotValue(endpointID: 1)),
            MapEntry(SlotKey(serviceID: id, tier: 99, index: 0), SlotValue(endpointID: 1)),
            MapEntry(SlotKey(serviceID: id, tier: 0, index: 1), SlotValue(endpointID: 77)),
            MapEntry(SlotKey(serviceID: 901, tier: 0, index: 0), SlotValue(endpointID: 1)),
        ])
        try rig.maps.endpoints.upsert([
            MapEntry(EndpointKey(serviceID: id, endpointID: 500), EndpointValue(address: address, port: 1)),
            MapEntry(EndpointKey(serviceID: 0, endpointID: 1), EndpointValue(address: address, port: 1)),
        ])
        try rig.maps.tables.upsert([
            MapEntry(
                ServiceMapKey(serviceID: other), TableValue(endpointIDs: Array(repeating: 3, count: 16381)))
        ])
        rig.maps.services.damage(ServiceMapKey(serviceID: id))
        rig.maps.slots.damage(SlotKey(serviceID: id, tier: 0, index: 3))
        rig.maps.endpoints.damage(EndpointKey(serviceID: id, endpointID: 5))
        rig.maps.frontends.damage(FrontendKey(markerOf: try #require(IPAddress("10.0.0.3"))))
        rig.maps.frontends.damage(FrontendKey(address: address, port: 2, transport: .tcp))
        #expect(try rig.dataplane.verify().count >= 12)
        try rig.restart()
        #expect(rig.apply(configuration).rejected.isEmpty)
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.serviceID("10.0.0.1") == id)
        #expect(rig.maps.counts == good)
        #expect(rig.dataplane.entryCounts == good)
    }

    @Test func aRefusedServiceKeepsWhatRanBeforeTheRestart() throws {
        var rig = Rig(capacities: MapCounts(frontends: 10, services: 10, slots: 10, tables: 0, endpoints: 3))
        let all = workloads(4, serving: ["a"])
        let a = service("a", ["10.0.0.1"])
        rig.apply([put(a)] + all.prefix(3).map(put))
        #expect(rig.apply([put(all[3])]).rejected.count == 1)
        try rig.restart()
        let result = rig.apply([put(a)] + all.map(put))
        #expect(result.rejected.count == 1 && result.writes == 0)
        #expect(rig.choices("10.0.0.1").count == 3)
        #expect(try rig.dataplane.verify() == [])
    }
}
