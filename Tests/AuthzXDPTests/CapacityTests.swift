import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// What does not fit is refused by name, and what ran stays.
@Suite struct CapacityTests {
    private let server = pod("server", "10.0.0.1")

    private func rig(_ capacities: (inout AuthzCounts) -> Void) throws -> Rig {
        var counts = AuthzCounts.defaultCapacities
        capacities(&counts)
        var rig = Rig(capacities: counts)
        try rig.dataplane.protect(server.local)
        rig.apply([put(server)])
        return rig
    }

    @Test(arguments: [
        ("km_authz_prefix", \AuthzCounts.prefixes), ("km_authz_bits", \.bits), ("km_authz_term", \.terms),
        ("km_authz_policy", \.policies), ("km_authz_block", \.blocks),
    ]) func theMapIsNamed(name: String, path: any WritableKeyPath<AuthzCounts, Int> & Sendable) throws {
        var rig = try rig { $0[keyPath: path] = 1 }
        var both = PolicyMatch.sources(["10.0.0.0/8", "11.0.0.0/8"])
        both.destinationPorts = Patterns(any: [80, 81])
        let small = policy("small", .deny, .ports(1))
        #expect(rig.apply([put(small)]).rejected.isEmpty)
        rig.dataplane.tend()
        let large = (0..<3).map { policy("large\($0)", in: "web", .deny, both, both, both) }
        let rejected = rig.apply(large.map(put)).rejected
        #expect(!rejected.isEmpty)
        for one in rejected {
            #expect(
                one.reason.contains("map \(name), which holds") || one.reason.contains("waits for"), "\(one)")
        }
        // Those that are refused never were in force, so that nothing of them may be open.
        let isRefused = !rig.dataplane.refusals.isEmpty
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 1) == (isRefused ? .notProtected : .denied))
        #expect(try rig.dataplane.verify() == [])
        rig.apply(large.map(remove))
        rig.dataplane.tend()
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
        #expect(rig.dataplane.refusals.isEmpty)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 1) == .denied)
    }

    /// One that is too large does not keep out those that come with it, and comes in when there is room.
    @Test func onlyWhatDoesNotFitIsRefused() throws {
        var rig = try rig { $0.prefixes = 60 }
        let blocks = (0..<70).map { "10.\($0).0.0/16" }
        let policies = (0..<3).map { index in
            policy(
                "p\(index)", in: "root", .deny, scope: .mesh,
                .sources(Array(blocks[(index * 8)..<(index * 8 + 8)])))
        }
        let large = policy("large", .deny, .sources(Array(blocks.suffix(40))))
        let rejected = rig.apply([put(large)] + policies.map(put)).rejected
        let tooLarge = rejected.filter { !$0.reason.contains("waits for") }
        #expect(tooLarge.map(\.name) == [.policy(large.key)], "\(rejected)")
        #expect(rig.outcome("10.0.0.9", "10.0.0.1") == .notProtected, "what is refused might have denied it")
        rig.apply(policies.map(remove))
        rig.dataplane.tend()
        #expect(rig.outcome("10.30.0.1", "10.0.0.1") == .denied)
        #expect(rig.dataplane.refusals.isEmpty)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aWorkloadHasABoundOfBlocks() throws {
        var rig = try rig { _ in }
        let rules = (0..<16_384).map { _ in PolicyRule() }
        let large = (0..<5).map { index in
            var policy = policy("p\(index)", in: "root", .allow, scope: .mesh)
            policy.rules = rules
            return policy
        }
        #expect(rig.apply(large.prefix(4).map(put)).rejected.isEmpty)
        #expect(rig.maps.terms.count == 65_536)
        let rejected = rig.apply([put(large[4])]).rejected
        #expect(rejected.map(\.name) == [.policy(large[4].key)])
        #expect(rejected.first?.reason.contains("of which one can have 64") == true)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .allowed)
    }

    @Test func sourcesThatDoNotFitAreNamed() throws {
        var rig = try rig { $0.sources = 3 }
        let pods = (2..<6).map { pod("p\($0)", in: "shop", "10.0.0.\($0)") }
        let rejected = rig.apply(pods.map(put)).rejected
        #expect(rejected.map(\.name) == [.workload(uid: pods[2].uid), .workload(uid: pods[3].uid)])
        #expect(rejected.first?.reason.contains("map km_authz_source") == true)
        rig.apply([remove(pods[0])])
        #expect(rig.maps.sources.value(of: AuthzAddressKey(pods[2].addresses[0])) != nil)
    }

    /// Without entries for what patterns say of it, an identity must not be given to anybody.
    @Test func anIdentityWithoutRoomForItsEntriesIsNotKnown() throws {
        var rig = try rig { $0.bits = 1 }
        rig.apply([put(policy("p", .allow, .namespaces("shop*")))])
        let one = pod("a", in: "shop-1", "10.0.0.2"), two = pod("b", in: "shop-2", "10.0.0.3")
        #expect(rig.apply([put(one)]).rejected.isEmpty)
        #expect(rig.apply([put(two)]).rejected.map(\.name) == [.workload(uid: two.uid)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .allowed)
        #expect(rig.outcome("10.0.0.3", "10.0.0.1") == .notAllowed)
        rig.apply([remove(one)])
        rig.dataplane.tend()
        #expect(rig.outcome("10.0.0.3", "10.0.0.1") == .allowed)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aPodThatDoesNotFitIsToldSo() throws {
        var rig = try rig { $0.destinations = 1 }
        #expect(throws: AuthorizationError.self) { try rig.dataplane.protect(pod("b", "10.0.0.2").local) }
        #expect(rig.outcome("10.0.0.1", "10.0.0.2") == .notProtected)
        try rig.dataplane.release(server.local.id)
        rig.dataplane.tend()
        #expect(rig.outcome("10.0.0.1", "10.0.0.2") == .notRestricted)
    }
}
