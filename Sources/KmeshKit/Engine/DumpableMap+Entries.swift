/// Dumps of maps whose keys and values have types.
extension DumpableMap {
    /// - Parameters:
    ///   - sortKey: what entries are sorted by.
    ///   - describe: makes the words for keys and values, once for each reading.
    package static func entries<Key, Value, Order: Comparable>(
        _ map: any KeyValueMap<Key, Value>, by sortKey: @escaping @Sendable (Key) -> Order,
        describe: @escaping @Sendable () -> EntryWords<Key, Value>
    ) -> DumpableMap {
        DumpableMap(map.name) { (limit) throws(EngineError) in
            let contents: MapContents<Key, Value>
            do throws(MapError) {
                contents = try map.contents()
            } catch {
                throw EngineError(error)
            }
            var found: [(key: Key, value: Value?)] = contents.entries.map { ($0, $1) }
            found += contents.damaged.map { ($0, nil) }
            let (count, words) = (found.count, describe())
            found.sort { sortKey($0.key) < sortKey($1.key) }
            if let limit, limit < count { found.removeSubrange(limit...) }
            let shown = found
            return MapDump(map.name, count: count, shown: shown.count) { index in
                let (key, value) = shown[index]
                return MapDump.Row(words.key(key), value.map { words.value(key, $0) })
            }
        }
    }

    /// A map of few rows.
    package static func rows(
        _ name: String, note: String? = nil,
        _ read: @escaping @Sendable () throws(MapError) -> [MapDump.Row]
    ) -> DumpableMap {
        DumpableMap(name) { (limit) throws(EngineError) in
            do throws(MapError) {
                let rows = try read()
                let shown = limit.map { Array(rows.prefix($0)) } ?? rows
                return MapDump(name, rows: shown, count: rows.count, note: note)
            } catch {
                throw EngineError(error)
            }
        }
    }
}

/// How keys and values are said.
package struct EntryWords<Key: MapWords, Value: MapWords>: Sendable {
    package let key: @Sendable (Key) -> JSONValue
    package let value: @Sendable (Key, Value) -> JSONValue

    package init(
        key: @escaping @Sendable (Key) -> JSONValue, value: @escaping @Sendable (Key, Value) -> JSONValue
    ) {
        (self.key, self.value) = (key, value)
    }
}
