/// Names the ends of connections.
extension L4Dataplane {
    /// - Parameter local: the enrolled workload whose connection it is.
    public func parties(of question: ConnectionQuestion, local pod: PodName?) -> ConnectionParties {
        let remote = workloads.owner(of: question.remote)
        let local = pod.map { pod in
            workloads[pod.workloadUID]
                ?? Workload(uid: pod.workloadUID, name: pod.name, namespace: pod.namespace, addresses: [])
        }
        switch question.direction {
        case .inbound:
            let service = local.flatMap { self.service(of: $0, at: question.localPort) }
            return ConnectionParties(source: remote, destination: local, service: service)
        case .outbound:
            return ConnectionParties(
                source: local, destination: remote, service: question.dialed.flatMap { service(at: $0) })
        }
    }

    /// Whether the mesh still has the workload.
    public func hasWorkload(_ uid: String) -> Bool { workloads[uid] != nil }

    private func service(at frontend: SocketAddress) -> Service? {
        let key = FrontendKey(address: frontend.address, port: frontend.port, transport: .tcp)
        return frontends.owners[key].flatMap { names[$0] }.flatMap { services[$0] }
    }

    /// Nobody tells what the client dialed. A workload can serve the port for several services: clients use
    /// those that have an address.
    private func service(of workload: Workload, at port: UInt16) -> Service? {
        let served = workload.memberships.lazy
            .filter { $0.ports.contains { $0.targetPort == port && $0.transport == .tcp } }
            .compactMap { services[$0.service] }
        return served.first { !$0.addresses.isEmpty } ?? served.first
    }
}
