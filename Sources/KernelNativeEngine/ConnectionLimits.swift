internal import CKmeshABI
internal import KmeshKit

/// How many connections service ports may have: `km_limit`. A limit is for each port and address family.
struct ConnectionLimits: Sendable {
    var table: ServicePortTable<LimitValue>
    private var services: [ServiceKey: Limited] = [:]

    private struct Limited: Sendable {
        let limit: UInt32
        let ports: [ServicePort]
    }

    init(_ map: any KeyValueMap<ServiceMapKey, LimitValue>) {
        table = ServicePortTable(map) { [.init("maxConnections", JSONValue($0.maxConnections))] }
    }

    mutating func note(_ changes: [ResourceChange<MeshResource>]) {
        for change in changes {
            switch change {
            case .upsert(.service(let service)):
                services[service.key] = service.maxConnections.map {
                    Limited(limit: $0, ports: service.ports)
                }
            case .remove(.service(let key)): services[key] = nil
            default: break
            }
        }
    }

    /// Brings the map in line with the service ports that are in force.
    mutating func write(_ dataplane: L4Dataplane, _ writes: inout Int) throws(MapError) {
        guard !services.isEmpty || !table.held.isEmpty else { return }
        try table.write(wanted(dataplane), &writes)
    }

    private func wanted(_ dataplane: L4Dataplane) -> [ServiceMapKey: LimitValue] {
        var wanted: [ServiceMapKey: LimitValue] = [:]
        for (key, limited) in services {
            for port in limited.ports {
                for family in AddressFamily.allCases {
                    let cluster = ClusterKey(key, port: port.port, transport: port.transport, family: family)
                    guard let id = dataplane.serviceID(of: cluster) else { continue }
                    wanted[ServiceMapKey(serviceID: id)] = LimitValue(maxConnections: limited.limit)
                }
            }
        }
        return wanted
    }
}
