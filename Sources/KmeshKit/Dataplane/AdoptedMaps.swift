/// What a restart finds in the maps: services take over what is theirs, so that ids and slots stay as they
/// are; whatever nobody takes is garbage.
internal import CKmeshABI

struct AdoptedMaps: Sendable {
    let occupancy: MapCounts
    private var frontends: [FrontendKey: FrontendValue]
    private var damagedFrontends: [FrontendKey]
    /// Addresses of waypoint instances.
    let waypoints: Set<IPAddress>
    private let damagedWaypoints: [WaypointKey]
    private var ports: [UInt32: AdoptedPort] = [:]
    /// Ids that something is sent to as its waypoint's.
    private var waypointIDs: Set<UInt32> = []
    /// How many frontends lead to each id.
    private var references: [UInt32: Int] = [:]
    /// What is known of ids that routes lead to, perhaps no frontend.
    private let clusters: [ClusterDigest: UInt32]
    private let digests: [UInt32: ClusterDigest]

    init(reading maps: L4Maps, clusters: [ClusterDigest: UInt32]) throws(MapError) {
        self.clusters = clusters.filter { $0.value != 0 && $0.value != KMESH_WAYPOINT_MISSING }
        digests = Dictionary(self.clusters.map { ($0.value, $0.key) }, uniquingKeysWith: { $1 })
        var occupancy = MapCounts()
        let frontends = try maps.frontends.contents()
        self.frontends = frontends.entries
        damagedFrontends = frontends.damaged
        for (key, value) in frontends.entries where !key.isMarker {
            references[value.serviceID, default: 0] += 1
        }
        let waypoints = try maps.waypoints.contents()
        self.waypoints = Set(waypoints.entries.keys.map(\.address))
        damagedWaypoints = waypoints.damaged
        occupancy.waypoints = waypoints.entries.count + waypoints.damaged.count
        occupancy.frontends = frontends.entries.count + frontends.damaged.count
        let services = try maps.services.contents()
        for (key, value) in services.entries {
            ports[key.serviceID, default: AdoptedPort()].value = .found(value)
        }
        for key in services.damaged { ports[key.serviceID, default: AdoptedPort()].value = .damaged }
        occupancy.services = services.entries.count + services.damaged.count
        let slots = try maps.slots.contents()
        for (key, value) in slots.entries {
            let slot = AdoptedPort.Slot(tier: key.tier, index: key.index, endpointID: value.endpointID)
            ports[key.serviceID, default: AdoptedPort()].slots.append(slot)
        }
        for key in slots.damaged {
            let slot = AdoptedPort.Slot(tier: key.tier, index: key.index, endpointID: 0)
            ports[key.serviceID, default: AdoptedPort()].slots.append(slot)
        }
        occupancy.slots = slots.entries.count + slots.damaged.count
        occupancy.tables = try Self.readTables(maps, &ports)
        let endpoints = try maps.endpoints.contents()
        for (key, value) in endpoints.entries {
            ports[key.serviceID, default: AdoptedPort()].endpoints.append((key.endpointID, value))
        }
        for key in endpoints.damaged {
            ports[key.serviceID, default: AdoptedPort()].endpoints.append((key.endpointID, nil))
        }
        occupancy.endpoints = endpoints.entries.count + endpoints.damaged.count
        self.occupancy = occupancy
        waypointIDs = Set(redirects.values)
        for case .found(let value) in ports.values.map(\.value) { waypointIDs.insert(value.waypointID) }
        for id in ports.keys { ports[id]?.sort() }
    }

    /// Keeps digests only: a table is large.
    private static func readTables(
        _ maps: L4Maps, _ ports: inout [UInt32: AdoptedPort]
    ) throws(MapError) -> Int {
        let tables = try maps.tables.contents()
        for (key, value) in tables.entries {
            ports[key.serviceID, default: AdoptedPort()].table = .found(value.digest)
        }
        for key in tables.damaged { ports[key.serviceID, default: AdoptedPort()].table = .found(0) }
        return tables.entries.count + tables.damaged.count
    }

