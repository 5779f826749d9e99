import KmeshKit

/// Compares entries of maps, and writes what differs at once.
struct DriftComparison: Sendable {
    let pace: DriftPace
    var report = DriftReport()
    /// Entries that were read one by one.
    private(set) var readings = 0

    init(_ pace: DriftPace) { self.pace = pace }

    var mayRead: Bool { readings < pace.readings }

    /// Compares an entry that shall be there.
    mutating func expect<Key, Value>(
        _ value: Value, _ key: Key, _ map: any KeyValueMap<Key, Value>, _ words: EntryWords<Key, Value>,
        written: (Value) -> Value = { $0 }
    ) throws(MapError) {
        readings += 1
        let found = try map.read(key)
        if case .found(let present) = found, written(present) == value { return }
        try map.upsert([MapEntry(key, value)])
        report.note(Difference(map.name, key, wanted: value, found, words))
        report.count(1, in: map.name)
    }

    /// Compares entries that are in a map; those that are known but not wanted wait for their removal.
    /// Returns where the next ones are.
    mutating func compare<Key, Value>(
        _ position: MapPosition?, _ map: any KeyValueMap<Key, Value>, _ words: EntryWords<Key, Value>,
        written: (Value) -> Value = { $0 }, expected: (Key) -> Value?, isKnown: (Key) -> Bool
    ) throws(MapError) -> MapPosition? {
        let (contents, next) = try map.chunk(from: position, limit: pace.entries)
        let found =
            contents.entries.map { ($0, MapReading.found(written($1))) }
            + contents.damaged.map { ($0, MapReading<Value>.damaged) }
        for (key, reading) in found {
            if let value = expected(key) {
                guard reading != .found(value) else { continue }
                try map.upsert([MapEntry(key, value)])
                report.note(Difference(map.name, key, wanted: value, reading, words))
            } else {
                guard !isKnown(key) else { continue }
                try map.remove([key])
                report.note(Difference(map.name, key, wanted: nil, reading, words))
            }
            report.count(1, in: map.name)
        }
        return next
    }
}
