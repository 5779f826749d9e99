/// Clusters become services without addresses, and their endpoints the workloads of these: so L4 keeps them
/// in the maps like any other service port.
internal import KmeshKit

struct ClusterLowering: Sendable {
    private var clusters: [String: Cluster] = [:]

    /// A cluster has one port; which one is of no meaning.
    static let port: UInt16 = 1

    var all: [Cluster] { Array(clusters.values) }

    /// The clusters among `changes`, in L4's terms.
    mutating func lower(_ changes: [ResourceChange<MeshResource>]) -> [ResourceChange<MeshResource>] {
        var lowered: [ResourceChange<MeshResource>] = []
        for change in changes {
            switch change {
            case .upsert(.cluster(let cluster)):
                let before = uids(clusters.updateValue(cluster, forKey: cluster.name))
                lowered.append(.upsert(.service(service(cluster))))
                let workloads = workloads(cluster)
                lowered += workloads.map { .upsert(.workload($0)) }
                let gone = before.subtracting(workloads.map(\.uid)).sorted()
                lowered += gone.map { .remove(.workload(uid: $0)) }
            case .remove(.cluster(let name)):
                let before = uids(clusters.removeValue(forKey: name))
                lowered += before.sorted().map { .remove(.workload(uid: $0)) }
                lowered.append(.remove(.service(ServiceKey(cluster: name))))
            default: continue
            }
        }
        return lowered
    }

    private func service(_ cluster: Cluster) -> Service {
        var service = Service(
            key: ServiceKey(cluster: cluster.name), name: cluster.name, addresses: [],
            ports: [ServicePort(port: Self.port, transport: .tcp)], policy: cluster.policy)
        service.maxConnections = cluster.maxConnections
        return service
    }

    private func workloads(_ cluster: Cluster) -> [Workload] {
        cluster.endpoints.map { endpoint in
            var membership = Membership(
                service: ServiceKey(cluster: cluster.name),
                ports: [PortMapping(servicePort: Self.port, transport: .tcp, targetPort: endpoint.port)],
                health: endpoint.health)
            membership.priority = UInt8(clamping: endpoint.priority)
            return Workload(
                uid: uid(endpoint, of: cluster),
                name: "\(SocketAddress(endpoint.address, endpoint.port))", namespace: "",
                addresses: [endpoint.address], locality: endpoint.locality, weight: endpoint.weight,
                memberships: [membership])
        }
    }

    private func uids(_ cluster: Cluster?) -> Set<String> {
        guard let cluster else { return [] }
        return Set(cluster.endpoints.map { uid($0, of: cluster) })
    }

    private func uid(_ endpoint: ClusterEndpoint, of cluster: Cluster) -> String {
        "Cluster/\(cluster.name)/\(SocketAddress(endpoint.address, endpoint.port))"
    }
}
