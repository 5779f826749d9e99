/// One service port as it is in the maps, and how it becomes another: a value without I/O.
internal import CKmeshABI

struct ServicePortState: Hashable, Sendable {
    /// What the maps know the port by.
    let id: UInt32
    let key: ServicePortKey
    /// Sorted, each once.
    private(set) var frontends: [IPAddress] = []
    private(set) var value: ServiceValue
    /// Sorted by identity, each once.
    private(set) var endpoints: [PlacedEndpoint] = []
    /// Tiers with endpoints, best first; empty for a service with a table.
    private(set) var tiers: [TierSlots] = []
    private(set) var table = TableInMap.absent
    private var lastEndpointID: UInt32 = 0
    /// Endpoint ids have started again at 1, so that a new one may be in use.
    private var hasWrapped = false

    struct PlacedEndpoint: Hashable, Sendable {
        let identity: EndpointIdentity
        /// `EndpointTier.none` when it was found without a slot.
        var tier: UInt8
        let id: UInt32
        var weight: UInt32
    }

    /// What is known of the service's table in the map.
    enum TableInMap: Hashable, Sendable {
        case absent
        /// The digest of the plan that it was built from.
        case planned(UInt64)
        /// The digest of what was found after a restart.
        case found(UInt64)
    }

    /// A port that is in no map yet.
    init(id: UInt32, key: ServicePortKey) {
        precondition(id != 0, "0 is no service id")
        self.id = id
        self.key = key
        value = ServiceValue(policy: 0, flags: 0, tier: 0, endpointCount: 0, affinityTimeout: 0)
    }

    /// A port as it was found in the maps.
    init(
        id: UInt32, key: ServicePortKey, frontends: [IPAddress], value: ServiceValue,
        endpoints: [PlacedEndpoint], tiers: [TierSlots], table: TableInMap, lastEndpointID: UInt32
    ) {
        (self.id, self.key, self.frontends, self.value) = (id, key, frontends, value)
        (self.endpoints, self.tiers, self.table) = (endpoints, tiers, table)
        self.lastEndpointID = lastEndpointID
        isInMaps = true
    }

    /// Whether the service map has an entry for the id.
    private(set) var isInMaps = false

    var frontendKeys: [FrontendKey] {
        frontends.map { FrontendKey(address: $0, port: key.port, transport: key.transport) }
    }

    var usesTable: Bool {
        value.policy == KMESH_POLICY_TABLE_RANDOM.rawValue || value.policy == KMESH_POLICY_TABLE_HASH.rawValue
    }

    var hasAffinity: Bool { value.flags & KMESH_SERVICE_AFFINITY.rawValue != 0 }

    /// Becomes what is wanted. The changes are all but those of frontends, which may belong to other
    /// services.
    mutating func update(to wanted: WantedServicePort) -> MapChanges {
        precondition(wanted.key == key, "an update leads from a service port to the same one")
        var changes = MapChanges()
        let moves = updateEndpoints(to: wanted.endpoints, &changes)
        frontends = wanted.frontends
        updateSlots(moves, usesTable: wanted.policy != .random, &changes)
        updateValue(to: wanted, &changes)
        updateTable(&changes)
        return changes
    }

    /// Makes what was found in the maps fit together: of a service without a table, the endpoints that have
    /// slots.
    mutating func consolidate() -> MapChanges {
        guard !usesTable else { return MapChanges() }
        let placed = endpoints.filter { $0.tier != EndpointTier.none }
        return update(
            to: WantedServicePort(
                key: key, frontends: frontends, policy: .random,
                affinityTimeout: hasAffinity ? value.affinityTimeout : nil,
                isStrictlyUnmatched: placed.isEmpty && value.flags & KMESH_SERVICE_STRICT.rawValue != 0,
                endpoints: placed.map {
                    WantedEndpoint(identity: $0.identity, tier: $0.tier, weight: $0.weight)
                }))
    }

