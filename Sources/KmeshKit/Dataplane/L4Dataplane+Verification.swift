/// Compares the maps with what is in force, entry by entry.
internal import CKmeshABI

extension L4Dataplane {
    /// Every entry that is missing, different, damaged or should not be there, in terms of services and
    /// addresses. Where writes wait, their entries differ. Before the first configuration is applied nothing
    /// is wanted.
    public func verify() throws(MapError) -> [Difference] {
        let maps = reconciler.maps
        let texts = EntryTexts(of: self)
        var differences = compare(
            KMESH_MAP_FRONTEND, try maps.frontends.contents(), wantedFrontends(), key: texts.frontend,
            value: { texts.frontend($0, $1) })
        differences += compare(
            KMESH_MAP_SERVICE, try maps.services.contents(), wantedServices(),
            key: { texts.service($0.serviceID) }, value: { texts.value($1) })
        differences += compare(
            KMESH_MAP_SLOT, try maps.slots.contents(), wantedSlots(),
            key: { "\(texts.service($0.serviceID)) tier \($0.tier) slot \($0.index)" },
            value: { texts.endpoint($1.endpointID, of: $0.serviceID) })
        differences += compareTables(try maps.tables.contents(), texts)
        differences += compare(
            KMESH_MAP_ENDPOINT, try maps.endpoints.contents(), wantedEndpoints(),
            key: { "\(texts.service($0.serviceID)) endpoint \($0.endpointID)" },
            value: { texts.socketAddress($1.address, $1.port) })
        differences += compare(
            KMESH_MAP_WAYPOINT, try maps.waypoints.contents(), wantedWaypoints(),
            key: { "\($0.address)" }, value: { _, _ in "a waypoint's address" })
        return differences
    }

    var portsInForce: some Sequence<(service: ServiceKey, port: ServicePortState)> {
        inForce.lazy.flatMap { key, service in service.ports.lazy.map { (key, $0) } }
    }

    private func wantedFrontends() -> [FrontendKey: FrontendValue] {
        var wanted = frontends.owners.mapValues { FrontendValue(serviceID: $0) }
        for (address, id) in frontends.marks {
            wanted[FrontendKey(markerOf: address)] = FrontendValue(serviceID: id)
        }
        return wanted
    }

    private func wantedWaypoints() -> [WaypointKey: WaypointValue] {
        let keys = waypoints.known.map { (WaypointKey(address: $0), WaypointValue()) }
        return Dictionary(uniqueKeysWithValues: keys)
    }

    private func wantedServices() -> [ServiceMapKey: ServiceValue] {
        var wanted: [ServiceMapKey: ServiceValue] = [:]
        for (_, port) in portsInForce { wanted[ServiceMapKey(serviceID: port.id)] = port.value }
        return wanted
    }

    private func wantedSlots() -> [SlotKey: SlotValue] {
        var wanted: [SlotKey: SlotValue] = [:]
        for (_, port) in portsInForce {
            for tier in port.tiers {
                for (index, id) in tier.ids.enumerated() {
                    wanted[port.slotKey(tier.tier, index)] = SlotValue(endpointID: id)
                }
            }
        }
        return wanted
    }

    private func wantedEndpoints() -> [EndpointKey: EndpointValue] {
        var wanted: [EndpointKey: EndpointValue] = [:]
        for (_, port) in portsInForce {
            for endpoint in port.endpoints {
                wanted[port.endpointKey(endpoint.id)] = EndpointValue(
                    address: endpoint.identity.address, port: endpoint.identity.port)
            }
        }
        return wanted
    }

    private func compare<Key: MapWords, Value: MapWords>(
        _ map: String, _ found: MapContents<Key, Value>, _ wanted: [Key: Value],
        key text: (Key) -> String, value describe: (Key, Value) -> String
    ) -> [Difference] {
        var differences: [Difference] = []
        let damaged = Set(found.damaged)
        for (key, value) in wanted where found.entries[key] != value {
            let other = damaged.contains(key) ? "damaged" : found.entries[key].map { describe(key, $0) }
            differences.append(
                Difference(map: map, key: text(key), wanted: describe(key, value), found: other))
        }
        for (key, value) in found.entries where wanted[key] == nil {
            differences.append(Difference(map: map, key: text(key), wanted: nil, found: describe(key, value)))
        }
        for key in damaged where wanted[key] == nil {
            differences.append(Difference(map: map, key: text(key), wanted: nil, found: "damaged"))
        }
        return differences.sorted { $0.key < $1.key }
    }

