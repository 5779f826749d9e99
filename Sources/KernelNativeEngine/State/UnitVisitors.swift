internal import KmeshKit

/// What is done with each map of a unit's entries.

struct EntryWriting: ColumnVisitor {
    let maps: NativeMaps
    let entries: UnitEntries
    var writer: MapWriter

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(MapError) {
        var part = entries[keyPath: column.part]
        if !part.isEmpty { try writer.upsert(&part, into: maps[keyPath: column.map]) }
    }
}

struct EntryRemoval: ColumnVisitor {
    let maps: NativeMaps
    let entries: UnitEntries
    var writer: MapWriter
    private(set) var removed = 0

    init(maps: NativeMaps, entries: UnitEntries, writer: MapWriter) {
        (self.maps, self.entries, self.writer) = (maps, entries, writer)
    }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(MapError) {
        var keys = entries[keyPath: column.part].map(\.key)
        if !keys.isEmpty { try writer.remove(&keys, from: maps[keyPath: column.map], &removed) }
    }
}

/// Everything in the maps, by the units that it belongs to.
struct UnitReading: ColumnVisitor {
    let maps: NativeMaps
    private(set) var units: [UInt32: UnitEntries] = [:]

    init(maps: NativeMaps) { self.maps = maps }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(MapError) {
        for (key, value) in try maps[keyPath: column.map].contents().entries {
            units[column.unit(key), default: UnitEntries()][keyPath: column.part].append(
                MapEntry(key, column.written(value)))
        }
    }
}

/// Numbers of entries, one for each map of units.
struct UnitCounts: Sendable {
    private var numbers: [Int] = []

    mutating func add(_ entries: UnitEntries) { change(entries, 1) }
    mutating func remove(_ entries: UnitEntries) { change(entries, -1) }

    private mutating func change(_ entries: UnitEntries, _ sign: Int) {
        var sizes = Sizes(entries: entries)
        sizes.visitAll()
        numbers =
            numbers.isEmpty
            ? sizes.numbers.map { sign * $0 } : zip(numbers, sizes.numbers).map { $0 + sign * $1 }
    }

    /// With the maps' names.
    func byMap(_ maps: NativeMaps) -> [(map: String, count: Int)] {
        zip(described(maps), numbers).map { ($0.name, $1) }
    }

    func shortage(in maps: NativeMaps) -> String? {
        for (map, number) in zip(described(maps), numbers) where number > map.capacity {
            return "needs \(number - map.capacity) more entries than map \(map.name) has, which holds "
                + "\(map.capacity): raise --max-routes or --max-listeners, or remove routes"
        }
        return nil
    }

    private func described(_ maps: NativeMaps) -> [(name: String, capacity: Int)] {
        var names = Names(maps: maps)
        names.visitAll()
        return names.list
    }

    private struct Sizes: ColumnVisitor {
        let entries: UnitEntries
        var numbers: [Int] = []

        mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) {
            numbers.append(entries[keyPath: column.part].count)
        }
    }

    private struct Names: ColumnVisitor {
        let maps: NativeMaps
        var list: [(name: String, capacity: Int)] = []

        mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) {
            let map = maps[keyPath: column.map]
            list.append((map.name, map.capacity))
        }
    }
}

/// A hash of values, whatever their keys and order are.
private struct ContentHashing: ColumnVisitor {
    let entries: UnitEntries
    private var column = 0
    private(set) var digest = 0

    init(entries: UnitEntries) { self.entries = entries }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) {
        self.column += 1
        for entry in entries[keyPath: column.part] {
            var hasher = Hasher()
            hasher.combine(self.column)
            hasher.combine(entry.value)
            digest &+= hasher.finalize()
        }
    }
}

private struct EntryComparison: ColumnVisitor {
    let entries: UnitEntries
    let others: UnitEntries
    private(set) var isEqual = true

    init(_ entries: UnitEntries, _ others: UnitEntries) { (self.entries, self.others) = (entries, others) }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) {
        let (part, other) = (entries[keyPath: column.part], others[keyPath: column.part])
        guard isEqual, part.count == other.count else { return isEqual = false }
        let values = Dictionary(other.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        isEqual = part.allSatisfy { values[$0.key] == $0.value }
    }
}

extension UnitEntries {
    var count: Int {
        var counts = UnitCounts()
        counts.add(self)
        return counts.total
    }

    /// Equal for units that differ by their ids and by the order of their entries alone.
    var contentDigest: Int {
        var hashing = ContentHashing(entries: self)
        hashing.visitAll()
        return hashing.digest
    }

    /// Whether they are the same in any order.
    func hasSameEntries(as others: UnitEntries) -> Bool {
        var comparison = EntryComparison(self, others)
        comparison.visitAll()
        return comparison.isEqual
    }
}

extension UnitCounts {
    var total: Int { numbers.reduce(0, +) }
}
