import KmeshKit
import KmeshTestSupport

@testable import AuthzXDP

/// A configuration, and what the documentation of policies says of connections under it.
struct Mesh: Sendable {
    var policies: [PolicyKey: AuthorizationPolicy] = [:]
    var workloads: [String: Workload] = [:]
    /// Enrolled workloads in the order of their enrolment.
    var enrolled: [LocalWorkload] = []
    var nodeAddresses: Set<IPAddress> = []
    /// Who is behind an address and which policies a workload names, where that differs from the workloads'.
    var forcedIdentities: [IPAddress: WorkloadIdentity]?
    var forcedProtection: [LocalWorkload.ID: Protection]?

    struct Protection: Hashable, Sendable {
        var namespace: String
        var attached: [PolicyKey]
    }

    func identity(of address: IPAddress) -> WorkloadIdentity? {
        if let forcedIdentities { return forcedIdentities[address] }
        guard !nodeAddresses.contains(address) else { return nil }
        if let pod = owner(of: address)?.pod {
            guard let own = workloads["Pod/\(pod.namespace)/\(pod.name)"], !own.sharesAddresses else {
                return nil
            }
            return own.identity
        }
        let owners = workloads.values.filter {
            $0.addresses.contains(address) && ($0.sharesAddresses || !$0.serviceAccount.isEmpty)
        }
        let identities = Set(owners.map { $0.sharesAddresses ? nil : $0.identity })
        if identities.count == 1 { return identities.first ?? nil }
        let pods = owners.filter { $0.uid.hasPrefix("Pod/") && !$0.sharesAddresses }
        return pods.count == 1 ? pods[0].identity : nil
    }

    func owner(of address: IPAddress) -> LocalWorkload? {
        enrolled.last { $0.addresses.contains(address) }
    }

    private func protection(of workload: LocalWorkload) -> Protection? {
        if let forcedProtection { return forcedProtection[workload.id] }
        let namespace = workload.pod.namespace
        let byName = workloads["Pod/\(namespace)/\(workload.pod.name)"]
        let neighbors = workloads.values.filter { $0.namespace == namespace }
        let byAddress = workload.addresses.lazy.compactMap { address in
            neighbors.filter { $0.addresses.contains(address) && !$0.serviceAccount.isEmpty }
                .min { $0.uid < $1.uid }
        }.first
        if let known = byName ?? byAddress {
            return Protection(namespace: namespace, attached: known.policies)
        }
        // Nobody knows whether these select it.
        let mayBeSelected = policies.contains { key, policy in
            policy.scope == .workloads
                && (key.namespace == namespace || neighbors.contains { $0.policies.contains(key) })
        }
        return mayBeSelected ? nil : Protection(namespace: namespace, attached: [])
    }

    func policies(protecting workload: LocalWorkload) -> [AuthorizationPolicy]? {
        guard let protection = protection(of: workload) else { return nil }
        return policies.values.filter { policy in
            switch policy.scope {
            case .mesh: true
            case .namespace: policy.key.namespace == protection.namespace
            case .workloads: protection.attached.contains(policy.key)
            case .targets: false
            }
        }
    }

    /// What the policies say, with identities as `sources` has them.
    func decide(_ query: AuthorizationQuery, sources: Mesh) -> PolicyDecision? {
        guard let owner = owner(of: query.destination), let policies = policies(protecting: owner) else {
            return nil
        }
        return PolicyEvaluator.decide(
            policies,
            on: PolicyConnection(
                source: query.source, identity: sources.identity(of: query.source),
                destination: query.destination, port: query.port))
    }

    func outcome(_ query: AuthorizationQuery, sources: Mesh) -> Outcome {
        switch decide(query, sources: sources)?.reason {
        case nil: .notProtected
        case .notRestricted: .notRestricted
        case .allowed: .allowed
        case .notAllowed: .notAllowed
        case .denied: .denied
        }
    }

    /// The whole configuration.
    var changes: [ResourceChange<MeshResource>] {
        workloads.values.map { .upsert(.workload($0)) } + policies.values.map { .upsert(.policy($0)) }
    }
}

func local(_ pod: PodName, _ addresses: [IPAddress]) -> LocalWorkload {
    LocalWorkload(
        id: LocalWorkload.ID("uid-\(pod)"), pod: pod, networkNamespacePath: "/proc/1/ns/net",
        networkNamespace: NetworkNamespaceIdentity(inode: 1, cookie: 1), interface: "eth0",
        addresses: addresses)
}

extension Workload {
    /// The pod as it is enrolled.
    var local: LocalWorkload {
        AuthzXDPTests.local(PodName(namespace: namespace, name: name), addresses)
    }
}

// MARK: - Random meshes

extension RandomPolicies {
    mutating func policyKey(_ kind: PolicyKey.Kind = .authorization) -> PolicyKey {
        PolicyKey(kind, namespace: one(of: Self.namespaces), name: "p\(number(0...5))")
    }

    mutating func scope() -> PolicyScope {
        switch number(0...9) {
        case 0...1: .mesh
        case 2...6: .namespace
        case 7...8: .workloads
        default: .targets([.waypoints])
        }
    }

    /// Names some of `keys`, one that is not there among them now and then.
    mutating func attached(_ keys: some Sequence<PolicyKey>) -> [PolicyKey] {
        (some(of: Array(keys), 0.3) + (isLucky(0.1) ? [policyKey()] : [])).reduced.sorted()
    }

    mutating func mesh(policies: Int, workloads: Int) -> Mesh {
        var mesh = Mesh()
        for _ in 0..<policies {
            let key = policyKey()
            mesh.policies[key] = policy(key, scope: scope())
        }
        for index in 0..<workloads {
            var workload = workload("w\(index)")
            workload.policies = attached(mesh.policies.keys.sorted())
            mesh.workloads[workload.uid] = workload
            if isLucky(0.5) { mesh.enrolled.append(workload.local) }
        }
        // One that the mesh does not know.
        mesh.enrolled.append(
            local(PodName(namespace: one(of: Self.namespaces), name: "unknown"), [one(of: Self.addresses)]))
        mesh.nodeAddresses = Set(some(of: Self.addresses, 0.05))
        return mesh
    }

    mutating func query(_ mesh: Mesh) -> AuthorizationQuery {
        let destinations = mesh.enrolled.flatMap(\.addresses)
        return AuthorizationQuery(
            source: address(),
            destination: destinations.isEmpty || isLucky(0.1) ? address() : one(of: destinations),
            port: port())
    }
}

extension Array where Element: Hashable {
    /// Each element once.
    var reduced: [Element] { Array(Set(self)) }
}

/// Policies of all kinds, the server that they protect and workloads that they speak of.
func meshOfAllKinds(probing probePorts: [UInt16] = []) -> [Change] {
    let named = PolicyKey(namespace: "web", name: "named")
    var protected = pod("server", "10.0.0.1", "fd00::1", policies: [named])
    protected.probePorts = probePorts
    let clients = (0..<20).map { pod("c\($0)", in: "shop-\($0 % 4)", "10.1.0.\($0)") }
    let policies = [
        policy("a", .deny, .namespaces("shop-1", "bad")), policy("b", .deny, .principals("*/sa/c7")),
        policy("c", .allow, .ports(80), .sources(["10.0.0.0/8", "fd00::/8"])),
        policy("d", in: "root", .deny, scope: .mesh, .namespaces("shop-3*")),
        policy("named", .deny, scope: .workloads, .ports(81)),
    ]
    return [put(protected)] + clients.map(put) + policies.map(put)
}
