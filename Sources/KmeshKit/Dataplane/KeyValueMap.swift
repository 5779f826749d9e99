/// A map of the data plane: the kernel's (`BPFMap`) or one in memory for tests (`InMemoryMap`).
public protocol KeyValueMap<Key, Value>: Sendable {
    associatedtype Key: MapWords
    associatedtype Value: MapWords

    var name: String { get }
    /// How many entries fit.
    var capacity: Int { get }

    /// Writes entries in order. On an error those before the failing one may have been written.
    func upsert(_ entries: [MapEntry<Key, Value>]) throws(MapError)

    /// Removes keys; one that is not there is fine.
    func remove(_ keys: [Key]) throws(MapError)

    /// Everything in the map, in no order. Entries whose seal does not fit are in `damaged`.
    func contents() throws(MapError) -> MapContents<Key, Value>

    /// What the map holds under `key`.
    func read(_ key: Key) throws(MapError) -> MapReading<Value>

    /// About `limit` entries, from where an earlier call ended; `nil` begins. Entries that come or go between
    /// two calls may be missed, and others may come twice.
    func chunk(
        from position: MapPosition?, limit: Int
    ) throws(MapError) -> (contents: MapContents<Key, Value>, next: MapPosition?)
}

/// What is under one key of a map.
public enum MapReading<Value: MapWords>: Hashable, Sendable {
    case absent
    /// An entry whose seal does not fit.
    case damaged
    case found(Value)
}

/// Where the reading of a map's entries goes on: only the map itself knows what it means.
public struct MapPosition: Hashable, Sendable {
    let words: [UInt32]

    init(words: [UInt32]) { self.words = words }
}

public struct MapEntry<Key: MapWords, Value: MapWords>: Hashable, Sendable {
    public var key: Key
    public var value: Value

    public init(_ key: Key, _ value: Value) {
        self.key = key
        self.value = value
    }
}

public struct MapContents<Key: MapWords, Value: MapWords>: Sendable {
    public var entries: [Key: Value]
    public var damaged: [Key]

    public init(entries: [Key: Value], damaged: [Key] = []) {
        self.entries = entries
        self.damaged = damaged
    }
}

/// An operation on a map that the kernel refused.
public struct MapError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Operation: String, Sendable {
        case update = "write to"
        case delete = "delete from"
        case read = "read"
    }

    public let map: String
    public let operation: Operation
    public let errno: Errno

    public init(map: String, operation: Operation, errno: Errno) {
        self.map = map
        self.operation = operation
        self.errno = errno
    }

    /// The map has no room; trying again does not help.
    public var isFull: Bool { errno == .tooBig }

    public var description: String {
        isFull ? "map \(map) is full" : "cannot \(operation.rawValue) map \(map): \(errno)"
    }
}
