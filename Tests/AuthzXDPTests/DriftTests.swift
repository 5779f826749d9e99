import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// What somebody else changes in authorization's maps is found and repaired, and nothing else is written.
@Suite struct DriftTests {
    private static let pace: DriftPace = {
        var pace = DriftPace()
        (pace.readings, pace.entries) = (7, 5)
        return pace
    }()
    private static let looks = 200
    private let server = pod("server", "10.0.0.1", "fd00::1")

    private var mesh: [Change] { meshOfAllKinds(probing: [8080, 8081]) }

    private func loaded() throws -> Rig {
        var rig = Rig()
        try rig.dataplane.protect(server.local)
        #expect(rig.apply(mesh).rejected.isEmpty)
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])
        return rig
    }

    private func look(_ rig: inout Rig) -> [String: UInt64] {
        var repaired: [String: UInt64] = [:]
        for _ in 0..<Self.looks {
            let report = rig.dataplane.repairDrift(Self.pace)
            #expect(report.fault == nil)
            repaired.merge(report.repaired, uniquingKeysWith: +)
        }
        return repaired
    }

    @Test func whatIsAsItShouldBeIsNotWritten() throws {
        var rig = try loaded()
        let (writes, waits) = (rig.maps.writeCount, rig.grace.count)
        #expect(look(&rig) == [:])
        #expect(rig.maps.writeCount == writes && rig.grace.count == waits)
        let counts = rig.maps.counts.byMap
        #expect(counts.allSatisfy { $0.count > 0 }, "every map is part of it: \(counts)")
    }

    @Test func everyKindOfDamageIsRepaired() throws {
        var rig = try loaded()
        let counts = rig.maps.counts
        for damage in MapDamage.allCases {
            for (map, change) in rig.maps.changes {
                let count = try change(damage)
                guard count > 0 else { continue }
                #expect(try !rig.dataplane.verify().isEmpty, "\(damage) \(map)")
                #expect(look(&rig) == [map: UInt64(count)], "\(damage) \(map)")
                #expect(try rig.dataplane.verify() == [], "\(damage) \(map)")
                #expect(rig.maps.counts == counts, "\(damage) \(map)")
            }
        }
        #expect(rig.outcome("10.1.0.1", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.1.0.0", "10.0.0.1") == .allowed)
    }

    @Test(arguments: 1...10)
    func randomDamageIsRepaired(seed: UInt64) throws {
        var rig = try loaded()
        var random = SplitMix64(seed: seed)
        for _ in 0..<5 {
            for (_, change) in rig.maps.changes.shuffled(using: &random).prefix(4) {
                _ = try change(MapDamage.allCases.randomElement(using: &random) ?? .removed)
            }
            let found = try rig.dataplane.verify().count
            #expect(look(&rig).values.reduce(0, +) == UInt64(found))
            #expect(try rig.dataplane.verify() == [])
        }
    }

    @Test func whatWaitsIsNoDrift() throws {
        var rig = try loaded()
        rig.maps.setFault(.random(1, seed: 1))
        rig.apply([
            put(policy("new", .deny, .namespaces("shop-2"))), remove(policy("a", .deny, .namespaces("x"))),
            put(pod("late", in: "shop-1", "10.2.0.1")),
        ])
        #expect(rig.dataplane.stall != nil)
        rig.maps.setFault(nil)
        let writes = rig.maps.writeCount
        #expect(look(&rig) == [:])
        #expect(rig.maps.writeCount == writes)
        rig.dataplane.tend()
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func whatAnEarlierRunLeftIsNotTouched() throws {
        var rig = try loaded()
        try rig.restart()
        try rig.dataplane.protect(server.local)
        let writes = rig.maps.writeCount
        #expect(look(&rig) == [:])
        // The policy that is gone is removed after a grace period, and until then it is no drift.
        rig.grace.setOver(false)
        rig.apply(mesh.dropLast())
        #expect(look(&rig) == [:])
        rig.grace.setOver(true)
        rig.dataplane.tend()
        #expect(look(&rig) == [:])
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.maps.writeCount > writes)
    }
}

private enum MapDamage: CaseIterable {
    case removed, damaged, changed, added
}

extension InMemoryAuthzMaps {
    /// For each map what changes all of its entries, or adds two; it returns how many it has changed.
    fileprivate var changes: [(map: String, change: (MapDamage) throws -> Int)] {
        let address = IPAddress(v4: 0x0b09_0901)
        let block = blocks.ids.first ?? 1
        return [
            sources.change(
                [AuthzAddressKey(address)], AuthzSourceValue(identityID: 77, namespaceID: 78)),
            destinations.change([AuthzAddressKey(address)], AuthzDestinationValue(viewID: 77)),
            views.change([AuthzIDKey(77)], AuthzViewValue(flags: 0, blockIDs: [77])),
            blocks.change([AuthzIDKey(77)], AuthzBlockValue(wordCount: 3, dimensions: 2)),
            bits.change(
                [block, 77].map { AuthzBitsKey(blockID: $0, dimension: .namespace, value: 4242) },
                TermVector()),
            prefixes.change(
                [block, 77].map {
                    AuthzPrefixKey(
                        blockID: $0, dimension: .destination, address: address, prefixLength: 128)
                }, TermVector()),
            terms.change(
                [block, 77].map { AuthzTermKey(blockID: $0, bit: 1023) }, AuthzTermValue(policyID: 77)),
            // What a policy has counted is its own.
            policies.change([AuthzIDKey(77)], nil),
            probes.change([AuthzProbeKey(address: address, port: 7)], nil),
        ]
    }
}

extension InMemoryMap<AuthzIDKey, AuthzBlockValue> {
    fileprivate var ids: [UInt32] { ((try? contents())?.entries.keys.map(\.id) ?? []).sorted() }
}

extension InMemoryMap {
    fileprivate func change(
        _ foreign: [Key], _ other: Value?
    ) -> (map: String, change: (MapDamage) throws -> Int) {
        (
            name,
            { damage in
                let keys = Array(try self.contents().entries.keys)
                switch damage {
                case .removed:
                    try self.remove(keys)
                    return keys.count
                case .damaged:
                    guard Value.isSealed else { return 0 }
                    for key in keys { self.damage(key) }
                    return keys.count
                case .changed:
                    guard let other else { return 0 }
                    let changed = keys.filter { self.value(of: $0) != other }
                    try self.upsert(changed.map { MapEntry($0, other) })
                    return changed.count
                case .added:
                    let value = other ?? Value(words: [UInt32](repeating: 0, count: Value.wordCount)[...])
                    try self.upsert(foreign.map { MapEntry($0, value) })
                    return foreign.count
                }
            }
        )
    }
}
