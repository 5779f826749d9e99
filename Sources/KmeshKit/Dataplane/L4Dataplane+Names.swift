/// Services and workloads by what programs know of them.

extension L4Dataplane {
    /// The service that a numeric id is a port of.
    public func service(numbered id: UInt32) -> ServiceKey? { names[id] }

    /// The service that answers what was dialed, or has its address without declaring the port.
    public func service(at dialed: SocketAddress, _ transport: TransportProtocol) -> ServiceKey? {
        let key = FrontendKey(address: dialed.address, port: dialed.port, transport: transport)
        if let id = frontends.owners[key] { return names[id] }
        guard frontends.mark(of: dialed.address) == 0 else { return nil }
        return inForce.first { $0.value.addresses.contains(dialed.address) }?.key
    }

    /// The workload with the address among those that serve a service, as `namespace/name`.
    public func workloadName(at address: IPAddress, serving service: ServiceKey) -> String? {
        var name: String?
        workloads.forEachMember(of: service) { workload in
            guard name == nil, workload.addresses.contains(address) else { return }
            name = "\(workload.namespace)/\(workload.name)"
        }
        return name
    }
}
