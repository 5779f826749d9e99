import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// What an earlier run left stays in force until the first configuration, and is then what it shall be.
@Suite(.serialized) struct RestartTests {
    private let server = pod("server", "10.0.0.1", "fd00::1")

    private var mesh: [Change] { meshOfAllKinds() }

    private func loaded() throws -> Rig {
        var rig = Rig()
        try rig.dataplane.protect(server.local)
        rig.apply(mesh)
        rig.dataplane.tend()
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
        return rig
    }

    /// Returns the writes of the first configuration, and of what follows.
    private func restart(_ rig: inout Rig, _ changes: [Change]) throws -> Int {
        let before = rig.maps.writeCount
        try rig.restart()
        try rig.dataplane.protect(server.local)
        #expect(rig.maps.writeCount == before, "nothing changes before the first configuration")
        #expect(rig.apply(changes).rejected.isEmpty)
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
        return rig.maps.writeCount - before
    }

    @Test func aRestartWithoutAChangeWritesNothing() throws {
        var rig = try loaded()
        #expect(try restart(&rig, mesh) == 0)
        #expect(try restart(&rig, mesh.reversed()) == 0)
    }

    @Test func aChangedPolicyCostsItsBlock() throws {
        var rig = try loaded()
        let other = policy("d", in: "root", .deny, scope: .mesh, .namespaces("shop-2*"))
        // Term, namespace, block, view, two destinations; as much less the destinations to remove.
        #expect(try restart(&rig, mesh + [put(other)]) <= 12)
        #expect(rig.outcome("10.1.0.2", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.1.0.3", "10.0.0.1") == .allowed)
    }

    @Test func workloadsComeAndGoMeanwhile() throws {
        var rig = try loaded()
        let gone = pod("c7", in: "shop-3")
        let new = pod("c7", in: "shop-31", "10.1.9.9")
        let old = Set(try rig.maps.blocks.contents().entries.keys)
        // Sources, and entries of the patterns that they meet: blocks stay.
        #expect(try restart(&rig, mesh + [remove(gone), put(new)]) <= 8)
        #expect(Set(try rig.maps.blocks.contents().entries.keys) == old)
        #expect(rig.outcome("10.1.9.9", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .allowed)
    }

    /// An address that changed hands has the new identity, also where the old one is one that denies.
    @Test func anAddressChangesHandsMeanwhile() throws {
        var rig = try loaded()
        let gone = pod("c7", in: "shop-3"), new = pod("innocent", in: "quiet", "10.1.0.7")
        #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .denied)
        _ = try restart(&rig, mesh + [remove(gone), put(new)])
        #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .allowed)
    }

    /// Two identities that want the same number keep theirs, whoever comes first after the restart.
    @Test func identitiesThatWantOneNumberAreToldApart() throws {
        var owners: [UInt32: String] = [:]
        var pair: (String, String)?
        for index in 0..<400_000 where pair == nil {
            let name = "s\(index)"
            let hash = WorkloadIdentity(namespace: "shop", serviceAccount: name).stableHash
            let other = owners.updateValue(name, forKey: HashedIDs.candidate(hash, 0))
            pair = other.map { ($0, name) }
        }
        let (one, other) = try #require(pair)
        let changes = [
            put(server), put(pod(one, in: "shop", "10.1.0.1")), put(pod(other, in: "shop", "10.1.0.2")),
            put(policy("one", .deny, .principals("cluster.local/ns/shop/sa/\(one)"))),
        ]
        for order in [changes, [changes[0], changes[2], changes[1], changes[3]]] {
            var rig = Rig()
            try rig.dataplane.protect(server.local)
            rig.apply(order)
            #expect(rig.outcome("10.1.0.1", "10.0.0.1") == .denied)
            #expect(rig.outcome("10.1.0.2", "10.0.0.1") == .notRestricted)
            #expect(try restart(&rig, changes) == 0)
            #expect(rig.outcome("10.1.0.1", "10.0.0.1") == .denied)
            #expect(rig.outcome("10.1.0.2", "10.0.0.1") == .notRestricted)
        }
    }

