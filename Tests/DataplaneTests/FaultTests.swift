import KmeshKit
import Testing

/// Writes that the kernel refuses for a moment, or for longer.
@Suite struct FaultTests {
    private func mesh() -> [Change] {
        [put(service("a", ["10.0.0.1"])), put(service("b", ["10.0.0.2"], policy: .maglev))]
            + workloads(10, serving: ["a", "b"]).map(put)
    }

    @Test(arguments: 1...12)
    func aWriteThatFailsOnceIsTriedAgain(nth: Int) throws {
        var rig = Rig()
        rig.maps.setFault(.nth(nth))
        #expect(rig.apply(mesh()).rejected.isEmpty)
        #expect(rig.dataplane.pendingWrites == 0 && rig.dataplane.stall == nil)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func writesWaitUntilTheMapTakesThem() throws {
        var rig = Rig()
        rig.apply(mesh())
        rig.maps.slots.setFault(.random(1, seed: 1))
        let new = workload("new", ["10.9.0.1"], serving: ["a"])
        rig.apply([put(new)])
        #expect(rig.dataplane.stall?.map == "km_slot")
        #expect(rig.dataplane.pendingWrites > 0)
        #expect(try !rig.dataplane.verify().isEmpty)
        #expect(rig.choices("10.0.0.1").count == 10)
        // More changes join those that wait, also such that undo them.
        rig.apply([remove(new), put(workload("other", ["10.9.0.2"], serving: ["a"]))])
        rig.apply([put(service("c", ["10.0.0.3"]))])
        rig.maps.slots.setFault(nil)
        #expect(rig.dataplane.retryPending() > 0)
        #expect(rig.dataplane.pendingWrites == 0)
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
        #expect(rig.choices("10.0.0.1").count == 11)
    }

    @Test func removalsThatFailAreMadeLater() throws {
        var rig = Rig()
        let all = mesh()
        rig.apply(all)
        rig.maps.setFault(.random(1, seed: 2))
        rig.apply([remove(service("a")), remove(service("b"))])
        rig.apply([put(service("a", ["10.0.0.1"]))])
        rig.maps.setFault(nil)
        rig.apply([])
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
        #expect(rig.maps.counts == MapCounts(frontends: 2, services: 1, slots: 10, tables: 0, endpoints: 10))
    }

    /// Somebody else fills the map: the accounts do not know.
    @Test func aFullMapStopsTheWritesBehindIt() throws {
        var rig = Rig(capacities: MapCounts(frontends: 9, services: 9, slots: 9, tables: 1, endpoints: 2))
        rig.apply([put(service("a", ["10.0.0.1"]))])
        let address = try #require(IPAddress("10.9.9.9"))
        let foreign = (1...2).map { EndpointKey(serviceID: 999, endpointID: $0) }
        try rig.maps.endpoints.upsert(foreign.map { MapEntry($0, EndpointValue(address: address, port: 1)) })
        rig.apply([put(workload("x", ["10.1.0.1"], serving: ["a"]))])
        #expect(rig.dataplane.stall?.isFull == true)
        #expect(rig.value("10.0.0.1")?.endpointCount == 0)
        try rig.maps.endpoints.remove(foreign)
        rig.apply([])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
    }
}
