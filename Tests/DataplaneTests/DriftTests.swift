import KmeshKit
import Testing

/// What somebody else changes in the maps is found and repaired, and nothing else is written.
@Suite struct DriftTests {
    /// Small, so that a round takes several looks.
    private static let pace: DriftPace = {
        var pace = DriftPace()
        (pace.ports, pace.readings, pace.entries, pace.tables) = (3, 200, 16, 1)
        return pace
    }()
    /// Enough for two rounds in each direction.
    private static let looks = 120

    /// Every kind of entry: marks of services and of workloads, slots, tables, endpoints, waypoints.
    private func rig() -> Rig {
        var rig = Rig()
        var waypoint = workload("proxy", ["10.8.0.1"], serving: ["way"])
        waypoint.isWaypoint = true
        var redirected = service("reviews", ["10.0.0.1"], ports: [80, 81])
        let way = WaypointReference(service: key("way"), port: 80)
        redirected.waypoint = way
        var pod = workload("own", ["10.8.0.2"], serving: ["reviews"])
        pod.waypoint = way
        rig.apply(
            [
                put(service("way", ["10.0.0.9"])), put(redirected),
                put(service("ratings", ["fd00::1"], policy: .maglev)),
                put(service("details", ["10.0.0.2"], policy: .weighted)), put(waypoint), put(pod),
                put(workload("x", ["fd00:1::1"], serving: ["ratings"])),
            ] + workloads(12, serving: ["reviews", "details"]).map(put))
        return rig
    }

    /// Looks until everything was looked at; how many entries were repaired.
    @discardableResult
    private func look(_ rig: inout Rig, _ count: Int = looks) -> [String: UInt64] {
        var report = DriftReport.none
        for _ in 0..<count { report.add(rig.dataplane.repairDrift(Self.pace)) }
        #expect(report.fault == nil)
        return report.repaired
    }

    @Test func whatIsAsItShouldBeIsNotWritten() throws {
        var rig = rig()
        #expect(try rig.dataplane.verify() == [])
        let writes = rig.maps.writeCount
        #expect(look(&rig) == [:])
        #expect(rig.maps.writeCount == writes)
        #expect(rig.maps.counts.waypoints == 1 && rig.maps.counts.tables == 2)
    }

    @Test(arguments: ["km_frontend", "km_service", "km_slot", "km_table", "km_endpoint", "km_waypoint"])
    func everyKindOfDamageIsRepaired(map: String) throws {
        var rig = rig()
        let counts = rig.maps.counts
        for damage in Damage.allCases {
            let count = try #require(try rig.maps.damageAll(damage, in: map))
            #expect(try !rig.dataplane.verify().isEmpty, "\(damage)")
            #expect(look(&rig) == [map: UInt64(count)], "\(damage)")
            #expect(try rig.dataplane.verify() == [], "\(damage)")
            #expect(rig.maps.counts == counts && rig.dataplane.entryCounts == counts, "\(damage)")
        }
    }

    @Test(arguments: 1...20)
    func randomDamageIsRepaired(seed: UInt64) throws {
        var rig = rig()
        var random = SplitMix64(seed: seed)
        var writes = 0
        for _ in 0..<5 {
            for _ in 0..<Int.random(in: 1...30, using: &random) { try rig.maps.damageOne(&random) }
            let before = rig.maps.writeCount
            let found = try rig.dataplane.verify().count
            let repaired = look(&rig)
            #expect(try rig.dataplane.verify() == [])
            #expect(repaired.values.reduce(0, +) == UInt64(found))
            #expect(rig.maps.writeCount - before == found, "each is written once")
            #expect(rig.dataplane.entryCounts == rig.maps.counts)
            writes += found
        }
        #expect(writes > 0)
        #expect(rig.choices("10.0.0.2").count == 16381)
    }

