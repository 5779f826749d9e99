/// Finds what somebody else has changed in the maps, a bounded part at a time and in both directions, and
/// writes it as it is in force.
internal import CKmeshABI

extension L4Dataplane {
    /// Compares the next part of what is wanted with the maps, and the next part of a map with what is
    /// wanted, and repairs what differs. Where writes wait, that is no drift. Before the first configuration
    /// is applied nothing is wanted. Called about once a second.
    public mutating func repairDrift(_ pace: DriftPace = DriftPace()) -> DriftReport {
        guard isConfigured else { return DriftReport() }
        let everything = { self.everythingWanted }
        var round = drift
        round.begin(pace, everything)
        drift = round
        var report = repair { (dataplane, findings) throws(MapError) in
            try dataplane.compareWanted(pace, &findings)
        }
        report.add(
            repair { (dataplane, findings) throws(MapError) in try dataplane.compareMap(pace, &findings) })
        if reconciler.pendingWrites == 0 {
            report.repaired = drift.waiting
            drift.waiting = [:]
        }
        return report
    }

    private mutating func repair(
        _ compare: (inout L4Dataplane, inout DriftFindings) throws(MapError) -> Void
    ) -> DriftReport {
        var findings = DriftFindings(of: self)
        do throws(MapError) {
            try compare(&self, &findings)
        } catch {
            findings.report.fault = error
        }
        guard !findings.changes.isEmpty else { return findings.report }
        drift.waiting.merge(findings.counts, uniquingKeysWith: +)
        findings.report.writes = reconciler.repair(findings.changes).writes
        return findings.report
    }

    private var everythingWanted: [DriftRound.Wanted] {
        names.keys.map { .port($0) } + frontends.marks.keys.map { .mark($0) }
            + waypoints.known.map { .waypoint($0) }
    }

    private func port(_ id: UInt32) -> ServicePortState? {
        names[id].flatMap { inForce[$0] }?.ports.first { $0.id == id }
    }

    // MARK: From what is wanted to the maps

    private mutating func compareWanted(
        _ pace: DriftPace, _ findings: inout DriftFindings
    ) throws(MapError) {
        var ports = 0
        while findings.readings < pace.readings, ports < pace.ports, let next = drift.wanted.first {
            switch next {
            case .port(let id):
                ports += 1
                // A large one goes on with the next look.
                guard try compare(port(id), pace, &findings) else { return }
            case .mark(let address):
                if let id = frontends.mark(of: address) {
                    let value = FrontendValue(serviceID: id)
                    try findings.expect(value, under: FrontendKey(markerOf: address), in: .frontends)
                }
            case .waypoint(let address):
                if waypoints.known.contains(address) {
                    try findings.expect(WaypointValue(), under: WaypointKey(address: address), in: .waypoints)
                }
            }
            drift.wanted = drift.wanted.dropFirst()
            drift.entry = 0
        }
    }

    /// Returns whether all entries of the port were compared; one that is gone has none.
    private mutating func compare(
        _ port: ServicePortState?, _ pace: DriftPace, _ findings: inout DriftFindings
    ) throws(MapError) -> Bool {
        guard let port else { return true }
        let entries = port.driftEntries
        while drift.entry < entries.count, findings.readings < pace.readings {
            switch entries.entry(drift.entry, of: port) {
            case .service:
                let key = ServiceMapKey(serviceID: port.id)
                try findings.expect(port.value, under: key, in: .services)
            case .frontend(let key):
                try findings.expect(FrontendValue(serviceID: port.id), under: key, in: .frontends)
            // A hole that a damaged map led to is closed by the service's next update.
            case .slot(_, 0): break
            case .slot(let key, let endpointID):
                try findings.expect(SlotValue(endpointID: endpointID), under: key, in: .slots)
            case .endpoint(let endpoint):
                let value = EndpointValue(address: endpoint.identity.address, port: endpoint.identity.port)
                try findings.expect(value, under: port.endpointKey(endpoint.id), in: .endpoints)
            case .table:
                try findings.expectTable(tableDigest(of: port), port.tablePlan, of: port.id)
            }
            drift.entry += 1
        }
        return drift.entry >= entries.count
    }

    private mutating func tableDigest(of port: ServicePortState) -> UInt64? {
        switch port.table {
        case .absent:
            return nil
        case .found(let digest):
            return digest
        case .planned(let plan):
            if let known = drift.tables[port.id], known.plan == plan { return known.table }
            let digest = port.tablePlan?.table().digest
            drift.tables[port.id] = digest.map { (plan, $0) }
            return digest
        }
    }

    // MARK: From a map to what is wanted

    private mutating func compareMap(_ pace: DriftPace, _ findings: inout DriftFindings) throws(MapError) {
        let position = drift.cursor.position, limit = pace.entries
        let next: MapPosition?
        switch drift.cursor.map {
        case 0:
            next = try findings.compare(from: position, limit: limit, .frontends) { key, _ in frontend(key) }
        case 1:
            next = try findings.compare(from: position, limit: limit, .services) { key, _ in
                port(key.serviceID).map { .value($0.value) } ?? .nothing
            }
        case 2:
            next = try findings.compare(from: position, limit: limit, .slots) { key, _ in slot(key) }
        case 3:
            next = try findings.compareTables(from: position, limit: pace.tables) { id in
                port(id).map { $0.table != .absent } ?? false
            }
        case 4:
            next = try findings.compare(from: position, limit: limit, .endpoints) { endpoint($0, $1) }
        case 5:
            next = try findings.compare(from: position, limit: limit, .waypoints) { key, _ in
                waypoints.known.contains(key.address) ? .value(WaypointValue()) : .nothing
            }
        default:
            return
        }
        drift.cursor.advance(to: next)
        if drift.cursor.isAtEnd { drift.tables = drift.tables.filter { names[$0.key] != nil } }
    }

