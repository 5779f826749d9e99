/// How a service and the workloads that serve it become wanted service ports.
internal import CKmeshABI

struct ServiceProjection: Sendable {
    /// Where this node is.
    let locality: Locality

    /// One element for each port and address family that the service has addresses in.
    func project(
        _ service: Service, workloads: WorkloadStore
    ) throws(ProjectionError) -> [WantedServicePort] {
        try validate(service)
        var wanted: [WantedServicePort] = []
        for port in service.ports {
            for family in AddressFamily.allCases {
                let frontends = Set(service.addresses.filter { $0.family == family })
                guard !frontends.isEmpty else { continue }
                let key = ServicePortKey(port: port.port, transport: port.transport, family: family)
                wanted.append(
                    WantedServicePort(
                        key: key, frontends: frontends.sorted(), policy: service.policy,
                        affinityTimeout: service.affinityTimeout, endpoints: []))
            }
        }
        guard !wanted.isEmpty else { return [] }
        var worstRank = 0
        workloads.forEachMember(of: service.key) { workload in
            worstRank = max(worstRank, add(workload, of: service, to: &wanted))
        }
        guard worstRank < EndpointTier.ranks else { throw .tooManyRanks(worstRank + 1) }
        for index in wanted.indices { finish(&wanted[index], of: service) }
        try checkTables(wanted)
        return wanted
    }

    /// Returns the worst rank that was asked for; endpoints of one that tiers do not have are not added.
    private func add(
        _ workload: Workload, of service: Service, to wanted: inout [WantedServicePort]
    ) -> Int {
        let distance = service.locality?.rank(of: workload.locality, from: locality) ?? 0
        var worst = 0
        for membership in workload.memberships where membership.service == service.key {
            // The priority counts before the distance.
            let rank = Int(membership.priority) * service.distances + distance
            worst = max(worst, rank)
            guard rank < EndpointTier.ranks else { continue }
            let tier = EndpointTier.number(health: membership.health, rank: rank)
            let addresses = membership.addresses.isEmpty ? workload.addresses : membership.addresses
            for mapping in membership.ports {
                for index in wanted.indices {
                    let key = wanted[index].key
                    guard key.port == mapping.servicePort, key.transport == mapping.transport else {
                        continue
                    }
                    for address in addresses where address.family == key.family {
                        let identity = EndpointIdentity(address: address, port: mapping.targetPort)
                        wanted[index].endpoints.append(
                            WantedEndpoint(identity: identity, tier: tier, weight: workload.weight))
                    }
                }
            }
        }
        return worst
    }

    /// Sorts the endpoints and leaves out what strict locality forbids. Where two workloads have the same
    /// address and port, the endpoint is as good as the better one.
    private func finish(_ wanted: inout WantedServicePort, of service: Service) {
        wanted.endpoints.sort {
            ($0.identity, $0.tier, $1.weight) < ($1.identity, $1.tier, $0.weight)
        }
        var last: EndpointIdentity?
        wanted.endpoints.removeAll { endpoint in
            defer { last = endpoint.identity }
            return endpoint.identity == last
        }
        if let preference = service.locality, preference.mode == .strict {
            let hadEndpoints = !wanted.endpoints.isEmpty
            wanted.endpoints.removeAll { EndpointTier.rank(of: $0.tier) % service.distances > 0 }
            wanted.isStrictlyUnmatched = hadEndpoints && wanted.endpoints.isEmpty
        }
    }

    private func validate(_ service: Service) throws(ProjectionError) {
        if let preference = service.locality, preference.scopes.count > EndpointTier.ranks - 1 {
            throw .tooManyScopes(preference.scopes.count)
        }
        guard service.policy.mapValue != nil else { throw .unknownPolicy(service.policy) }
        if let limit = service.maxConnections { throw .connectionLimit(limit) }
        if service.addresses.contains(where: \.isUnspecified) { throw .unspecifiedAddress }
        for (index, port) in service.ports.enumerated() {
            if port.port == 0 { throw .portZero }
            let isTwice = service.ports[..<index].contains {
                $0.port == port.port && $0.transport == port.transport
            }
            if isTwice { throw .repeatedPort(port) }
        }
    }

    private func checkTables(_ wanted: [WantedServicePort]) throws(ProjectionError) {
        for port in wanted where port.policy != .random && port.endpoints.count > Int(KMESH_TABLE_SLOTS) {
            throw .tooManyEndpoints(port.endpoints.count, port.policy)
        }
    }
}

extension Service {
    /// How many distances from the client are told apart.
    fileprivate var distances: Int { (locality?.scopes.count ?? 0) + 1 }
}

/// Why a service cannot be put in force, whatever else is.
enum ProjectionError: Error, Hashable, Sendable, CustomStringConvertible {
    case portZero
    case repeatedPort(ServicePort)
    case unspecifiedAddress
    case tooManyScopes(Int)
    case tooManyRanks(Int)
    case unknownPolicy(LoadBalancingPolicy)
    case connectionLimit(UInt32)
    case tooManyEndpoints(Int, LoadBalancingPolicy)

    var description: String {
        switch self {
        case .portZero:
            "declares port 0: give it a number from 1 to 65535"
        case .repeatedPort(let port):
            "declares port \(port.port)/\(port.transport.name) twice: remove one of them"
        case .unspecifiedAddress:
            "has an unspecified address: give it one that clients can dial"
        case .tooManyScopes(let count):
            "prefers endpoints by \(count) scopes; at most \(EndpointTier.ranks - 1) are possible"
        case .tooManyRanks(let count):
            "has endpoints of \(count) ranks, of priority and locality together; at most "
                + "\(EndpointTier.ranks) are possible: use fewer"
        case .unknownPolicy(let policy):
            "asks for the \(policy.rawValue) policy, which this data plane does not have: use random, "
                + "weighted or maglev"
        case .connectionLimit(let limit):
            "allows at most \(limit) connections, and this data plane does not count them: remove the limit"
        case .tooManyEndpoints(let count, let policy):
            "has \(count) endpoints, and the \(policy.rawValue) policy can choose among at most "
                + "\(KMESH_TABLE_SLOTS): use the random policy"
        }
    }
}

/// The number of an endpoint's tier: ready before terminating, and in each the nearest first.
enum EndpointTier {
    /// How many priorities and localities are told apart for each health.
    static var ranks: Int { Int(KMESH_TIERS_MAX) / 2 }

    /// Of an endpoint that was found in a map without a slot.
    static var none: UInt8 { UInt8.max }

    static func number(health: EndpointHealth, rank: Int) -> UInt8 {
        UInt8(rank + (health == .ready ? 0 : ranks))
    }

    static func rank(of tier: UInt8) -> Int { Int(tier) % ranks }

    /// An endpoint that was found without a slot may have either health.
    static func isSameHealth(_ left: UInt8, _ right: UInt8) -> Bool {
        left == none || right == none || Int(left) / ranks == Int(right) / ranks
    }
}
