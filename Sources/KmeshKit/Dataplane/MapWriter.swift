/// Writes lists of entries to maps in batches, tries again what fails for a moment, and takes off the lists
/// what is done.
package struct MapWriter {
    /// Entries that were written or removed.
    package private(set) var writes = 0

    package init() {}

    /// Entries of one batch: a failed one is written again entry by entry.
    private static var batch: Int { 1024 }
    /// Tables of one batch: 1 MiB.
    private static var tableBatch: Int { 16 }
    /// How often one write is tried.
    private static var attempts: Int { 3 }

    package mutating func upsert<Key, Value>(
        _ entries: inout [MapEntry<Key, Value>], into map: any KeyValueMap<Key, Value>
    ) throws(MapError) {
        try write(&entries, batch: Self.batch) { batch throws(MapError) in try map.upsert(batch) }
    }

    mutating func upsertTables(
        _ plans: inout [TablePlan], into map: any KeyValueMap<ServiceMapKey, TableValue>
    ) throws(MapError) {
        try write(&plans, batch: Self.tableBatch) { batch throws(MapError) in
            try map.upsert(batch.map { MapEntry($0.key, $0.table()) })
        }
    }

    /// - Parameter removed: grows by the number of keys that are gone.
    package mutating func remove<Key, Value>(
        _ keys: inout [Key], from map: any KeyValueMap<Key, Value>, _ removed: inout Int
    ) throws(MapError) {
        let before = writes
        defer { removed += writes - before }
        try write(&keys, batch: Self.batch) { batch throws(MapError) in try map.remove(batch) }
    }

    private mutating func write<Element>(
        _ elements: inout [Element], batch size: Int, _ body: ([Element]) throws(MapError) -> Void
    ) throws(MapError) {
        var done = 0
        defer {
            elements.removeFirst(done)
            writes += done
        }
        while done < elements.count {
            let batch = Array(elements[done..<min(done + size, elements.count)])
            do throws(MapError) {
                try body(batch)
                done += batch.count
            } catch {
                // Those before the failing one may be written: one by one it is known which are.
                for element in batch {
                    try persist([element], body)
                    done += 1
                }
            }
        }
    }

    private func persist<Element>(
        _ elements: [Element], _ body: ([Element]) throws(MapError) -> Void
    ) throws(MapError) {
        for _ in 1..<Self.attempts {
            do throws(MapError) {
                return try body(elements)
            } catch {
                guard error.isTransient else { throw error }
            }
        }
        try body(elements)
    }
}

extension MapError {
    /// Whether the same write may succeed a moment later.
    var isTransient: Bool {
        switch errno {
        case .noMemory, .wouldBlock, .busy, .interrupted: true
        default: false
        }
    }
}