    @Test func whatIsDamagedOrForeignIsRepaired() throws {
        var rig = try loaded()
        rig.maps.sources.damage(AuthzAddressKey(try #require(IPAddress("10.1.0.7"))))
        rig.maps.destinations.damage(AuthzAddressKey(try #require(IPAddress("10.0.0.1"))))
        let stranger = try #require(IPAddress("10.7.7.7"))
        rig.maps.sources.damage(AuthzAddressKey(stranger))
        try rig.maps.destinations.upsert([
            MapEntry(AuthzAddressKey(stranger), AuthzDestinationValue(viewID: 9))
        ])
        try rig.maps.views.upsert([MapEntry(AuthzIDKey(9), AuthzViewValue(flags: 1, blockIDs: [8]))])
        try rig.maps.terms.upsert([
            MapEntry(AuthzTermKey(blockID: 8, bit: 3), AuthzTermValue(policyID: 4))
        ])
        try rig.maps.policies.upsert([MapEntry(AuthzIDKey(4), AuthzPolicyValue())])
        try rig.maps.bits.upsert([
            MapEntry(AuthzBitsKey(blockID: 8, dimension: .port, value: 1), TermVector(first: 1))
        ])
        _ = try restart(&rig, mesh)
        #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.1.0.7", "10.7.7.7") == .notProtected)
    }

    /// A block that is not what its number says is not trusted.
    @Test func aBlockWithOtherEntriesIsReplaced() throws {
        for spoil in 0..<4 {
            var rig = try loaded()
            switch spoil {
            case 0:
                let key = try #require(try rig.maps.bits.contents().entries.keys.first)
                try rig.maps.bits.upsert([MapEntry(key, TermVector())])
            case 1:
                let key = try #require(try rig.maps.prefixes.contents().entries.keys.first)
                try rig.maps.prefixes.remove([key])
            case 2:
                let key = try #require(try rig.maps.terms.contents().entries.keys.first)
                try rig.maps.terms.upsert([MapEntry(key, AuthzTermValue(policyID: 77))])
            default:
                for key in try rig.maps.blocks.contents().entries.keys { try rig.maps.blocks.remove([key]) }
            }
            let old = Set(try rig.maps.views.contents().entries.keys)
            _ = try restart(&rig, mesh)
            #expect(Set(try rig.maps.views.contents().entries.keys) != old)
            #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .denied)
        }
    }

    /// A run that dies at any of its writes leaves something that works, and that the next one makes whole.
    @Test(arguments: 1...40) func aRunDiesInTheMiddle(nth: Int) throws {
        var rig = try loaded()
        let other =
            mesh + [
                put(policy("a", .deny, .namespaces("shop-2"))), put(pod("c30", in: "shop-3x", "10.1.0.30")),
            ]
        let query = AuthorizationQuery(
            source: try #require(IPAddress("10.1.0.5")), destination: server.addresses[0], port: 80)
        let watch = Watch([query])
        try watch.watching(rig.maps) {
            rig.maps.setFault(.from(nth))
            rig.apply(Array(other.suffix(2)))
            rig.dataplane.tend()
            rig.maps.setFault(nil)
            _ = try restart(&rig, other)
        }
        #expect(watch.outcomes[query]?.isSubset(of: [.denied, .allowed]) == true)
        #expect(rig.outcome("10.1.0.5", "10.0.0.1") == .allowed)
    }

    /// The form of a policy that was in force before it was refused is gone with the earlier run: what it
    /// left stays as a whole.
    @Test func aPolicyThatIsRefusedLeavesWhatTheEarlierRunHad() throws {
        var rig = try loaded()
        let clause = (0..<130).map { index -> PolicyMatch in
            var match = PolicyMatch.ports(UInt16(index))
            match.namespaces = Patterns(any: [.exact("n\(index)")])
            return match
        }
        var huge = policy("a", .deny)
        huge.rules = [PolicyRule(clauses: [clause, clause])]
        try rig.restart()
        try rig.dataplane.protect(server.local)
        #expect(rig.apply(mesh + [put(huge)]).rejected.map(\.name).contains(.policy(huge.key)))
        rig.dataplane.tend()
        #expect(rig.outcome("10.1.0.1", "10.0.0.1") == .denied, "by the form before the restart")
        #expect(rig.outcome("10.1.0.7", "10.0.0.1") == .denied)
        rig.apply([put(policy("a", .deny, .namespaces("shop-2")))])
        rig.dataplane.tend()
        #expect(rig.outcome("10.1.0.1", "10.0.0.1") == .allowed)
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
    }
}
