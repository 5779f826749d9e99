public import KmeshKit

/// Finds what somebody else has changed in the maps, a bounded part at a time and in both directions, and
/// writes it as it is in force.
extension RouteDataplane {
    /// Compares the next part of what is wanted with the maps, and the next part of a map with what is
    /// wanted, and repairs what differs. Where writes wait, nothing is looked at. Called about once a second.
    public mutating func repairDrift(
        _ pace: DriftPace = DriftPace(), _ servicePort: @escaping @Sendable (UInt32) -> String
    ) -> DriftReport {
        guard isConfigured, pendingWrites == 0 else { return DriftReport() }
        if drift.cursor.begin(pace, isIdle: drift.wanted.isEmpty) {
            drift.wanted = (held.keys.map { .listener($0) } + units.units.keys.map { .unit($0) })[...]
        }
        var repair = DriftRepair(maps: maps, texts: texts(servicePort), units: units, pace: pace)
        do throws(MapError) {
            try compareWanted(&repair)
            try compareMap(&repair)
        } catch {
            repair.comparison.report.fault = error
        }
        writes += repair.comparison.report.writes
        return repair.comparison.report
    }

    private mutating func compareWanted(_ repair: inout DriftRepair) throws(MapError) {
        while repair.comparison.mayRead, let next = drift.wanted.first {
            switch next {
            case .listener(let key):
                if let value = held[key]?.value {
                    try repair.comparison.expect(value, key, maps.listeners, repair.texts.listeners)
                }
            case .unit(let id):
                if let unit = units[id], unit.isWanted {
                    repair.entries = unit.entries
                    repair.chunk = nil
                    try repair.visitAll()
                }
            }
            drift.wanted.removeFirst()
        }
    }

    private mutating func compareMap(_ repair: inout DriftRepair) throws(MapError) {
        guard !drift.cursor.isAtEnd else { return }
        var next: MapPosition?
        if drift.cursor.map == 0 {
            let held = held
            next = try repair.comparison.compare(
                drift.cursor.position, maps.listeners, repair.texts.listeners,
                expected: { held[$0]?.value }, isKnown: { held[$0] != nil })
        } else {
            repair.chunk = (map: drift.cursor.map, position: drift.cursor.position)
            repair.visited = 0
            try repair.visitAll()
            next = repair.next
        }
        drift.cursor.advance(to: next)
    }
}

/// How far the look for drift has come.
struct RouteDriftRound: Sendable {
    enum Wanted: Sendable {
        case listener(FrontendKey)
        case unit(UInt32)
    }

    var wanted: ArraySlice<Wanted> = []
    /// The listeners' map, then those of units.
    var cursor = DriftCursor(mapCount: 12)
}

/// Compares the entries of units.
private struct DriftRepair: ColumnVisitor {
    let maps: NativeMaps
    let texts: NativeTexts
    let units: UnitStore
    var comparison: DriftComparison
    /// The unit that is compared.
    var entries = UnitEntries()
    /// The part of a map that is compared instead, by the map's number; 0 is that of listeners.
    var chunk: (map: Int, position: MapPosition?)?
    var visited = 0
    var next: MapPosition?

    init(maps: NativeMaps, texts: NativeTexts, units: UnitStore, pace: DriftPace) {
        (self.maps, self.texts, self.units, comparison) = (maps, texts, units, DriftComparison(pace))
    }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(MapError) {
        let map = maps[keyPath: column.map], words = column.words(texts)
        guard let chunk else {
            for entry in self.entries[keyPath: column.part] {
                try comparison.expect(entry.value, entry.key, map, words, written: column.written)
            }
            return
        }
        visited += 1
        guard visited == chunk.map else { return }
        // The entries of a unit whose turn it is, by their keys: a large one is not searched for each.
        var known: [UInt32: [Key: Value]] = [:]
        let units = units
        func entries(of key: Key) -> [Key: Value] {
            let id = column.unit(key)
            if let entries = known[id] { return entries }
            let part = units[id]?.entries[keyPath: column.part] ?? []
            let entries = Dictionary(part.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            known[id] = entries
            return entries
        }
        next = try comparison.compare(
            chunk.position, map, words, written: column.written,
            expected: { units[column.unit($0)]?.isWanted == true ? entries(of: $0)[$0] : nil },
            isKnown: { entries(of: $0)[$0] != nil })
    }
}