    /// Every id that the maps mention, or that somebody knows.
    var serviceIDs: Set<UInt32> {
        var ids = Set(ports.keys).union(clusters.values)
        for value in frontends.values { ids.insert(value.serviceID) }
        for port in ports.values {
            if case .found(let value) = port.value { ids.insert(value.waypointID) }
        }
        return ids.subtracting([0, KMESH_WAYPOINT_MISSING])
    }

    /// Addresses that are marked with a waypoint.
    var redirects: [IPAddress: UInt32] {
        var redirects: [IPAddress: UInt32] = [:]
        for (key, value) in frontends where key.isMarker && value.serviceID != 0 {
            redirects[key.address] = value.serviceID
        }
        return redirects
    }

    /// What is there of `service`: the ids that its addresses and ports lead to. `repairs` removes what is
    /// damaged or not referred to. What was a waypoint's is only for one that `isWaypoint`.
    mutating func claim(
        _ service: Service, isWaypoint: Bool, repairs: inout MapChanges
    ) -> AppliedService? {
        var applied = AppliedService()
        for port in service.ports {
            for family in AddressFamily.allCases {
                let key = ServicePortKey(port: port.port, transport: port.transport, family: family)
                let addresses = Set(service.addresses.filter { $0.family == family }).sorted()
                guard applied.port(key) == nil,
                    let state = claim(
                        ClusterKey(service.key, key), addresses, isWaypoint: isWaypoint, repairs: &repairs)
                        ?? claim(ClusterKey(service.key, key), isWaypoint: isWaypoint, repairs: &repairs)
                else { continue }
                applied.ports.append(state)
            }
        }
        guard !applied.ports.isEmpty || service.ports.isEmpty else { return nil }
        applied.addresses = service.ownAddresses.filter { address in
            frontends[FrontendKey(markerOf: address)]?.serviceID == 0
        }
        applied.waypoint = service.waypoint
        return applied.isEmpty ? nil : applied
    }

    private mutating func claim(
        _ cluster: ClusterKey, _ addresses: [IPAddress], isWaypoint: Bool, repairs: inout MapChanges
    ) -> ServicePortState? {
        let key = cluster.port
        func frontend(_ address: IPAddress) -> FrontendKey {
            FrontendKey(address: address, port: key.port, transport: key.transport)
        }
        for address in addresses {
            guard let id = frontends[frontend(address)]?.serviceID, id != 0,
                let found = ports[id], found.value != .absent
            else { continue }
            // Who goes through it must not reach the endpoints of another service.
            guard isWaypoint || !waypointIDs.contains(id) else { continue }
            // Nor must what a route leads to.
            guard digests[id].map({ $0 == cluster.digest }) ?? true else { continue }
            let own = addresses.filter { frontends[frontend($0)]?.serviceID == id }
            // Another frontend that leads to the id may be another service's by now: it must not reach the
            // endpoints of this one, so this one gets a new id.
            guard own.count == references[id] else { continue }
            for address in own { frontends[frontend(address)] = nil }
            ports[id] = nil
            return found.state(id: id, key: key, frontends: own, repairs: &repairs)
        }
        return nil
    }

    /// A port that no address leads to, by what is known of it.
    private mutating func claim(
        _ cluster: ClusterKey, isWaypoint: Bool, repairs: inout MapChanges
    ) -> ServicePortState? {
        guard let id = clusters[cluster.digest], references[id] == nil,
            isWaypoint || !waypointIDs.contains(id), let found = ports[id], found.value != .absent
        else { return nil }
        ports[id] = nil
        return found.state(id: id, key: cluster.port, frontends: [], repairs: &repairs)
    }

