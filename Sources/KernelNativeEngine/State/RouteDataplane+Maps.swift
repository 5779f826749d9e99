public import KmeshKit

/// The maps for people, and whether they hold what they shall.
extension RouteDataplane {
    func texts(_ servicePort: @escaping @Sendable (UInt32) -> String) -> NativeTexts {
        NativeTexts(units: units, owners: wanted.mapValues { $0.owner.description }, servicePort: servicePort)
    }

    /// Names are those of now, whenever the maps are read. `servicePort` says what a service port is called.
    public func dumpableMaps(_ servicePort: @escaping @Sendable (UInt32) -> String) -> [DumpableMap] {
        let texts = texts(servicePort)
        var dumps = Dumps(maps: maps, texts: texts)
        dumps.visitAll()
        return [.entries(maps.listeners, by: { WordOrder($0) }, describe: { texts.listeners })] + dumps.list
    }

    /// Every entry that is missing, different, damaged or should not be there. Where writes wait, listeners
    /// differ; what waits for its removal may be there. Before the first configuration nothing is wanted.
    public func verify(
        _ servicePort: @escaping @Sendable (UInt32) -> String
    ) throws(MapError) -> [Difference] {
        guard isConfigured else { return [] }
        let texts = texts(servicePort)
        var listeners = wanted.mapValues(\.value)
        for key in kept { listeners[key] = held[key]?.value }
        var verification = Verification(maps: maps, texts: texts, units: units)
        try verification.visitAll()
        return try maps.listeners.contents().differences(from: listeners, in: maps.listeners, texts.listeners)
            + verification.differences
    }
}

private struct Dumps: ColumnVisitor {
    let maps: NativeMaps
    let texts: NativeTexts
    var list: [DumpableMap] = []

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) {
        let words = column.words(texts)
        list.append(.entries(maps[keyPath: column.map], by: { WordOrder($0) }, describe: { words }))
    }
}

/// Keys in an order in which two dumps can be compared.
private struct WordOrder: Comparable {
    let words: [UInt32]

    init(_ key: some MapWords) { words = key.words }

    static func < (left: WordOrder, right: WordOrder) -> Bool {
        left.words.lexicographicallyPrecedes(right.words)
    }
}

private struct Verification: ColumnVisitor {
    let maps: NativeMaps
    let texts: NativeTexts
    let units: UnitStore
    private(set) var differences: [Difference] = []

    init(maps: NativeMaps, texts: NativeTexts, units: UnitStore) {
        (self.maps, self.texts, self.units) = (maps, texts, units)
    }

    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(MapError) {
        var contents = try maps[keyPath: column.map].contents()
        contents.entries = contents.entries.mapValues(column.written)
        var expected: [Key: Value] = [:]
        var tolerated: Set<Key> = []
        for unit in units.units.values {
            for entry in unit.entries[keyPath: column.part] {
                if unit.isWanted { expected[entry.key] = entry.value } else { tolerated.insert(entry.key) }
            }
        }
        differences += contents.differences(
            from: expected, tolerated: tolerated, in: maps[keyPath: column.map], column.words(texts))
    }
}

extension MapContents {
    /// What is missing, different, damaged, or there and neither expected nor tolerated.
    func differences(
        from expected: [Key: Value], tolerated: Set<Key> = [], in map: any KeyValueMap<Key, Value>,
        _ words: EntryWords<Key, Value>
    ) -> [Difference] {
        var list: [Difference] = []
        let damaged = Set(damaged)
        for (key, value) in expected where entries[key] != value {
            let reading: MapReading =
                damaged.contains(key) ? .damaged : entries[key].map { .found($0) } ?? .absent
            list.append(Difference(map.name, key, wanted: value, reading, words))
        }
        for (key, value) in entries where expected[key] == nil && !tolerated.contains(key) {
            list.append(Difference(map.name, key, wanted: nil, .found(value), words))
        }
        for key in damaged where expected[key] == nil {
            list.append(Difference(map.name, key, wanted: nil, .damaged, words))
        }
        return list.sorted { $0.key < $1.key }
    }
}

extension Difference {
    init<Key, Value>(
        _ map: String, _ key: Key, wanted: Value?, _ found: MapReading<Value>, _ words: EntryWords<Key, Value>
    ) {
        let text: String? =
            switch found {
            case .absent: nil
            case .damaged: "damaged"
            case .found(let value): words.value(key, value).words
            }
        self.init(
            map: map, key: words.key(key).words, wanted: wanted.map { words.value(key, $0).words },
            found: text)
    }
}
