import KmeshKit

/// Collects, in one look for drift, what is not as it was written, and the writes that repair it.

struct AuthzDriftFindings {
    var repairs = AuthzRepairs()
    var report = DriftReport()
    /// Entries that were read one by one.
    private(set) var readings = 0
    private let maps: AuthzMaps
    private let texts: EntryTexts

    init(of dataplane: AuthorizationDataplane) {
        maps = dataplane.maps
        texts = EntryTexts(of: dataplane)
    }

    /// What a map shall hold under a key.
    enum Expectation<Value> {
        case nothing
        case value(Value)
        /// It is not known.
        case anything

        init(_ value: Value?) { self = value.map { .value($0) } ?? .nothing }
    }

    /// Compares an entry that shall be there.
    mutating func expect<Key, Value>(
        _ value: Value, under key: Key, in column: AuthzDriftColumn<Key, Value>
    ) throws(MapError) {
        readings += 1
        let found = try maps[keyPath: column.map].read(key)
        if case .found(let present) = found, column.isSame(present, value) { return }
        repairs[keyPath: column.part].upserts.append(MapEntry(key, value))
        note(key, wanted: value, found, column)
    }

    /// Compares entries that are in a map. Returns where the next ones are.
    mutating func compare<Key, Value>(
        from position: MapPosition?, _ limit: Int, _ column: AuthzDriftColumn<Key, Value>,
        _ expectation: (Key) -> Expectation<Value>
    ) throws(MapError) -> MapPosition? {
        let (contents, next) = try maps[keyPath: column.map].chunk(from: position, limit: limit)
        for (key, value) in contents.entries { compare(key, .found(value), column, expectation(key)) }
        for key in contents.damaged { compare(key, .damaged, column, expectation(key)) }
        return next
    }

    private mutating func compare<Key, Value>(
        _ key: Key, _ found: MapReading<Value>, _ column: AuthzDriftColumn<Key, Value>,
        _ expectation: Expectation<Value>
    ) {
        switch expectation {
        case .anything: break
        case .value(let wanted):
            guard found != .found(wanted) else { return }
            repairs[keyPath: column.part].upserts.append(MapEntry(key, wanted))
            note(key, wanted: wanted, found, column)
        case .nothing:
            repairs[keyPath: column.part].removes.append(key)
            note(key, wanted: nil, found, column)
        }
    }

    private mutating func note<Key, Value>(
        _ key: Key, wanted: Value?, _ found: MapReading<Value>, _ column: AuthzDriftColumn<Key, Value>
    ) {
        let text: String? =
            switch found {
            case .absent: nil
            case .damaged: "damaged"
            case .found(let value): column.value(texts, value)
            }
        let (name, texts) = (maps[keyPath: column.map].name, texts)
        report.note(
            Difference(
                map: name, key: column.key(texts, key),
                wanted: wanted.map { column.value(texts, $0) }, found: text))
    }
}

/// A map with its part of the repairs, and its entries in words.
struct AuthzDriftColumn<Key: MapWords, Value: MapWords> {
    let map: KeyPath<AuthzMaps, any KeyValueMap<Key, Value>>
    let part: WritableKeyPath<AuthzRepairs, AuthzRepairs.Part<Key, Value>>
    let key: (EntryTexts, Key) -> String
    let value: (EntryTexts, Value) -> String
    var isSame: (Value, Value) -> Bool = { $0 == $1 }
}

extension AuthzDriftColumn<AuthzAddressKey, AuthzSourceValue> {
    static var sources: Self {
        Self(map: \.sources, part: \.sources, key: { "\($1.address)" }, value: { $0.source($1) })
    }
}

extension AuthzDriftColumn<AuthzAddressKey, AuthzDestinationValue> {
    static var destinations: Self {
        Self(
            map: \.destinations, part: \.destinations, key: { "\($1.address)" },
            value: { "view \($1.viewID)" })
    }
}

extension AuthzDriftColumn<AuthzIDKey, AuthzViewValue> {
    static var views: Self {
        Self(
            map: \.views, part: \.views, key: { "view \($1.id)" },
            value: { "blocks \($1.blockIDs) with flags \($1.flags)" })
    }
}

extension AuthzDriftColumn<AuthzIDKey, AuthzBlockValue> {
    static var blocks: Self {
        Self(
            map: \.blocks, part: \.blocks, key: { $0.block($1.id) },
            value: { "a block of \($1.wordCount) words" })
    }
}

extension AuthzDriftColumn<AuthzBitsKey, TermVector> {
    static var bits: Self {
        Self(map: \.bits, part: \.bits, key: { $0.bits($1) }, value: { "terms \($1.bits)" })
    }
}

extension AuthzDriftColumn<AuthzPrefixKey, TermVector> {
    static var prefixes: Self {
        Self(map: \.prefixes, part: \.prefixes, key: { $0.prefix($1) }, value: { "terms \($1.bits)" })
    }
}

extension AuthzDriftColumn<AuthzTermKey, AuthzTermValue> {
    static var terms: Self {
        Self(
            map: \.terms, part: \.terms, key: { "\($0.block($1.blockID)) term \($1.bit)" },
            value: { $0.policy($1.policyID) })
    }
}

extension AuthzDriftColumn<AuthzIDKey, AuthzPolicyValue> {
    static var policies: Self {
        Self(
            map: \.policies, part: \.policies, key: { $0.policy($1.id) }, value: { _, _ in "its counts" },
            isSame: { _, _ in true })
    }
}

extension AuthzDriftColumn<AuthzProbeKey, AuthzProbeValue> {
    static var probes: Self {
        Self(
            map: \.probes, part: \.probes, key: { "\($1.address) \($1.port)" },
            value: { _, _ in "a port that is probed" })
    }
}
