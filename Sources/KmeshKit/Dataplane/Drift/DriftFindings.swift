/// Collects, in one look for drift, what is not as it should be, and the writes that repair it.

struct DriftFindings {
    var changes = MapChanges()
    var report = DriftReport()
    /// Entries that were read one by one.
    var readings = 0
    /// Differences by map.
    private(set) var counts: [String: UInt64] = [:]
    private let maps: L4Maps
    private let pending: PendingKeys
    private let dataplane: L4Dataplane
    /// Made when something is found: that takes a look at every service.
    private lazy var texts = EntryTexts(of: dataplane)

    init(of dataplane: L4Dataplane) {
        maps = dataplane.reconciler.maps
        pending = PendingKeys(dataplane.reconciler.pending)
        self.dataplane = dataplane
    }

    /// What a map shall hold under a key.
    enum Expectation<Value> {
        case nothing
        case value(Value)
        /// It is not known.
        case anything
    }

    /// Compares an entry that shall be there.
    mutating func expect<Key, Value>(
        _ value: Value, under key: Key, in column: DriftColumn<Key, Value>
    ) throws(MapError) {
        readings += 1
        guard !pending[keyPath: column.pending].contains(key) else { return }
        let found = try maps[keyPath: column.map].read(key)
        guard found != .found(value) else { return }
        changes[keyPath: column.batch].upserts.append(MapEntry(key, value))
        note(key, wanted: value, found, column)
    }

    /// The same for a table, of which `digest` is known. One that was left by an earlier run, for a service
    /// that is refused now, has no plan and stays as it is.
    mutating func expectTable(_ digest: UInt64?, _ plan: TablePlan?, of id: UInt32) throws(MapError) {
        readings += DriftPace.tableReadings
        let key = ServiceMapKey(serviceID: id)
        guard let digest, let plan, !pending.tables.contains(key) else { return }
        let found = try maps.tables.read(key)
        if case .found(let table) = found, table.digest == digest { return }
        changes.tables.upserts.append(plan)
        let (name, texts) = (maps.tables.name, texts)
        report.note(
            Difference(
                map: name, key: texts.service(id), wanted: "a table of \(plan.shares.count) endpoints",
                found: found == .absent ? nil : "another table"))
        count(in: name)
    }

    /// Compares entries that are in a map. Returns where the next ones are.
    mutating func compare<Key, Value>(
        from position: MapPosition?, limit: Int, _ column: DriftColumn<Key, Value>,
        _ expectation: (Key, Value?) -> Expectation<Value>
    ) throws(MapError) -> MapPosition? {
        let (contents, next) = try maps[keyPath: column.map].chunk(from: position, limit: limit)
        for (key, value) in contents.entries { compare(key, value, column, expectation) }
        for key in contents.damaged { compare(key, nil, column, expectation) }
        return next
    }

    private mutating func compare<Key, Value>(
        _ key: Key, _ value: Value?, _ column: DriftColumn<Key, Value>,
        _ expectation: (Key, Value?) -> Expectation<Value>
    ) {
        guard !pending[keyPath: column.pending].contains(key) else { return }
        let found = value.map { MapReading.found($0) } ?? .damaged
        switch expectation(key, value) {
        case .anything: break
        case .value(let wanted):
            guard wanted != value else { return }
            changes[keyPath: column.batch].upserts.append(MapEntry(key, wanted))
            note(key, wanted: wanted, found, column)
        case .nothing:
            changes[keyPath: column.batch].removes.append(key)
            note(key, wanted: nil, found, column)
        }
    }

    /// Finds tables that belong to no service; what they hold is compared elsewhere.
    mutating func compareTables(
        from position: MapPosition?, limit: Int, isWanted: (UInt32) -> Bool
    ) throws(MapError) -> MapPosition? {
        let (contents, next) = try maps.tables.chunk(from: position, limit: limit)
        let name = maps.tables.name
        for key in Array(contents.entries.keys) + contents.damaged
        where !isWanted(key.serviceID) && !pending.tables.contains(key) {
            changes.tables.removes.append(key)
            let texts = texts
            report.note(
                Difference(map: name, key: texts.service(key.serviceID), wanted: nil, found: "a table"))
            count(in: name)
        }
        return next
    }

    private mutating func count(in map: String) { counts[map, default: 0] += 1 }

    private mutating func note<Key, Value>(
        _ key: Key, wanted: Value?, _ found: MapReading<Value>, _ column: DriftColumn<Key, Value>
    ) {
        let (name, texts) = (maps[keyPath: column.map].name, texts)
        count(in: name)
        report.note(column.difference(texts, name, key, wanted: wanted, found))
    }
}

/// The keys whose writes wait: what the maps hold under them is no drift.
struct PendingKeys {
    let frontends: Set<FrontendKey>
    let services: Set<ServiceMapKey>
    let slots: Set<SlotKey>
    let tables: Set<ServiceMapKey>
    let endpoints: Set<EndpointKey>
    let waypoints: Set<WaypointKey>

    init(_ changes: MapChanges) {
        frontends = changes.frontends.keys
        services = changes.services.keys
        slots = changes.slots.keys
        tables = changes.tables.keys
        endpoints = changes.endpoints.keys
        waypoints = changes.waypoints.keys
    }
}

extension MapBatch {
    fileprivate var keys: Set<Entry.Key> { Set(removes).union(upserts.lazy.map(\.key)) }
}

/// A map with its parts of what waits and of what is written, and its entries in words.
struct DriftColumn<Key: MapWords, Value: MapWords> {
    let map: KeyPath<L4Maps, any KeyValueMap<Key, Value>>
    let pending: KeyPath<PendingKeys, Set<Key>>
    let batch: WritableKeyPath<MapChanges, MapBatch<MapEntry<Key, Value>>>
    let key: (EntryTexts, Key) -> String
    let value: (EntryTexts, Key, Value) -> String

    fileprivate func difference(
        _ texts: EntryTexts, _ name: String, _ key: Key, wanted: Value?, _ found: MapReading<Value>
    ) -> Difference {
        let text: String? =
            switch found {
            case .absent: nil
            case .damaged: "damaged"
            case .found(let found): value(texts, key, found)
            }
        return Difference(
            map: name, key: self.key(texts, key), wanted: wanted.map { value(texts, key, $0) }, found: text)
    }
}
