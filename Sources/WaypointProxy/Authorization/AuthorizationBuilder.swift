/// Keeps what policies protect, and who sources are, for the configurations that workers go by.
internal import KmeshKit

struct AuthorizationBuilder: Sendable {
    private var policies: PolicyIndex
    /// `nil` as long as no policy asks for identities.
    private var identities: IdentityIndex?
    private var owners: [HostTable.Owner] = []
    /// The plain table's hosts are others than `protectHosts` knew.
    private(set) var hasNewHosts = false
    private var hosts: [Protection] = []
    /// What the whole process serves as, if it was told.
    private let gateway: PolicyTarget?
    private var version: UInt64 = 0
    private var hasNewPolicies = false

    /// - Parameter waypoint: the service of the waypoint that the process is an instance of.
    init(waypoint: ServiceKey?, names: StatisticNames) {
        policies = PolicyIndex(names: names)
        gateway = waypoint.map(PolicyTarget.gateway(of:))
    }

    /// Whether something changed for a waypoint. Call `prepare` before asking for numbers again.
    mutating func set(_ policy: AuthorizationPolicy?, for key: PolicyKey) -> Bool {
        let hasChanged = policies.set(policy, for: key)
        hasNewPolicies = hasNewPolicies || hasChanged
        return hasChanged
    }

    mutating func note(_ old: Workload?, becomes new: Workload?) { identities?.replace(old, with: new) }

    /// After the changes of a step.
    mutating func prepare(_ workloads: WorkloadStore) {
        guard hasNewPolicies else { return }
        policies.renumber()
        if !policies.readsIdentity {
            identities = nil
        } else if identities == nil {
            identities = IdentityIndex(workloads)
        }
    }

    // MARK: What protects what

    /// The number of the set of policies; -1 for none.
    mutating func policies(of service: Service?) -> Int32 {
        guard let service else { return -1 }
        return number([.service(service.key)], service.waypoint)
    }

    mutating func policies(of workload: Workload?) -> Int32 {
        guard let waypoint = workload?.waypoint else { return -1 }
        return number([], waypoint)
    }

    /// In the order of the plain table's hosts.
    mutating func setOwners(ofHosts owners: [HostTable.Owner]) {
        self.owners = owners
        hasNewHosts = true
    }

    /// After changes of policies, services or hosts.
    mutating func protectHosts(
        of services: [ServiceKey: Service], clusters: (BackendReference) -> Int32?
    ) {
        hosts = []
        hasNewHosts = false
        if policies.isEmpty { return }
        version += 1
        var isAny = false
        for owner in owners {
            var protection = Protection()
            if let backend = owner.backend, let (service, port) = backend.servicePort {
                let policies = policies(of: services[service])
                protection = Protection(
                    policies: policies, cluster: clusters(backend) ?? -1, port: port)
            } else {
                protection.policies = number(owner.gateways, nil)
            }
            isAny = isAny || protection.policies >= 0
            hosts.append(protection)
        }
        if !isAny { hosts = [] }
    }

    private mutating func number(_ targets: [PolicyTarget], _ waypoint: WaypointReference?) -> Int32 {
        if policies.isEmpty { return -1 }
        var targets = targets + [.waypoints]
        if let waypoint { targets.append(.gateway(of: waypoint.service)) }
        if let gateway { targets.append(gateway) }
        return policies.number(for: targets)
    }

    /// `nil` without policies.
    mutating func configuration() -> AuthorizationConfiguration? {
        if hasNewPolicies { policies.forgetUnused() }
        hasNewPolicies = false
        if policies.isEmpty { return nil }
        return AuthorizationConfiguration(
            version: version, sets: policies.sets, hosts: hosts, identities: identities,
            policies: policies.sorted)
    }
}