    /// Sends its connections to another service port: 0 is none.
    mutating func redirect(to waypointID: UInt32, _ changes: inout MapChanges) {
        guard value.waypointID != waypointID else { return }
        value.waypointID = waypointID
        changes.services.upserts.append(MapEntry(ServiceMapKey(serviceID: id), value))
    }

    /// The changes that remove the port, all but those of frontends.
    func removal() -> MapChanges {
        var changes = MapChanges()
        changes.services.removes = isInMaps ? [ServiceMapKey(serviceID: id)] : []
        for tier in tiers {
            changes.slots.removes += tier.ids.indices.map { slotKey(tier.tier, $0) }
        }
        if table != .absent { changes.tables.removes = [ServiceMapKey(serviceID: id)] }
        changes.endpoints.removes = endpoints.map { endpointKey($0.id) }
        return changes
    }

    func slotKey(_ tier: UInt8, _ index: Int) -> SlotKey {
        SlotKey(serviceID: id, tier: UInt32(tier), index: UInt32(index))
    }

    func endpointKey(_ endpointID: UInt32) -> EndpointKey {
        EndpointKey(serviceID: id, endpointID: endpointID)
    }

    /// What the table is filled from; `nil` when the service has none.
    var tablePlan: TablePlan? {
        guard usesTable, value.endpointCount > 0 else { return nil }
        let shares = endpoints.filter { $0.weight > 0 && UInt32($0.tier) == value.tier }.map {
            TableShare(
                hash: StableHash.of($0.identity.address, port: $0.identity.port), endpointID: $0.id,
                weight: $0.weight)
        }
        return shares.isEmpty ? nil : TablePlan(serviceID: id, shares: shares)
    }
}

/// Which endpoints leave and enter tiers.
private struct TierMoves {
    var departing: Set<UInt32> = []
    var arriving: [UInt8: [UInt32]] = [:]
}

extension ServicePortState {
    /// Merges two sorted lists: who is in both keeps its id.
    private mutating func updateEndpoints(
        to wanted: [WantedEndpoint], _ changes: inout MapChanges
    ) -> TierMoves {
        var moves = TierMoves()
        var updated: [PlacedEndpoint] = []
        updated.reserveCapacity(wanted.count)
        var old = endpoints[...]
        for endpoint in wanted {
            while let gone = old.first, gone.identity < endpoint.identity {
                removeEndpoint(gone, &moves, &changes)
                old.removeFirst()
            }
            // One that begins to terminate is another endpoint: clients that stay with an endpoint leave it.
            if var kept = old.first, kept.identity == endpoint.identity,
                EndpointTier.isSameHealth(kept.tier, endpoint.tier)
            {
                old.removeFirst()
                if kept.tier != endpoint.tier {
                    if kept.tier != EndpointTier.none { moves.departing.insert(kept.id) }
                    moves.arriving[endpoint.tier, default: []].append(kept.id)
                    kept.tier = endpoint.tier
                }
                kept.weight = endpoint.weight
                updated.append(kept)
            } else {
                let new = newEndpoint(endpoint)
                moves.arriving[new.tier, default: []].append(new.id)
                changes.endpoints.upserts.append(
                    MapEntry(
                        endpointKey(new.id),
                        EndpointValue(address: new.identity.address, port: new.identity.port)))
                changes.endpoints.insertions += 1
                updated.append(new)
            }
        }
        for gone in old { removeEndpoint(gone, &moves, &changes) }
        endpoints = updated
        return moves
    }

    private func removeEndpoint(
        _ endpoint: PlacedEndpoint, _ moves: inout TierMoves, _ changes: inout MapChanges
    ) {
        if endpoint.tier != EndpointTier.none { moves.departing.insert(endpoint.id) }
        changes.endpoints.removes.append(endpointKey(endpoint.id))
    }

    private mutating func newEndpoint(_ wanted: WantedEndpoint) -> PlacedEndpoint {
        repeat {
            lastEndpointID &+= 1
            if lastEndpointID == 0 { hasWrapped = true }
        } while lastEndpointID == 0
            || (hasWrapped && endpoints.contains { $0.id == lastEndpointID })
        return PlacedEndpoint(
            identity: wanted.identity, tier: wanted.tier, id: lastEndpointID, weight: wanted.weight)
    }

