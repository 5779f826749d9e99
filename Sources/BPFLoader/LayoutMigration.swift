/// How maps of an earlier layout are carried over into those of this build.
public import KmeshKit

/// Steps from layout to layout. A new layout adds one.
public struct LayoutMigration: Sendable {
    private let steps: [LayoutStep]
    /// The layout of this build.
    public let current: UInt32

    /// - Parameter steps: one for each layout that can be left, in ascending order without gaps.
    public init(to current: UInt32, by steps: [LayoutStep]) {
        self.current = current
        self.steps = steps
    }

    /// What leads from `layout` to this build's; `nil` when nothing does.
    public func path(from layout: UInt32) -> LayoutPath? {
        let steps = steps.filter { $0.layout >= layout }
        guard !steps.isEmpty, steps.map(\.layout) == Array(layout..<current) else { return nil }
        return LayoutPath(from: layout, steps)
    }
}

/// What changes from one layout to the next. Every map that it does not name is the same map before and
/// after.
public struct LayoutStep: Sendable {
    /// The layout that it leaves; it leads to the one after.
    let layout: UInt32
    let conversions: [MapConversion]
    /// Maps that are new. They begin empty.
    let added: Set<String>

    public init(from layout: UInt32, converting conversions: [MapConversion], adding added: Set<String>) {
        self.layout = layout
        self.conversions = conversions
        self.added = added
    }
}

/// How the entries of one map change. Each side has decoders and a seal of its own.
public struct MapConversion: Sendable {
    struct Words: Sendable {
        var key: [UInt32]
        var value: [UInt32]
    }

    let map: String
    let read: @Sendable (consuming FileDescriptor) throws(BPFError) -> [Words]
    let convert: @Sendable ([Words]) -> [Words]
    let write: @Sendable (consuming FileDescriptor, [Words]) throws(BPFError) -> Void

    /// - Parameter change: what an entry becomes; `nil` leaves it behind. Damaged entries are left behind.
    public init<OldKey: MapWords, OldValue: MapWords, Key: MapWords, Value: MapWords>(
        of map: String,
        _ change: @escaping @Sendable (MapEntry<OldKey, OldValue>) -> MapEntry<Key, Value>?
    ) {
        self.map = map
        read = { (file) throws(BPFError) in
            let old = try BPFMap<OldKey, OldValue>(file, name: map)
            return try Self.entries(of: old).map { Words(key: $0.key.words, value: $0.value.words) }
        }
        convert = { entries in
            entries.compactMap { words in
                let entry = MapEntry(OldKey(words: words.key[...]), OldValue(words: words.value[...]))
                return change(entry).map { Words(key: $0.key.words, value: $0.value.words) }
            }
        }
        write = { (file, entries) throws(BPFError) in
            let new = try BPFMap<Key, Value>(file, name: map)
            do throws(MapError) {
                try new.upsert(
                    entries.map { MapEntry(Key(words: $0.key[...]), Value(words: $0.value[...])) })
            } catch {
                throw .failed("write to map \(map)", error.errno)
            }
        }
    }

    private static func entries<Key: MapWords, Value: MapWords>(
        of map: BPFMap<Key, Value>
    ) throws(BPFError) -> [Key: Value] {
        do throws(MapError) {
            return try map.contents().entries
        } catch {
            throw .failed("read map \(map.name)", error.errno)
        }
    }
}

/// The steps from one layout to this build's.
public struct LayoutPath: Sendable {
    public let layout: UInt32
    private let steps: [LayoutStep]

    init(from layout: UInt32, _ steps: [LayoutStep]) {
        self.layout = layout
        self.steps = steps
    }

    /// Maps that are made anew; all others are those of the pins.
    public var freshMaps: Set<String> {
        steps.reduce(into: []) { maps, step in
            maps.formUnion(step.added)
            maps.formUnion(step.conversions.map(\.map))
        }
    }

    /// Fills the maps that are made anew from the pinned ones, which it leaves as they are.
    public func fill(_ object: borrowing BPFObject, from pins: PinDirectory) throws(BPFError) {
        for map in freshMaps.sorted() {
            // A map that came with one step may be converted by a later one: then there was none to read.
            let isNew = steps.first { $0.added.contains(map) || $0.converts(map) }?.added.contains(map)
            let conversions = steps.flatMap(\.conversions).filter { $0.map == map }
            guard isNew == false, let first = conversions.first, let last = conversions.last else { continue }
            guard let pinned = try pins.open(map) else {
                throw .layoutMismatch(map: map, found: "no pin in \(pins.path)", wanted: "one")
            }
            let entries = conversions.reduce(try first.read(pinned)) { $1.convert($0) }
            try last.write(try object.map(map), entries)
        }
    }
}

extension LayoutStep {
    fileprivate func converts(_ map: String) -> Bool { conversions.contains { $0.map == map } }
}
