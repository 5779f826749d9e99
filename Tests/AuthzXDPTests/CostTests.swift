import Glibc
import KmeshKit
import Testing

@testable import AuthzXDP

/// What a change costs in a large mesh: writes are held to their bounds, times are printed.
@Suite(.serialized) struct CostTests {
    private static let isOptimized: Bool = {
        var isOptimized = true
        assert(
            {
                isOptimized = false
                return true
            }())
        return isOptimized
    }()

    /// Namespaces, each with 100 policies of 10 rules with 10 values each.
    private static let namespaceCount = isOptimized ? 100 : 4
    private static let identitiesPerNamespace = isOptimized ? 100 : 10
    private static let podsPerIdentity = isOptimized ? 10 : 2

    private func time(_ body: () throws -> Void) rethrows -> Duration {
        let now = {
            var time = timespec()
            unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Duration.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        }
        let before = now()
        try body()
        return now() - before
    }

    private func largePolicy(_ index: Int, in namespace: Int, _ shift: Int = 0) -> AuthorizationPolicy {
        let rules = (0..<10).map { rule -> PolicyRule in
            var match = PolicyMatch()
            let values = (0..<10).map { (index * 100 + rule * 10 + $0 + shift) % 997 }
            switch rule % 3 {
            case 0: match.sourceBlocks.any = values.compactMap { IPBlock("10.\($0 / 250).\($0 % 250).0/24") }
            case 1:
                match.principals.any = values.map {
                    .exact("cluster.local/ns/n\($0 % Self.namespaceCount)/sa/a\($0 % 100)")
                }
            default: match.destinationPorts.any = values.map { UInt16(1000 + $0) }
            }
            return PolicyRule(clauses: [[match]])
        }
        return AuthorizationPolicy(
            key: PolicyKey(namespace: "n\(namespace)", name: "p\(index)"),
            action: index % 2 == 0 ? .allow : .deny, rules: rules)
    }

    private func mesh() -> (changes: [Change], enrolled: [LocalWorkload]) {
        var changes: [Change] = []
        var enrolled: [LocalWorkload] = []
        var number: UInt32 = 0x0b00_0000
        for namespace in 0..<Self.namespaceCount {
            for identity in 0..<Self.identitiesPerNamespace {
                for index in 0..<Self.podsPerIdentity {
                    number += 1
                    var workload = Workload(
                        uid: "Pod/n\(namespace)/a\(identity)-\(index)", name: "a\(identity)-\(index)",
                        namespace: "n\(namespace)", addresses: [IPAddress(v4: number)])
                    workload.serviceAccount = "a\(identity)"
                    changes.append(put(workload))
                    if identity == 0, index == 0 { enrolled.append(workload.local) }
                }
            }
            changes += (0..<100).map { put(largePolicy($0, in: namespace)) }
        }
        // One with patterns, which every new identity has to be compared with.
        var patterns = policy("patterns", in: "root", .deny, scope: .mesh, .principals("*/sa/a7*", "x*"))
        patterns.rules += [PolicyRule(clauses: [[.namespaces("n1*", "*9")]])]
        return (changes + [put(patterns)], enrolled)
    }

    @Test func aLargeMesh() throws {
        var rig = Rig()
        let (changes, enrolled) = mesh()
        for workload in enrolled { try rig.dataplane.protect(workload) }
        let load = time { rig.apply(changes) }
        rig.dataplane.tend()
        print("CostTests: \(rig.maps.counts)")
        let blocks = rig.maps.blocks.count
        #expect(blocks <= Self.namespaceCount + 1, "a thousand terms fit into a block")

        // One of the policies of one namespace: its block, its view and one destination; later their removal.
        var writes = 0
        let block =
            try rig.maps.blocks.contents().entries.keys.map { id in
                try rig.maps.bits.contents().entries.keys.count { $0.blockID == id.id }
                    + rig.maps.prefixes.contents().entries.keys.count { $0.blockID == id.id }
            }.max() ?? 0
        let change = time { writes = rig.apply([put(largePolicy(50, in: 1, 1))]).writes }
        #expect(writes <= block + 1024 + 40 + 3)
        let sweep = time { rig.dataplane.tend() }
        #expect(rig.maps.blocks.count == blocks)

        // A policy that protects nobody here, and a pod that moves: nothing, and one write.
        #expect(rig.apply([put(policy("elsewhere", in: "none", .deny, .ports(1)))]).writes == 0)
        var pod = Workload(
            uid: "Pod/n1/a3-0", name: "a3-0", namespace: "n1", addresses: [IPAddress(v4: 0x0c00_0001)])
        pod.serviceAccount = "a3"
        #expect(rig.apply([put(pod)]).writes == 2)
        let move = time {
            for index: UInt32 in 0..<100 {
                pod.addresses = [IPAddress(v4: 0x0c00_0002 + index)]
                #expect(rig.apply([put(pod)]).writes == 2)
            }
        }
        // A new identity in a new namespace, which patterns meet.
        pod.serviceAccount = "a7-new"
        pod.namespace = "n1-new"
        pod.uid = "Pod/n1-new/x"
        pod.addresses = [IPAddress(v4: 0x0c01_0001)]
        #expect(rig.apply([put(pod)]).writes <= 3)
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])

        try rig.restart()
        for workload in enrolled { try rig.dataplane.protect(workload) }
        let before = rig.maps.writeCount
        let restart = time {
            rig.apply(
                changes + [
                    put(largePolicy(50, in: 1, 1)), put(policy("elsewhere", in: "none", .deny, .ports(1))),
                    put(pod),
                ])
        }
        rig.dataplane.tend()
        // One pod has moved back.
        #expect(rig.maps.writeCount - before <= 10)
        print(
            "CostTests: load \(load), restart \(restart), changed policy \(change) with \(writes) writes, "
                + "sweep \(sweep), moved pod \(move / 100)")
    }

    /// A thousand terms with ten blocks each.
    @Test func aBlockIsCompiledFast() throws {
        let terms = (0..<1000).map { term -> AuthorizationPolicy in
            // Each tenth one lies around others.
            let blocks = (0..<10).compactMap { index in
                IPBlock(
                    IPAddress(v4: 0x0a00_0000 + UInt32(index * 1000 + term) << 8),
                    prefixLength: index == 0 ? 20 : 24)
            }
            var match = PolicyMatch()
            match.sourceBlocks.any = blocks
            return AuthorizationPolicy(
                key: PolicyKey(namespace: "a", name: "p\(term)"), action: .deny,
                rules: [PolicyRule(clauses: [[match]])])
        }
        let forms = try terms.map { try PolicyForm($0) }
        let definition = BlockDefinition(pieces: forms.flatMap { PolicyPiece.pieces(of: $0) })
        var table = IdentityTable()
        var count = 0
        let compile = time {
            count = CompiledBlock(definition, &table, policies: forms.map { _ in 1 }).counts.prefixes
        }
        #expect(count > 5000)
        print("CostTests: a block of \(forms.count) terms with \(count) prefixes takes \(compile)")
    }
}
