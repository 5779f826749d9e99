/// What is in force at L4, as values for people and tools.
internal import CKmeshABI

extension L4Dataplane {
    /// Adds services and frontends, sorted.
    public func describe(in snapshot: inout EngineSnapshot) {
        for (key, service) in inForce.sorted(by: { $0.key < $1.key }) {
            for port in service.ports {
                var described = port.snapshot(of: key)
                described.waypoint = port.value.waypointID == 0 ? nil : service.waypoint?.description
                described.isWaypointInForce = port.value.waypointID != KMESH_WAYPOINT_MISSING
                snapshot.services.append(described)
            }
        }
        let texts = EntryTexts(of: self)
        for (key, id) in frontends.owners {
            let transport = TransportProtocol(rawValue: key.transport)
            snapshot.frontends.append(
                FrontendSnapshot(
                    address: key.address, port: key.port, transport: transport, serviceID: id,
                    service: texts.service(id)))
        }
        for (address, id) in frontends.marks {
            let isRefused = id == 0 || id == KMESH_WAYPOINT_MISSING
            snapshot.frontends.append(
                FrontendSnapshot(
                    address: address, port: 0, transport: nil, serviceID: id,
                    service: isRefused ? nil : texts.service(id)))
        }
        snapshot.frontends.sort {
            ($0.address, $0.port, $0.transport?.rawValue ?? 0)
                < ($1.address, $1.port, $1.transport?.rawValue ?? 0)
        }
    }
}

extension ServicePortState {
    fileprivate func snapshot(of service: ServiceKey) -> ServiceSnapshot {
        var places: [UInt32: UInt32] = [:]
        for tier in tiers {
            for (index, id) in tier.ids.enumerated() { places[id] = UInt32(index) }
        }
        let policy = LoadBalancingPolicy(mapValue: value.policy)
        return ServiceSnapshot(
            id: id, service: service.description, port: key.port, transport: key.transport,
            family: key.family,
            policy: policy ?? .random, tier: value.tier,
            affinityTimeout: hasAffinity ? value.affinityTimeout : nil,
            endpoints: endpoints.map {
                EndpointSnapshot(
                    id: $0.id, address: $0.identity.address, port: $0.identity.port, tier: UInt32($0.tier),
                    slot: places[$0.id] ?? 0)
            })
    }
}