    @Test func aLookIsBounded() throws {
        var rig = rig()
        for map in ["km_slot", "km_endpoint"] { _ = try rig.maps.damageAll(.removed, in: map) }
        let writes = rig.maps.writeCount
        _ = rig.dataplane.repairDrift(Self.pace)
        #expect(rig.maps.writeCount - writes <= Self.pace.readings + Self.pace.entries)
        #expect(try !rig.dataplane.verify().isEmpty)
    }

    /// Damage to a whole map is one line for each of the first entries, and one for the rest.
    @Test func theLinesAreBounded() throws {
        var rig = rig()
        _ = try rig.maps.damageAll(.removed, in: "km_endpoint")
        var report = DriftReport.none
        for _ in 0..<Self.looks { report.add(rig.dataplane.repairDrift()) }
        #expect(report.lines.count == DriftReport.lineLimit)
        #expect(report.texts.count == DriftReport.lineLimit + 1)
        #expect(report.texts.first?.hasPrefix("drift in km_endpoint, default/") == true)
        #expect(report.texts.last?.contains("places more") == true, "\(report.texts.last ?? "")")
    }

    @Test func writesThatWaitAreNoDrift() throws {
        var rig = rig()
        rig.maps.slots.setFault(.random(1, seed: 1))
        rig.apply([put(workload("new", ["10.9.0.1"], serving: ["reviews"])), remove(service("details"))])
        #expect(rig.dataplane.pendingWrites > 0)
        #expect(try !rig.dataplane.verify().isEmpty)
        rig.maps.slots.setFault(nil)
        let writes = rig.maps.writeCount
        #expect(look(&rig) == [:])
        #expect(rig.maps.writeCount == writes)
        // Beside them others are repaired; they wait in the same order.
        rig.maps.slots.setFault(.random(1, seed: 1))
        rig.maps.endpoints.damage(EndpointKey(serviceID: 99, endpointID: 1))
        #expect(look(&rig) == [:], "it is not counted before it is done")
        rig.maps.slots.setFault(nil)
        #expect(rig.dataplane.retryPending() > 0)
        #expect(look(&rig, 1) == ["km_endpoint": 1])
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
    }

    /// What somebody else has put into a map is what other writes may wait for.
    @Test func aMapThatOthersHaveFilledIsFreed() throws {
        var rig = Rig(capacities: MapCounts(frontends: 9, services: 9, slots: 9, tables: 1, endpoints: 4))
        rig.apply([put(service("a", ["10.0.0.1"]))])
        let address = try #require(IPAddress("10.9.9.9"))
        try rig.maps.endpoints.upsert(
            (1...4).map {
                MapEntry(
                    EndpointKey(serviceID: 999, endpointID: $0), EndpointValue(address: address, port: 1))
            })
        rig.apply([put(workload("x", ["10.1.0.1"], serving: ["a"]))])
        #expect(rig.dataplane.stall?.isFull == true)
        let repaired = look(&rig)
        #expect(repaired == ["km_endpoint": 4])
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
    }

    @Test func whatAnEarlierRunLeftIsNotTouchedBeforeTheFirstConfiguration() throws {
        var rig = rig()
        try rig.restart()
        let writes = rig.maps.writeCount
        #expect(look(&rig) == [:])
        #expect(rig.maps.writeCount == writes)
    }

    /// Services come and go while the rounds go on.
    @Test func changesInBetweenAreNoDrift() throws {
        var rig = rig()
        for round in 0..<60 {
            let name = "s\(round % 7)"
            rig.apply(
                round % 3 == 2
                    ? [remove(service(name))]
                    : [put(service(name, ["10.2.0.\(round % 7 + 1)"]))]
                        + workloads(round % 5, name, serving: [name]).map(put))
            #expect(look(&rig, 1) == [:])
        }
        #expect(try rig.dataplane.verify() == [])
    }
}

extension DriftReport {
    /// What a data plane finds that is as it should be.
    static var none: DriftReport {
        var rig = Rig()
        return rig.dataplane.repairDrift()
    }
}