    /// The removal of all that nobody claimed; `table` has the markers that are still wanted. Marks of
    /// workloads' addresses are not among it.
    func garbage(besides table: FrontendTable) -> MapChanges {
        var changes = MapChanges()
        let unclaimed = frontends.filter { key, value in
            !(key.isMarker && (value.serviceID != 0 || table.markers[key.address] != nil))
        }
        changes.waypoints.removes = damagedWaypoints.sorted { $0.address < $1.address }
        changes.frontends.removes = (unclaimed.keys + damagedFrontends).sorted { left, right in
            (left.transport, left.address, left.port) < (right.transport, right.address, right.port)
        }
        for (id, port) in ports.sorted(by: { $0.key < $1.key }) {
            if port.value != .absent { changes.services.removes.append(ServiceMapKey(serviceID: id)) }
            if port.table != .absent { changes.tables.removes.append(ServiceMapKey(serviceID: id)) }
            changes.slots.removes += port.slots.map {
                SlotKey(serviceID: id, tier: $0.tier, index: $0.index)
            }
            changes.endpoints.removes += port.endpoints.map { EndpointKey(serviceID: id, endpointID: $0.id) }
        }
        return changes
    }
}

/// What the maps hold under one service id.
struct AdoptedPort: Sendable {
    enum Value: Hashable, Sendable {
        case absent, damaged
        case found(ServiceValue)
    }

    struct Slot: Sendable {
        let tier: UInt32
        let index: UInt32
        /// 0 for a damaged entry.
        let endpointID: UInt32
    }

    var value = Value.absent
    var slots: [Slot] = []
    var table = ServicePortState.TableInMap.absent
    /// A damaged endpoint has no value.
    var endpoints: [(id: UInt32, value: EndpointValue?)] = []

    /// Equal maps lead to equal writes.
    mutating func sort() {
        slots.sort { ($0.tier, $0.index) < ($1.tier, $1.index) }
        endpoints.sort { $0.id < $1.id }
    }

    /// The service port that this makes. Slots are taken up to the first gap, endpoints once each.
    func state(
        id: UInt32, key: ServicePortKey, frontends: [IPAddress], repairs: inout MapChanges
    ) -> ServicePortState {
        var placed = intactEndpoints(serviceID: id, repairs: &repairs)
        var tiers: [TierSlots] = []
        for (tier, slots) in Dictionary(grouping: slots, by: \.tier).sorted(by: { $0.key < $1.key }) {
            let limit = tier < UInt32(KMESH_TIERS_MAX) ? slots.count : 0
            var ids = [UInt32?](repeating: nil, count: limit)
            for slot in slots where slot.index < limit { ids[Int(slot.index)] = slot.endpointID }
            let present = ids.prefix { $0 != nil }.compactMap { $0 }
            let taken = present.map { endpointID -> UInt32 in
                guard placed[endpointID]?.tier == EndpointTier.none else { return 0 }
                placed[endpointID]?.tier = UInt8(tier)
                return endpointID
            }
            repairs.slots.removes += slots.filter { $0.index >= taken.count }.map {
                SlotKey(serviceID: id, tier: tier, index: $0.index)
            }
            if !taken.isEmpty { tiers.append(TierSlots(tier: UInt8(tier), ids: taken)) }
        }
        var found = ServiceValue(policy: 0, flags: 0, tier: 0, endpointCount: 0, affinityTimeout: 0)
        if case .found(let value) = value { found = value }
        return ServicePortState(
            id: id, key: key, frontends: frontends, value: found,
            endpoints: placed.values.sorted { $0.identity < $1.identity }, tiers: tiers, table: table,
            lastEndpointID: endpoints.lazy.map(\.id).max() ?? 0)
    }

    private func intactEndpoints(
        serviceID: UInt32, repairs: inout MapChanges
    ) -> [UInt32: ServicePortState.PlacedEndpoint] {
        var intact: [UInt32: ServicePortState.PlacedEndpoint] = [:]
        var known: Set<EndpointIdentity> = []
        for (id, value) in endpoints {
            let identity = value.map { EndpointIdentity(address: $0.address, port: $0.port) }
            if id != 0, let identity, known.insert(identity).inserted {
                intact[id] = ServicePortState.PlacedEndpoint(
                    identity: identity, tier: EndpointTier.none, id: id, weight: 0)
            } else {
                repairs.endpoints.removes.append(EndpointKey(serviceID: serviceID, endpointID: id))
            }
        }
        return intact
    }
}