    /// Tables are built one after the other: all of them together would be large.
    private func compareTables(
        _ found: MapContents<ServiceMapKey, TableValue>, _ texts: EntryTexts
    ) -> [Difference] {
        var differences: [Difference] = []
        var extra = Set(found.entries.keys).union(found.damaged)
        for (_, port) in portsInForce {
            let key = ServiceMapKey(serviceID: port.id), present = found.entries[key]
            if case .found(let digest) = port.table, present?.digest == digest {
                // The service is as an earlier run left it, because its new form was refused.
                extra.remove(key)
                continue
            }
            guard let plan = port.tablePlan else { continue }
            extra.remove(key)
            let table = plan.table()
            guard present != table else { continue }
            let wrong = present.map { zip($0.endpointIDs, table.endpointIDs).count { $0 != $1 } }
            differences.append(
                Difference(
                    map: KMESH_MAP_TABLE, key: texts.service(key.serviceID),
                    wanted: "a table of \(plan.shares.count) endpoints",
                    found: wrong.map { "one with \($0) other slots" }))
        }
        differences += extra.map {
            Difference(map: KMESH_MAP_TABLE, key: texts.service($0.serviceID), wanted: nil, found: "a table")
        }
        return differences.sorted { $0.key < $1.key }
    }
}

/// Names of services and endpoints for the people who read differences.
struct EntryTexts: Sendable {
    private var ports: [UInt32: (service: ServiceKey, port: ServicePortState)] = [:]

    init(of dataplane: L4Dataplane) {
        for (service, port) in dataplane.portsInForce { ports[port.id] = (service, port) }
    }

    func service(_ id: UInt32) -> String {
        guard let (service, port) = ports[id] else { return "unknown service \(id)" }
        return "\(service) port \(port.key.port)/\(port.key.transport.name) IPv\(port.key.family.rawValue)"
    }

    func endpoint(_ id: UInt32, of service: UInt32) -> String {
        guard let endpoint = ports[service]?.port.endpoints.first(where: { $0.id == id }) else {
            return "unknown endpoint \(id)"
        }
        return socketAddress(endpoint.identity.address, endpoint.identity.port)
    }

    func frontend(_ key: FrontendKey) -> String {
        guard !key.isMarker else { return "\(key.address)" }
        let transport = TransportProtocol(rawValue: key.transport)?.name ?? "protocol \(key.transport)"
        return "\(socketAddress(key.address, key.port))/\(transport)"
    }

    func frontend(_ key: FrontendKey, _ value: FrontendValue) -> String {
        guard key.isMarker else { return service(value.serviceID) }
        return value.serviceID == 0 ? "the mark of an address" : "through \(waypoint(value.serviceID))"
    }

    func waypoint(_ id: UInt32) -> String {
        id == KMESH_WAYPOINT_MISSING ? "a waypoint that is not in force" : service(id)
    }

    func value(_ value: ServiceValue) -> String {
        let policy = LoadBalancingPolicy(mapValue: value.policy)
        var text = policy.map(\.rawValue) ?? "unknown policy \(value.policy)"
        text += ", \(value.endpointCount) endpoints in tier \(value.tier)"
        if value.flags & KMESH_SERVICE_AFFINITY.rawValue != 0 {
            text += ", affinity \(value.affinityTimeout) s"
        }
        if value.flags & KMESH_SERVICE_STRICT.rawValue != 0 { text += ", none where its locality asks" }
        if value.waypointID != 0 { text += ", through \(waypoint(value.waypointID))" }
        return text
    }

    func socketAddress(_ address: IPAddress, _ port: UInt16) -> String {
        address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}
