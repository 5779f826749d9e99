internal import CKmeshABI
internal import KmeshKit

/// Entries that are written together under an id of their own, never change, and are removed together.
struct UnitEntries: Hashable, Sendable {
    var chains: [MapEntry<ChainKey, ChainValue>] = []
    var tables: [MapEntry<NativeIDKey, SearchValue>] = []
    var hosts: [MapEntry<NativeIDKey, SearchValue>] = []
    var found: [MapEntry<FoundKey, FoundValue>] = []
    var routes: [MapEntry<RouteMapKey, RouteValue>] = []
    var conditions: [MapEntry<ConditionKey, ConditionsValue>] = []
    var texts64: [MapEntry<NativeIDKey, TextValue<Text64>>] = []
    var texts256: [MapEntry<NativeIDKey, TextValue<Text256>>] = []
    var texts4096: [MapEntry<NativeIDKey, TextValue<Text4096>>] = []
    var splits: [MapEntry<NativeIDKey, SplitValue>] = []
    var shares: [MapEntry<ShareKey, ShareValue>] = []

    /// The ids of units that these entries lead to, each once.
    var children: Set<UInt32> {
        var children: Set<UInt32> = []
        for chain in chains where chain.value.action.leadsToUnit { children.insert(chain.value.target) }
        for table in tables { children.insert(table.value.other) }
        for entry in found {
            children.insert(TextClass.id(of: entry.value.text))
            // What a path leads to is the number of a route.
            if entry.key.probe.isOfHost { children.insert(entry.value.foundID) }
        }
        for route in routes {
            if route.value.action.leadsToUnit { children.insert(route.value.target) }
            children.insert(TextClass.id(of: route.value.hashText))
            for index in route.value.conditions.indices {
                children.insert(TextClass.id(of: route.value.conditions[index]))
            }
        }
        for block in conditions {
            for index in block.value.texts.indices {
                children.insert(TextClass.id(of: block.value.texts[index]))
            }
        }
        children.remove(0)
        return children
    }
}

extension UInt16 {
    fileprivate var leadsToUnit: Bool {
        let action = NativeAction(rawValue: UInt32(self))
        return action == .route || action == .split
    }
}

extension Probe {
    var isOfHost: Bool { kind == Kind.host.rawValue || kind == Kind.authority.rawValue }
}

/// One of the maps that hold units, with its part of a unit's entries.
struct UnitColumn<Key: MapWords, Value: MapWords> {
    let map: KeyPath<NativeMaps, any KeyValueMap<Key, Value>>
    let part: WritableKeyPath<UnitEntries, [MapEntry<Key, Value>]>
    /// The id of the unit that a key belongs to.
    let unit: (Key) -> UInt32
    let words: (NativeTexts) -> EntryWords<Key, Value>
    /// The value without what programs count in it.
    var written: (Value) -> Value = { $0 }
}

/// Something that is done with each of the maps that hold units.
protocol ColumnVisitor {
    associatedtype Failure: Error
    mutating func visit<Key, Value>(_ column: UnitColumn<Key, Value>) throws(Failure)
}

extension ColumnVisitor {
    mutating func visitAll() throws(Failure) {
        try visit(.chains)
        try visit(.tables)
        try visit(.hosts)
        try visit(.found)
        try visit(.routes)
        try visit(.conditions)
        try visit(.texts64)
        try visit(.texts256)
        try visit(.texts4096)
        try visit(.splits)
        try visit(.shares)
    }
}

extension UnitColumn<ChainKey, ChainValue> {
    static var chains: Self { Self(map: \.chains, part: \.chains, unit: \.chainsID) { $0.chains } }
}
extension UnitColumn<NativeIDKey, SearchValue> {
    static var tables: Self { Self(map: \.tables, part: \.tables, unit: \.id) { $0.tables } }
    static var hosts: Self { Self(map: \.hosts, part: \.hosts, unit: \.id) { $0.hosts } }
}
extension UnitColumn<FoundKey, FoundValue> {
    static var found: Self { Self(map: \.found, part: \.found, unit: \.ownerID) { $0.found } }
}
extension UnitColumn<RouteMapKey, RouteValue> {
    static var routes: Self { Self(map: \.routes, part: \.routes, unit: \.hostID) { $0.routes } }
}
extension UnitColumn<ConditionKey, ConditionsValue> {
    static var conditions: Self {
        Self(map: \.conditions, part: \.conditions, unit: \.hostID) { $0.conditions }
    }
}
extension UnitColumn<NativeIDKey, TextValue<Text64>> {
    static var texts64: Self { Self(map: \.texts64, part: \.texts64, unit: \.id) { $0.text() } }
}
extension UnitColumn<NativeIDKey, TextValue<Text256>> {
    static var texts256: Self { Self(map: \.texts256, part: \.texts256, unit: \.id) { $0.text() } }
}
extension UnitColumn<NativeIDKey, TextValue<Text4096>> {
    static var texts4096: Self { Self(map: \.texts4096, part: \.texts4096, unit: \.id) { $0.text() } }
}
extension UnitColumn<NativeIDKey, SplitValue> {
    static var splits: Self {
        Self(
            map: \.splits, part: \.splits, unit: \.id, words: { $0.splits },
            written: { SplitValue(count: $0.count, total: $0.total, stride: $0.stride) })
    }
}
extension UnitColumn<ShareKey, ShareValue> {
    static var shares: Self { Self(map: \.shares, part: \.shares, unit: \.splitID) { $0.shares } }
}
