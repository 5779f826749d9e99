import KmeshKit
import Testing

@Suite struct VerificationTests {
    private func rig() -> Rig {
        var rig = Rig()
        rig.apply([
            put(service("reviews", ["10.0.0.1"])), put(service("ratings", ["fd00::1"], policy: .maglev)),
            put(workload("x", ["10.1.0.1", "fd00:1::1"], serving: ["reviews", "ratings"])),
        ])
        return rig
    }

    @Test func everyMapIsCompared() throws {
        let rig = rig()
        let id = try #require(rig.serviceID("10.0.0.1")), other = try #require(rig.serviceID("fd00::1"))
        let address = try #require(IPAddress("10.0.0.1"))
        let frontend = FrontendKey(address: address, port: 80, transport: .tcp)
        try rig.maps.frontends.upsert([MapEntry(frontend, FrontendValue(serviceID: other))])
        try rig.maps.frontends.remove([FrontendKey(markerOf: address)])
        rig.maps.services.damage(ServiceMapKey(serviceID: id))
        try rig.maps.slots.upsert([
            MapEntry(SlotKey(serviceID: id, tier: 3, index: 0), SlotValue(endpointID: 1))
        ])
        var table = [UInt32](repeating: 1, count: 16381)
        table[7] = 2
        try rig.maps.tables.upsert([
            MapEntry(ServiceMapKey(serviceID: other), TableValue(endpointIDs: table)),
            MapEntry(ServiceMapKey(serviceID: 99), TableValue(endpointIDs: table)),
        ])
        try rig.maps.endpoints.upsert([
            MapEntry(EndpointKey(serviceID: id, endpointID: 1), EndpointValue(address: address, port: 9))
        ])
        #expect(
            try rig.dataplane.verify().map(\.description) == [
                "km_frontend[10.0.0.1]: wanted the mark of an address, found nothing",
                "km_frontend[10.0.0.1:80/TCP]: wanted default/reviews port 80/TCP IPv4, "
                    + "found default/ratings port 80/TCP IPv6",
                "km_service[default/reviews port 80/TCP IPv4]: "
                    + "wanted random, 1 endpoints in tier 0, found damaged",
                "km_slot[default/reviews port 80/TCP IPv4 tier 3 slot 0]: "
                    + "wanted nothing, found 10.1.0.1:8080",
                "km_table[default/ratings port 80/TCP IPv6]: wanted a table of 1 endpoints, "
                    + "found one with 1 other slots",
                "km_table[unknown service 99]: wanted nothing, found a table",
                "km_endpoint[default/reviews port 80/TCP IPv4 endpoint 1]: "
                    + "wanted 10.1.0.1:8080, found 10.0.0.1:9",
            ])
    }

    @Test func theSnapshotSaysWhatIsInForce() throws {
        var snapshot = EngineSnapshot(mode: .dualEngine)
        rig().dataplane.describe(in: &snapshot)
        #expect(snapshot.services.map(\.service) == ["default/ratings", "default/reviews"])
        #expect(snapshot.services.map(\.policy) == [.maglev, .random])
        #expect(
            snapshot.services.map { $0.endpoints.map(\.address.description) } == [
                ["fd00:1::1"], ["10.1.0.1"],
            ])
        #expect(snapshot.frontends.count == 4)
        #expect(snapshot.frontends.filter { $0.transport == nil }.map(\.serviceID) == [0, 0])
    }
}
