internal import CKmeshABI
internal import KmeshKit

/// How many connections service ports may have: `km_limit`. A limit is for each port and address family.
struct ConnectionLimits: Sendable {
    private let map: any KeyValueMap<ServiceMapKey, LimitValue>
    private var services: [ServiceKey: Limited] = [:]
    /// What is in the map; `nil`: damaged.
    private var held: [ServiceMapKey: LimitValue?] = [:]

    private struct Limited: Sendable {
        let limit: UInt32
        let ports: [ServicePort]
    }

    init(_ map: any KeyValueMap<ServiceMapKey, LimitValue>) { self.map = map }

    var count: Int { held.count }

    /// Reads the map as an earlier run left it.
    mutating func adopt() throws(MapError) {
        let found = try map.contents()
        for (key, value) in found.entries { held[key] = value }
        for key in found.damaged { held[key] = .some(nil) }
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
        guard !services.isEmpty || !held.isEmpty else { return }
        let wanted = wanted(dataplane)
        let missing = wanted.filter { held[$0.key] != .some($0.value) }
        try map.upsert(missing.map { MapEntry($0.key, $0.value) })
        for (key, value) in missing { held[key] = value }
        let gone = held.keys.filter { wanted[$0] == nil }
        try map.remove(gone)
        for key in gone { held[key] = nil }
        writes += missing.count + gone.count
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

    func verify() throws(MapError) -> [Difference] {
        let found = try map.contents().entries
        return Set(found.keys).union(held.keys).sorted { $0.serviceID < $1.serviceID }.compactMap { key in
            let wanted = held[key].flatMap { $0 }
            guard found[key] != wanted else { return nil }
            return Difference(
                map: map.name, key: "service port \(key.serviceID)",
                wanted: wanted.map { "\($0.maxConnections)" },
                found: found[key].map { "\($0.maxConnections)" })
        }
    }

    func dump(_ name: @escaping @Sendable (UInt32) -> String) -> DumpableMap {
        .entries(map, by: \.serviceID) {
            EntryWords(
                key: { ["service": .string(name($0.serviceID)), "serviceId": JSONValue($0.serviceID)] },
                value: { ["maxConnections": JSONValue($1.maxConnections)] })
        }
    }
}