    private mutating func updateSlots(_ moves: TierMoves, usesTable: Bool, _ changes: inout MapChanges) {
        var moves = moves
        if usesTable {
            for tier in tiers { changes.slots.removes += tier.ids.indices.map { slotKey(tier.tier, $0) } }
            tiers = []
            return
        }
        if tiers.isEmpty {
            // The service had a table until now, or nothing: nobody has a slot.
            moves.arriving = [:]
            for endpoint in endpoints { moves.arriving[endpoint.tier, default: []].append(endpoint.id) }
        }
        for index in tiers.indices {
            let arriving = moves.arriving.removeValue(forKey: tiers[index].tier) ?? []
            replaceSlots(&tiers[index], moves.departing, arriving, &changes)
        }
        tiers.removeAll { $0.ids.isEmpty }
        for (number, arriving) in moves.arriving.sorted(by: { $0.key < $1.key }) {
            var tier = TierSlots(tier: number)
            replaceSlots(&tier, [], arriving, &changes)
            tiers.append(tier)
        }
        tiers.sort { $0.tier < $1.tier }
    }

    private func replaceSlots(
        _ tier: inout TierSlots, _ departing: Set<UInt32>, _ arriving: [UInt32], _ changes: inout MapChanges
    ) {
        let before = tier.ids.count
        for index in tier.replace(departing: departing, arriving: arriving) {
            changes.slots.upserts.append(
                MapEntry(slotKey(tier.tier, index), SlotValue(endpointID: tier.ids[index])))
        }
        changes.slots.insertions += max(0, tier.ids.count - before)
        for index in tier.ids.count..<max(before, tier.ids.count) {
            changes.slots.removes.append(slotKey(tier.tier, index))
        }
    }

    private mutating func updateValue(to wanted: WantedServicePort, _ changes: inout MapChanges) {
        // An endpoint of weight 0 is not chosen from a table; it still serves the clients that stay with it.
        let chosen = endpoints.filter { wanted.policy == .random || $0.weight > 0 }
        let best = chosen.lazy.map(\.tier).min() ?? 0
        var flags: UInt32 = 0
        if wanted.affinityTimeout != nil { flags |= KMESH_SERVICE_AFFINITY.rawValue }
        if wanted.isStrictlyUnmatched { flags |= KMESH_SERVICE_STRICT.rawValue }
        let new = ServiceValue(
            policy: wanted.policy.mapValue ?? 0, flags: flags, tier: UInt32(best),
            endpointCount: UInt32(chosen.lazy.filter { $0.tier == best }.count),
            affinityTimeout: wanted.affinityTimeout ?? 0, waypointID: value.waypointID)
        guard new != value || !isInMaps else { return }
        changes.services.upserts = [MapEntry(ServiceMapKey(serviceID: id), new)]
        changes.services.insertions = isInMaps ? 0 : 1
        value = new
        isInMaps = true
    }

    private mutating func updateTable(_ changes: inout MapChanges) {
        guard let plan = tablePlan else {
            if table != .absent { changes.tables.removes = [ServiceMapKey(serviceID: id)] }
            table = .absent
            return
        }
        let digest = plan.digest
        switch table {
        case .planned(let old) where old == digest:
            return
        case .found(let old) where old == plan.table().digest:
            break
        case .absent:
            changes.tables.insertions = 1
            changes.tables.upserts = [plan]
        case .planned, .found:
            changes.tables.upserts = [plan]
        }
        table = .planned(digest)
    }
}

extension LoadBalancingPolicy {
    /// As the service map says it. `nil` for what it cannot say: no such service gets here.
    var mapValue: UInt32? {
        switch self {
        case .roundRobin, .leastRequest: nil
        case .random: KMESH_POLICY_RANDOM.rawValue
        case .weighted: KMESH_POLICY_TABLE_RANDOM.rawValue
        case .maglev: KMESH_POLICY_TABLE_HASH.rawValue
        }
    }
}
