/// How a port of a service and the workloads that serve it become a cluster.
internal import KmeshKit

struct ClusterBuilder: Sendable {
    /// Where this proxy is, from which near and far are seen.
    var locality: Locality
    let limits: ClusterLimits

    /// Clusters of all TCP ports of a service.
    func clusters(
        of service: Service, workloads: WorkloadStore, number: (BackendReference) -> Int32
    ) -> [ClusterConfiguration] {
        let ports = service.tcpPorts
        guard !ports.isEmpty else { return [] }
        var candidates = [[Candidate]](repeating: [], count: ports.count)
        workloads.forEachMember(of: service.key) { workload in
            let rank = service.locality?.rank(of: workload.locality, from: locality) ?? 0
            if rank > 0, service.locality?.mode == .strict { return }
            for membership in workload.memberships where membership.service == service.key {
                guard let address = chosenAddress(of: workload, membership) else { continue }
                for mapping in membership.ports where mapping.transport == .tcp {
                    guard let place = ports.firstIndex(where: { $0.port == mapping.servicePort }) else {
                        continue
                    }
                    candidates[place].append(
                        Candidate(
                            address: SocketAddress(address, mapping.targetPort), rank: rank,
                            health: membership.health, weight: workload.weight))
                }
            }
        }
        return ports.indices.map { place in
            let backend = BackendReference(service: service.key, port: ports[place].port)
            return ClusterConfiguration(
                number: number(backend), backend: backend, policy: service.upstreamPolicy,
                endpoints: endpoints(of: candidates[place]), limits: limits)
        }
    }

    /// A workload with addresses of both families is one endpoint.
    private func chosenAddress(of workload: Workload, _ membership: Membership) -> IPAddress? {
        let addresses = membership.addresses.isEmpty ? workload.addresses : membership.addresses
        return addresses.first(where: \.isV4) ?? addresses.first
    }

    /// Terminating endpoints serve only while none is ready. Tiers are numbered without gaps.
    private func endpoints(of candidates: [Candidate]) -> [EndpointConfiguration] {
        guard let best = candidates.map(\.health).min() else { return [] }
        let serving = candidates.filter { $0.health == best }.sorted { left, right in
            (left.rank, left.address.address, left.address.port, right.weight)
                < (right.rank, right.address.address, right.address.port, left.weight)
        }
        var known: Set<SocketAddress> = []
        var endpoints: [EndpointConfiguration] = []
        var tier: UInt8 = 0
        var rank = serving.first?.rank ?? 0
        // Where two workloads have the same address and port, the better one counts.
        for candidate in serving where known.insert(candidate.address).inserted {
            if candidate.rank != rank {
                rank = candidate.rank
                tier &+= 1
            }
            endpoints.append(
                EndpointConfiguration(address: candidate.address, weight: candidate.weight, tier: tier))
        }
        return endpoints
    }

    private struct Candidate {
        let address: SocketAddress
        let rank: Int
        let health: EndpointHealth
        let weight: UInt32
    }
}

extension ClusterConfiguration {
    /// Whether requests would fare the same: then the old object stays.
    func isSame(as other: ClusterConfiguration) -> Bool {
        number == other.number && backend == other.backend && policy == other.policy
            && limits == other.limits && endpoints == other.endpoints
    }
}

extension Service {
    /// Each number once.
    var tcpPorts: [ServicePort] {
        var known: Set<UInt16> = []
        return ports.filter { $0.transport == .tcp && known.insert($0.port).inserted }
    }
}