    private func frontend(_ key: FrontendKey) -> DriftFindings.Expectation<FrontendValue> {
        let id = key.isMarker ? frontends.mark(of: key.address) : frontends.owners[key]
        return id.map { .value(FrontendValue(serviceID: $0)) } ?? .nothing
    }

    private func slot(_ key: SlotKey) -> DriftFindings.Expectation<SlotValue> {
        guard let tier = port(key.serviceID)?.tiers.first(where: { UInt32($0.tier) == key.tier }),
            Int(key.index) < tier.ids.count
        else { return .nothing }
        let id = tier.ids[Int(key.index)]
        return id == 0 ? .anything : .value(SlotValue(endpointID: id))
    }

    private func endpoint(
        _ key: EndpointKey, _ found: EndpointValue?
    ) -> DriftFindings.Expectation<EndpointValue> {
        guard let port = port(key.serviceID) else { return .nothing }
        // A service may have thousands, so what is as it should be is found by its place.
        if let found, port.hasEndpoint(found, id: key.endpointID) { return .value(found) }
        guard let endpoint = port.endpoints.first(where: { $0.id == key.endpointID }) else { return .nothing }
        return .value(EndpointValue(address: endpoint.identity.address, port: endpoint.identity.port))
    }
}

// MARK: - The entries of a service port

extension ServicePortState {
    fileprivate enum DriftEntry {
        case service
        case frontend(FrontendKey)
        case slot(SlotKey, UInt32)
        case endpoint(PlacedEndpoint)
        case table
    }

    /// How many entries of each kind there are; they are numbered one kind after the other.
    fileprivate struct DriftEntries {
        let frontends: Int
        let slots: Int
        let endpoints: Int
        let tables: Int

        var count: Int { 1 + frontends + slots + endpoints + tables }

        func entry(_ number: Int, of port: ServicePortState) -> DriftEntry {
            guard number > 0 else { return .service }
            var number = number - 1
            if number < frontends {
                return .frontend(
                    FrontendKey(
                        address: port.frontends[number], port: port.key.port, transport: port.key.transport))
            }
            number -= frontends
            if number < slots {
                for tier in port.tiers {
                    if number < tier.ids.count {
                        return .slot(port.slotKey(tier.tier, number), tier.ids[number])
                    }
                    number -= tier.ids.count
                }
            }
            number -= slots
            return number < endpoints ? .endpoint(port.endpoints[number]) : .table
        }
    }

    fileprivate var driftEntries: DriftEntries {
        DriftEntries(
            frontends: frontends.count, slots: tiers.reduce(0) { $0 + $1.ids.count },
            endpoints: endpoints.count, tables: table == .absent ? 0 : 1)
    }

    /// Whether it has the endpoint under this id, found by bisection.
    fileprivate func hasEndpoint(_ value: EndpointValue, id: UInt32) -> Bool {
        let wanted = EndpointIdentity(address: value.address, port: value.port)
        var low = 0, high = endpoints.count
        while low < high {
            let middle = (low + high) / 2
            if endpoints[middle].identity < wanted { low = middle + 1 } else { high = middle }
        }
        return low < endpoints.count && endpoints[low].identity == wanted && endpoints[low].id == id
    }
}

// MARK: - The maps

extension DriftColumn<FrontendKey, FrontendValue> {
    static var frontends: Self {
        Self(
            map: \.frontends, pending: \.frontends, batch: \.frontends, key: { $0.frontend($1) },
            value: { $0.frontend($1, $2) })
    }
}

extension DriftColumn<ServiceMapKey, ServiceValue> {
    static var services: Self {
        Self(
            map: \.services, pending: \.services, batch: \.services, key: { $0.service($1.serviceID) },
            value: { $0.value($2) })
    }
}

extension DriftColumn<SlotKey, SlotValue> {
    static var slots: Self {
        Self(
            map: \.slots, pending: \.slots, batch: \.slots,
            key: { "\($0.service($1.serviceID)) tier \($1.tier) slot \($1.index)" },
            value: { $0.endpoint($2.endpointID, of: $1.serviceID) })
    }
}

extension DriftColumn<EndpointKey, EndpointValue> {
    static var endpoints: Self {
        Self(
            map: \.endpoints, pending: \.endpoints, batch: \.endpoints,
            key: { "\($0.service($1.serviceID)) endpoint \($1.endpointID)" },
            value: { $0.socketAddress($2.address, $2.port) })
    }
}

extension DriftColumn<WaypointKey, WaypointValue> {
    static var waypoints: Self {
        Self(
            map: \.waypoints, pending: \.waypoints, batch: \.waypoints, key: { "\($1.address)" },
            value: { _, _, _ in "a waypoint's address" })
    }
}
