import KmeshKit

/// Writes what is wanted, in an order that is safe for programs that read at the same time: what is
/// referred to is there before the reference.

extension AuthorizationDataplane {
    /// Writes until everything is written or a write fails for good; what is left waits. Returns whether
    /// there is more room for destinations, sources or probes than before.
    mutating func flush(_ update: inout AuthorizationUpdate) -> Bool {
        let before = (held.destinations.count, held.sources.count, held.probes.count)
        leftovers.close()
        var writer = MapWriter()
        do throws(MapError) {
            admitArrivals()
            try writePolicies(&writer)
            try writeBlocks(&writer)
            try writeViews(&writer)
            let probes = wantedProbes()
            try writeProbes(probes, &writer)
            // The moment of enforcement.
            try turnOverDestinations(&writer, &update)
            try settleSources(&writer, &update)
            try removeProbes(besides: probes, &writer)
            stall = nil
        } catch {
            stall = error
        }
        update.writes += writer.writes
        return held.destinations.count < before.0 || held.sources.count < before.1
            || held.probes.count < before.2
    }

    /// Adds to the blocks what they say of identities that workloads have now. Their entries go into blocks
    /// that are read already: nobody has the identity before they are there.
    private mutating func admitArrivals() {
        for identity in arrivals.sorted(by: { $0.principal < $1.principal }) {
            guard let record = identities[identity],
                let namespace = identities[namespace: identity.namespace],
                identities.isCarried(identity)
            else {
                arrivals.remove(identity)
                continue
            }
            guard !blocks.isSurplus(record.id, record.namespaceID) else { continue }
            let room = maps.bits.capacity - counts.bits
            guard blocks.admit(record, namespace, room: room) else { continue }
            identities.setReady(identity)
            arrivals.remove(identity)
        }
    }

    private mutating func writePolicies(_ writer: inout MapWriter) throws(MapError) {
        let missing = numbers.missing
        guard !missing.isEmpty else { return }
        numbers.beginWriting(missing)
        var entries = missing.sorted().map { MapEntry(AuthzIDKey($0), AuthzPolicyValue()) }
        try writer.upsert(&entries, into: maps.policies)
        numbers.endWriting(missing)
    }

    private mutating func writeBlocks(_ writer: inout MapWriter) throws(MapError) {
        let wanted = wantedBlockIDs
        for id in blocks.blocks.keys.sorted() {
            guard let block = blocks[id] else { continue }
            if block.state == .written {
                guard !block.missing.isEmpty else { continue }
                var entries = block.missing.compactMap { block.compiled.entry($0, id) }
                try writer.upsert(&entries, into: maps.bits)
                blocks.complete(id)
            } else if wanted.contains(id) {
                blocks.setState(id, .partial)
                var terms = block.compiled.terms(id)
                try writer.upsert(&terms, into: maps.terms)
                var bits = block.compiled.bits(id)
                try writer.upsert(&bits, into: maps.bits)
                var prefixes = block.compiled.prefixes(id)
                try writer.upsert(&prefixes, into: maps.prefixes)
                var value = [MapEntry(AuthzIDKey(id), block.compiled.value)]
                try writer.upsert(&value, into: maps.blocks)
                blocks.setState(id, .written)
            }
        }
    }

    private mutating func writeViews(_ writer: inout MapWriter) throws(MapError) {
        for id in Set(assignments.values.map(\.viewID)).sorted() {
            guard let view = views.views[id], view.state != .written else { continue }
            views.setState(id, .partial)
            var entries = [MapEntry(AuthzIDKey(id), view.value)]
            try writer.upsert(&entries, into: maps.views)
            views.setState(id, .written)
        }
    }

    /// One by one, so that it is always known where each address leads to.
    private mutating func turnOverDestinations(
        _ writer: inout MapWriter, _ update: inout AuthorizationUpdate
    ) throws(MapError) {
        for address in destinations.addresses.sorted() {
            guard let view = wantedView(address), view != held.destinations[address] else { continue }
            // An address that came to a workload because another one was released was not counted on.
            if held.destinations[address] == nil, held.destinations.count >= maps.destinations.capacity {
                delay(address)
                continue
            }
            var entry = [MapEntry(AuthzAddressKey(address), AuthzDestinationValue(viewID: view))]
            try writer.upsert(&entry, into: maps.destinations)
            held.destinations[address] = view
            held.untouched.remove(address)
            update.destinations.append(address)
        }
        for address in held.destinations.keys.sorted() where wantedView(address) == nil {
            var key = [AuthzAddressKey(address)], removed = 0
            try writer.remove(&key, from: maps.destinations, &removed)
            held.destinations[address] = nil
            held.untouched.remove(address)
        }
    }

