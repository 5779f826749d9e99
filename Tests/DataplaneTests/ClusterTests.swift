import KmeshKit
import Testing

/// Service ports that routes lead to by their ids.
@Suite struct ClusterTests {
    private let cluster = ClusterKey(key("a"), port: 80, family: .v4)
    private let pods = workloads(3, serving: ["a"])

    /// Applies, and returns what a referral saw: the ids of `cluster` and of those in the map.
    @discardableResult
    private func apply(
        _ changes: [Change], to rig: inout Rig, watching id: UInt32? = nil
    ) -> [(id: UInt32?, isThere: Bool, wasThere: Bool, renumbered: Set<ServiceKey>)] {
        var seen: [(UInt32?, Bool, Bool, Set<ServiceKey>)] = []
        let maps = rig.maps
        func isThere(_ id: UInt32?) -> Bool {
            id.flatMap { maps.services.value(of: ServiceMapKey(serviceID: $0)) } != nil
        }
        _ = rig.dataplane.apply(changes) { (dataplane, renumbered) throws(MapError) in
            let now = dataplane.serviceID(of: cluster)
            seen.append((now, isThere(now), isThere(id), renumbered))
        }
        return seen
    }

    private func isInMap(_ id: UInt32, _ rig: Rig) -> Bool {
        rig.maps.services.value(of: ServiceMapKey(serviceID: id)) != nil
    }

    @Test func aServiceWithoutAddressesHasTheClustersThatAreWanted() throws {
        var rig = Rig()
        rig.apply([put(service("a"))] + pods.map(put))
        #expect(rig.maps.counts == MapCounts())
        #expect(rig.dataplane.serviceID(of: cluster) == nil)

        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        rig.apply([])
        let id = try #require(rig.dataplane.serviceID(of: cluster))
        #expect(rig.maps.services.value(of: ServiceMapKey(serviceID: id))?.endpointCount == 3)
        #expect(rig.maps.counts == MapCounts(services: 1, slots: 3, endpoints: 3))
        #expect(rig.dataplane.serviceID(of: ClusterKey(key("a"), port: 80, family: .v6)) == nil)
        #expect(try rig.dataplane.verify() == [])

        // Its endpoints may go: the id stays.
        rig.apply(pods.map(remove))
        #expect(rig.dataplane.serviceID(of: cluster) == id)
        #expect(rig.maps.counts == MapCounts(services: 1))

        rig.dataplane.changeClusters(adding: [], removing: [cluster])
        rig.apply([])
        #expect(rig.dataplane.serviceID(of: cluster) == nil)
        #expect(rig.maps.counts == MapCounts())
    }

    @Test func aClusterComesWithItsServiceAndPort() throws {
        var rig = Rig()
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        rig.apply(pods.map(put))
        #expect(rig.dataplane.serviceID(of: cluster) == nil)
        rig.apply([put(service("a", ports: [81]))])
        #expect(rig.dataplane.serviceID(of: cluster) == nil)
        rig.apply([put(service("a", ports: [81, 80]))])
        #expect(rig.dataplane.serviceID(of: cluster) != nil)
    }

    @Test func aServiceWithAnAddressIsItsOwnCluster() throws {
        var rig = Rig()
        rig.apply([put(service("a", ["10.0.0.1"]))] + pods.map(put))
        let counts = rig.maps.counts
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        #expect(rig.apply([]).writes == 0)
        #expect(rig.dataplane.serviceID(of: cluster) == rig.serviceID("10.0.0.1"))
        // It loses its address and keeps its id, and gets another.
        let id = rig.dataplane.serviceID(of: cluster)
        rig.apply([put(service("a"))])
        #expect(rig.dataplane.serviceID(of: cluster) == id)
        rig.apply([put(service("a", ["10.0.0.2"]))])
        #expect(rig.serviceID("10.0.0.2") == id)
        #expect(rig.maps.counts == counts)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aReferralComesBetweenWhatIsWrittenAndWhatIsRemoved() throws {
        var rig = Rig()
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        let first = apply([put(service("a"))] + pods.map(put), to: &rig)
        #expect(first.map(\.isThere) == [true])
        #expect(first.map(\.renumbered) == [[key("a")]])
        let id = try #require(first.first?.id)
        // An endpoint is no reason to look for ids.
        #expect(apply([remove(pods[0])], to: &rig).map(\.renumbered) == [[]])
        // The port goes, and comes again with another id.
        let second = apply([put(service("a", ports: [81]))], to: &rig, watching: id)
        #expect(second.map(\.id) == [nil])
        #expect(second.map(\.wasThere) == [true])
        #expect(second.map(\.renumbered) == [[key("a")]])
        #expect(!isInMap(id, rig))
        let third = apply([put(service("a"))], to: &rig)
        #expect(third.map(\.isThere) == [true])
        #expect(third.first?.id != id)
        let removed = apply([remove(service("a"))], to: &rig, watching: third.first?.id)
        #expect(removed.map(\.wasThere) == [true])
        #expect(removed.map(\.renumbered) == [[key("a")]])
        #expect(rig.maps.counts == MapCounts())
    }

