import KmeshKit

/// A map with one entry for each of some service ports, by their ids.
struct ServicePortTable<Value: MapWords>: Sendable {
    private let map: any KeyValueMap<ServiceMapKey, Value>
    /// Says a value in words.
    private let value: @Sendable (Value) -> [JSONValue.Member]
    /// What is in the map; `nil`: damaged, or not known.
    private(set) var held: [ServiceMapKey: Value?] = [:]
    /// A write failed, so that the map may hold other entries.
    private var isUnsettled = false
    /// How far the look for drift has come.
    private var wantedRound: ArraySlice<ServiceMapKey> = []
    private var cursor = DriftCursor(mapCount: 1)

    /// - Parameter value: says a value in words.
    init(
        _ map: any KeyValueMap<ServiceMapKey, Value>, value: @escaping @Sendable (Value) -> [JSONValue.Member]
    ) {
        (self.map, self.value) = (map, value)
    }

    /// - Parameter servicePort: what a service port is called.
    private func words(
        _ servicePort: @escaping @Sendable (UInt32) -> String
    ) -> EntryWords<ServiceMapKey, Value> {
        let value = value
        return EntryWords(
            key: { ["service": .string(servicePort($0.serviceID)), "serviceId": JSONValue($0.serviceID)] },
            value: { .object(value($1)) })
    }

    var entryCount: (map: String, count: Int) { (map.name, held.count) }

    /// Reads the map as an earlier run left it.
    mutating func adopt() throws(MapError) {
        let found = try map.contents()
        for (key, value) in found.entries { held[key] = value }
        for key in found.damaged { held[key] = .some(nil) }
    }

    /// Brings the map in line with what is wanted.
    mutating func write(_ wanted: [ServiceMapKey: Value], _ writes: inout Int) throws(MapError) {
        try add(wanted, &writes)
        try removeOthers(than: wanted, &writes)
    }

    mutating func add(_ wanted: [ServiceMapKey: Value], _ writes: inout Int) throws(MapError) {
        let missing = wanted.filter { held[$0.key] != .some($0.value) }
        // After an error part of them may be as before.
        isUnsettled = true
        for key in missing.keys { held[key] = .some(nil) }
        try map.upsert(missing.map { MapEntry($0.key, $0.value) })
        for (key, value) in missing { held[key] = value }
        writes += missing.count
        isUnsettled = false
    }

    mutating func removeOthers(than wanted: [ServiceMapKey: Value], _ writes: inout Int) throws(MapError) {
        let gone = held.keys.filter { wanted[$0] == nil }
        isUnsettled = true
        for key in gone { held[key] = .some(nil) }
        try map.remove(gone)
        for key in gone { held[key] = nil }
        writes += gone.count
        isUnsettled = false
    }

    /// Compares the next part of what is wanted with the map, and the next part of the map with that, and
    /// repairs what differs. Called about once a second.
    mutating func repairDrift(
        _ pace: DriftPace, _ servicePort: @escaping @Sendable (UInt32) -> String
    ) -> DriftReport {
        guard !isUnsettled else { return DriftReport() }
        if cursor.begin(pace, isIdle: wantedRound.isEmpty) { wantedRound = held.keys.map { $0 }[...] }
        var comparison = DriftComparison(pace)
        let (words, held) = (words(servicePort), held)
        do throws(MapError) {
            while comparison.mayRead, let key = wantedRound.first {
                if case .some(.some(let value)) = held[key] { try comparison.expect(value, key, map, words) }
                wantedRound.removeFirst()
            }
            if !cursor.isAtEnd {
                cursor.advance(
                    to: try comparison.compare(
                        cursor.position, map, words, expected: { held[$0].flatMap { $0 } },
                        isKnown: { held[$0] != nil }))
            }
        } catch {
            comparison.report.fault = error
        }
        return comparison.report
    }

    func verify(_ servicePort: @escaping @Sendable (UInt32) -> String) throws(MapError) -> [Difference] {
        try map.contents().differences(from: held.compactMapValues { $0 }, in: map, words(servicePort))
    }

    func dump(_ servicePort: @escaping @Sendable (UInt32) -> String) -> DumpableMap {
        let words = words(servicePort)
        return .entries(map, by: \.serviceID) { words }
    }
}