    private mutating func delay(_ address: IPAddress) {
        guard let owner = destinations.owner(of: address) else { return }
        delayed[owner] =
            "needs an entry for \(address) in map \(maps.destinations.name), which is full: give the map "
            + "more capacity, or withdraw pods"
    }

    private mutating func settleSources(
        _ writer: inout MapWriter, _ update: inout AuthorizationUpdate
    ) throws(MapError) {
        guard !dirtySources.isEmpty else { return }
        var removes: [AuthzAddressKey] = []
        var upserts: [MapEntry<AuthzAddressKey, AuthzSourceValue>] = []
        var room = maps.sources.capacity - held.sources.count
        var waiting: Set<IPAddress> = []
        var insertions: [MapEntry<AuthzAddressKey, AuthzSourceValue>] = []
        for address in dirtySources.sorted() {
            let wanted = wantedSource(address), present = held.sources[address]
            if wanted == nil, isWaitingForIdentity(address) { waiting.insert(address) }
            guard wanted != present else { continue }
            if let wanted {
                let entry = MapEntry(AuthzAddressKey(address), wanted)
                if present == nil { insertions.append(entry) } else { upserts.append(entry) }
            } else {
                removes.append(AuthzAddressKey(address))
                room += 1
            }
        }
        waiting.formUnion(insertions.dropFirst(max(0, room)).map(\.key.address))
        upserts += insertions.prefix(max(0, room))
        update.sources += removes.map(\.address) + upserts.map(\.key.address)
        try remove(removes, &writer)
        try upsert(upserts, &writer)
        dirtySources = waiting
    }

    /// Who is behind the address is unknown as long as the writes are not done.
    private mutating func remove(_ keys: [AuthzAddressKey], _ writer: inout MapWriter) throws(MapError) {
        for key in keys { held.sources[key.address] = .uncertain }
        var left = keys, removed = 0
        defer { for key in keys.prefix(keys.count - left.count) { held.sources[key.address] = nil } }
        try writer.remove(&left, from: maps.sources, &removed)
    }

    private mutating func upsert(
        _ entries: [MapEntry<AuthzAddressKey, AuthzSourceValue>], _ writer: inout MapWriter
    ) throws(MapError) {
        for entry in entries { held.sources[entry.key.address] = .uncertain }
        var left = entries
        defer {
            for entry in entries.prefix(entries.count - left.count) {
                held.sources[entry.key.address] = entry.value
            }
        }
        try writer.upsert(&left, into: maps.sources)
    }

    /// What the map shall say of an address.
    func wantedSource(_ address: IPAddress) -> AuthzSourceValue? {
        if sources.nodeAddresses.contains(address) { return .node }
        guard let identity = identity(of: address), let record = identities[identity], record.isReady
        else { return nil }
        return AuthzSourceValue(identityID: record.id, namespaceID: record.namespaceID)
    }

    private func isWaitingForIdentity(_ address: IPAddress) -> Bool {
        identity(of: address).map { identities[$0]?.isReady != true } ?? false
    }

    /// The ports that kubelet probes, with whose they are.
    func wantedProbes() -> [AuthzProbeKey: LocalWorkload.ID] {
        var wanted: [AuthzProbeKey: LocalWorkload.ID] = [:]
        for address in destinations.addresses {
            guard let owner = destinations.owner(of: address), assignments[owner] != nil,
                let workload = destinations[owner], let record = record(of: workload)
            else { continue }
            for port in record.probePorts { wanted[AuthzProbeKey(address: address, port: port)] = owner }
        }
        return wanted
    }

    private mutating func writeProbes(
        _ wanted: [AuthzProbeKey: LocalWorkload.ID], _ writer: inout MapWriter
    ) throws(MapError) {
        var new = wanted.keys.filter { !held.probes.contains($0) }.sorted()
        let room = max(0, maps.probes.capacity - held.probes.count)
        withoutProbes = Set(new.dropFirst(room).compactMap { wanted[$0] })
        new = Array(new.prefix(room))
        guard !new.isEmpty else { return }
        held.probes.formUnion(new)
        var entries = new.map { MapEntry($0, AuthzProbeValue()) }
        defer { held.probes.subtract(entries.map(\.key)) }
        try writer.upsert(&entries, into: maps.probes)
    }

    private mutating func removeProbes(
        besides wanted: [AuthzProbeKey: LocalWorkload.ID], _ writer: inout MapWriter
    ) throws(MapError) {
        let old = held.probes.filter { wanted[$0] == nil }.sorted()
        guard !old.isEmpty else { return }
        var left = old, removed = 0
        defer { held.probes.subtract(old.prefix(old.count - left.count)) }
        try writer.remove(&left, from: maps.probes, &removed)
    }
}

extension AuthzProbeKey: Comparable {
    public static func < (left: AuthzProbeKey, right: AuthzProbeKey) -> Bool {
        (left.address, left.port) < (right.address, right.port)
    }
}
