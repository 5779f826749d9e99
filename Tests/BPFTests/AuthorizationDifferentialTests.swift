import Foundation
import KmeshTestSupport
import Testing

/// Random policies and connections: what both programs in the kernel say is what the policies say when they
/// are read one after the other.
@testable import AuthzXDP
@testable import KmeshKit

@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: loads BPF programs"))
final class AuthorizationDifferentialTests {
    /// A mesh with three workloads of this node, at addresses that nobody else has.
    private struct Mesh {
        var workloads: [Workload] = []
        var policies: [AuthorizationPolicy] = []

        static let own: [(pod: PodName, addresses: [IPAddress])] = [
            (PodName(namespace: "prod", name: "own-0"), addresses("10.1.2.77", "fd00::77")),
            (PodName(namespace: "test", name: "own-1"), addresses("10.3.0.1", "fd00:0:0:1::77")),
            (PodName(namespace: "web", name: "own-2"), addresses("192.168.7.77", "2001:db8::77")),
        ]

        private static func addresses(_ texts: String...) -> [IPAddress] {
            texts.compactMap { IPAddress($0) }
        }

        init() {}

        init(_ chance: inout RandomPolicies) {
            policies = (0..<chance.number(0...8)).map { number in
                let key = PolicyKey(namespace: chance.one(of: RandomPolicies.namespaces), name: "p\(number)")
                return chance.policy(key, scope: chance.one(of: [.mesh, .namespace, .workloads]))
            }
            let selected = policies.filter { $0.scope == .workloads }.map(\.key)
            workloads = (0..<12).map { chance.workload("w\($0)") }
            for (pod, addresses) in Self.own {
                var workload = Workload(
                    uid: "Pod/\(pod)", name: pod.name, namespace: pod.namespace, addresses: addresses)
                workload.serviceAccount = chance.one(of: RandomPolicies.serviceAccounts)
                workload.policies = chance.some(of: selected, 0.5).sorted()
                workloads.append(workload)
            }
        }

        /// The steps from another mesh to this one.
        func changes(from old: Mesh) -> [ResourceChange<MeshResource>] {
            let uids = Set(workloads.map(\.uid)), keys = Set(policies.map(\.key))
            return old.workloads.filter { !uids.contains($0.uid) }.map { .remove(.workload(uid: $0.uid)) }
                + old.policies.filter { !keys.contains($0.key) }.map { .remove(.policy($0.key)) }
                + workloads.map { .upsert(.workload($0)) } + policies.map { .upsert(.policy($0)) }
        }

        func policies(protecting address: IPAddress) -> [AuthorizationPolicy] {
            guard let workload = workloads.last(where: { $0.addresses.contains(address) }) else { return [] }
            return policies.filter { policy in
                switch policy.scope {
                case .mesh: true
                case .namespace: policy.key.namespace == workload.namespace
                case .workloads: workload.policies.contains(policy.key)
                case .targets: false
                }
            }
        }

        /// Who sends from the address, if that is clear.
        func identity(of address: IPAddress) -> WorkloadIdentity? {
            let owners = workloads.filter {
                $0.addresses.contains(address) && ($0.identity != nil || $0.sharesAddresses)
            }
            let identities = Set(owners.map { $0.sharesAddresses ? nil : $0.identity })
            if identities.count == 1 { return identities.first ?? nil }
            let pods = owners.filter { $0.uid.hasPrefix("Pod/") && !$0.sharesAddresses }
            return pods.count == 1 ? pods[0].identity : nil
        }
    }

    @Test func bothProgramsDecideAsThePoliciesSay() throws {
        let harness = try AuthorizationHarness()
        var dataplane = AuthorizationDataplane(maps: harness.maps, grace: try KernelGracePeriod())
        for (number, own) in Mesh.own.enumerated() {
            _ = try dataplane.protect(
                LocalWorkload(
                    id: LocalWorkload.ID("own-\(number)"), pod: own.pod, networkNamespacePath: "/none",
                    networkNamespace: NetworkNamespaceIdentity(inode: 1, cookie: UInt64(number)),
                    interface: "eth0", addresses: own.addresses))
        }
        var mesh = Mesh()
        var verdicts = (allowed: 0, denied: 0)
        for seed in 0..<UInt64(Self.meshes) {
            var chance = RandomPolicies(seed: seed)
            let next = Mesh(&chance)
            let update = dataplane.apply(next.changes(from: mesh))
            #expect(update.rejected.isEmpty, "seed \(seed): \(update.rejected)")
            mesh = next
            for _ in 0..<60 {
                let query = Self.query(&chance)
                let isAllowed = try compare(query, mesh, harness, dataplane, seed: seed)
                if isAllowed { verdicts.allowed += 1 } else { verdicts.denied += 1 }
            }
            _ = dataplane.tend()
        }
        #expect(min(verdicts.allowed, verdicts.denied) > Self.meshes * 6, "\(verdicts)")
    }

    private static let meshes =
        ProcessInfo.processInfo.environment["KMESH_FUZZ_ITERATIONS"].flatMap { Int($0) }.map { $0 / 2000 }
        ?? 120

    private static func query(_ chance: inout RandomPolicies) -> AuthorizationQuery {
        let destination = chance.one(of: chance.one(of: Mesh.own).addresses)
        var source = chance.address()
        while source.family != destination.family { source = chance.address() }
        return AuthorizationQuery(source: source, destination: destination, port: chance.port())
    }

    /// Whether the connection is allowed; all who are asked must agree.
    private func compare(
        _ query: AuthorizationQuery, _ mesh: Mesh, _ harness: AuthorizationHarness,
        _ dataplane: AuthorizationDataplane, seed: UInt64
    ) throws -> Bool {
        let wanted = PolicyEvaluator.decide(
            mesh.policies(protecting: query.destination),
            on: PolicyConnection(
                source: query.source, identity: mesh.identity(of: query.source),
                destination: query.destination, port: query.port))
        let source = SocketAddress(query.source, 40000)
        let destination = SocketAddress(query.destination, query.port)
        let packet = TestPacket(from: source, to: destination).bytes
        let identity = mesh.identity(of: query.source)?.principal ?? "nobody"
        let comment = Comment(
            rawValue: "seed \(seed): \(query) by \(identity), wanted \(wanted); explained as "
                + "\(dataplane.explain(query))")
        #expect(try (harness.run(packet).result == 2) == wanted.isAllowed, comment)
        #expect(
            try harness.lookup.run(lookupFrom: source, to: destination).passes == wanted.isAllowed, comment)
        let answer = ProgramAnswer(try harness.question.run(packet: packet).packet)
        #expect(answer.isAllowed == wanted.isAllowed, comment)
        #expect(answer.reason == wanted.reason.verdict, comment)
        #expect(dataplane.decide(query)?.isAllowed == wanted.isAllowed, comment)
        return wanted.isAllowed
    }
}

extension PolicyDecision.Reason {
    fileprivate var verdict: VerdictReason {
        switch self {
        case .notRestricted: .notRestricted
        case .allowed: .allowed
        case .denied: .denied
        case .notAllowed: .notAllowed
        }
    }
}