    @Test func whatIsRemovedWaitsForAReferralThatFails() throws {
        var rig = Rig()
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        apply([put(service("a"))] + pods.map(put), to: &rig)
        let id = try #require(rig.dataplane.serviceID(of: cluster))
        let error = MapError(map: "routes", operation: .update, errno: .noMemory)
        let result = rig.dataplane.apply([remove(service("a")), put(service("b", ["10.0.0.2"]))]) {
            (_, _) throws(MapError) in throw error
        }
        #expect(result.rejected.isEmpty)
        #expect(rig.dataplane.stall == error)
        #expect(rig.dataplane.pendingWrites > 0)
        #expect(isInMap(id, rig))
        #expect(rig.serviceID("10.0.0.2") != nil)
        // A look for drift does not remove it either.
        _ = rig.dataplane.repairDrift()
        #expect(isInMap(id, rig))
        var told: [Set<ServiceKey>] = []
        let writes = rig.dataplane.retryPending { (_, renumbered) throws(MapError) in
            told.append(renumbered)
        }
        #expect(writes > 0)
        #expect(told == [[key("a")]])
        #expect(rig.dataplane.pendingWrites == 0)
        #expect(rig.dataplane.stall == nil)
        #expect(!isInMap(id, rig))
        #expect(try rig.dataplane.verify() == [])
    }

    // MARK: After a restart

    private func restarted(knowing clusters: [ClusterKey: UInt32], _ rig: Rig) throws -> Rig {
        var rig = rig
        rig.dataplane = L4Dataplane(maps: rig.maps.maps, localNode: "n1")
        try rig.dataplane.adopt(
            clusters: Dictionary(uniqueKeysWithValues: clusters.map { ($0.key.digest, $0.value) }))
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        return rig
    }

    @Test func aClusterThatIsKnownIsFoundAgain() throws {
        var rig = Rig()
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        let configuration = [put(service("a"))] + pods.map(put)
        rig.apply(configuration)
        let id = try #require(rig.dataplane.serviceID(of: cluster))
        rig = try restarted(knowing: [cluster: id], rig)
        let before = rig.maps.writeCount
        let seen = apply(configuration, to: &rig)
        #expect(rig.maps.writeCount == before)
        #expect(seen.map(\.id) == [id])
        #expect(seen.map(\.renumbered) == [[key("a")]])
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aClusterThatIsNotKnownIsLedToBeforeTheOldOneGoes() throws {
        var rig = Rig()
        rig.dataplane.changeClusters(adding: [cluster], removing: [])
        let configuration = [put(service("a"))] + pods.map(put)
        rig.apply(configuration)
        let id = try #require(rig.dataplane.serviceID(of: cluster))
        let counts = rig.maps.counts
        rig = try restarted(knowing: [:], rig)
        let seen = apply(configuration, to: &rig, watching: id)
        #expect(seen.map(\.isThere) == [true])
        #expect(seen.map(\.wasThere) == [true])
        #expect(seen.first?.id != id)
        #expect(rig.maps.counts == counts)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func whatIsKnownMayBeWrong() throws {
        var rig = Rig()
        rig.apply([put(service("a")), put(service("b", ["10.0.0.2"]))] + pods.map(put))
        for wrong in [1, 2, 0, 77, UInt32.max] {
            let other = try #require(rig.serviceID("10.0.0.2"))
            rig = try restarted(knowing: [cluster: wrong], rig)
            apply([put(service("a")), put(service("b", ["10.0.0.2"]))] + pods.map(put), to: &rig)
            let id = try #require(rig.dataplane.serviceID(of: cluster))
            // What routes lead to as something else is nobody's, whatever addresses lead there.
            #expect((rig.serviceID("10.0.0.2") == other) == (wrong != other))
            #expect(rig.serviceID("10.0.0.2") != id)
            #expect(rig.maps.services.value(of: ServiceMapKey(serviceID: id))?.endpointCount == 3)
            #expect(try rig.dataplane.verify() == [])
        }
    }
}
