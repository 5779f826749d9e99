/// A map in memory that behaves as the kernel's: with a capacity, and with faults where a test asks for them.
internal import Synchronization

public final class InMemoryMap<Key: MapWords, Value: MapWords>: KeyValueMap {
    public let name: String
    public let capacity: Int
    private let state = Mutex(State())

    private struct State {
        var entries: [Key: Value] = [:]
        var damaged: Set<Key> = []
        var writeCount = 0
        var log: [MapWrite<Key>]?
        var fault: MapFault?
        var observer: (@Sendable (MapWrite<Key>) -> Void)?
        /// The keys of the reading in chunks that is under way, in its order.
        var round: [Key] = []

        var count: Int { entries.count + damaged.count }

        /// Counts a write, and says whether the fault hits it.
        mutating func begin() -> Errno? {
            writeCount += 1
            return fault?.strikes()
        }

        mutating func upsert(_ entry: MapEntry<Key, Value>, capacity: Int) -> Errno? {
            if let errno = begin() { return errno }
            if entries[entry.key] == nil, !damaged.contains(entry.key), count >= capacity { return .tooBig }
            damaged.remove(entry.key)
            entries[entry.key] = entry.value
            log?.append(.upsert(entry.key))
            return nil
        }

        mutating func remove(_ key: Key) -> Errno? {
            if let errno = begin() { return errno }
            entries[key] = nil
            damaged.remove(key)
            log?.append(.remove(key))
            return nil
        }
    }

    public init(name: String, capacity: Int) {
        self.name = name
        self.capacity = capacity
    }

    public func upsert(_ entries: [MapEntry<Key, Value>]) throws(MapError) {
        for entry in entries {
            let (errno, observer) = state.withLock { ($0.upsert(entry, capacity: capacity), $0.observer) }
            if let errno { throw MapError(map: name, operation: .update, errno: errno) }
            observer?(.upsert(entry.key))
        }
    }

    public func remove(_ keys: [Key]) throws(MapError) {
        for key in keys {
            let (errno, observer) = state.withLock { ($0.remove(key), $0.observer) }
            if let errno { throw MapError(map: name, operation: .delete, errno: errno) }
            observer?(.remove(key))
        }
    }

    public func contents() throws(MapError) -> MapContents<Key, Value> {
        state.withLock { MapContents(entries: $0.entries, damaged: Array($0.damaged)) }
    }

    public func read(_ key: Key) throws(MapError) -> MapReading<Value> {
        state.withLock { state in
            if let value = state.entries[key] { return .found(value) }
            return state.damaged.contains(key) ? .damaged : .absent
        }
    }

    /// One reading at a time: one that begins ends the one before.
    public func chunk(
        from position: MapPosition?, limit: Int
    ) throws(MapError) -> (contents: MapContents<Key, Value>, next: MapPosition?) {
        state.withLock { state in
            if position == nil { state.round = Array(state.entries.keys) + state.damaged }
            let start = Int(position?.words.first ?? 0)
            let keys = state.round.dropFirst(start).prefix(limit)
            var contents = MapContents<Key, Value>(entries: [:])
            for key in keys {
                contents.entries[key] = state.entries[key]
                if state.damaged.contains(key) { contents.damaged.append(key) }
            }
            let end = start + keys.count
            return (contents, end < state.round.count ? MapPosition(words: [UInt32(end)]) : nil)
        }
    }

    public func value(of key: Key) -> Value? { state.withLock { $0.entries[key] } }

    public var count: Int { state.withLock { $0.count } }

    /// Writes that were tried, one for each key.
    public var writeCount: Int { state.withLock { $0.writeCount } }

    /// What was written since `startLog`, in order.
    public var log: [MapWrite<Key>] { state.withLock { $0.log ?? [] } }

    public func startLog() { state.withLock { $0.log = [] } }

    /// From now on writes fail as `fault` says; `nil` ends it.
    public func setFault(_ fault: MapFault?) { state.withLock { $0.fault = fault } }

    /// `observer` runs after every single write, outside the map's lock: it may read this and other maps.
    public func observeWrites(_ observer: (@Sendable (MapWrite<Key>) -> Void)?) {
        state.withLock { $0.observer = observer }
    }

    /// Makes the entry one whose seal does not fit.
    public func damage(_ key: Key) {
        state.withLock {
            $0.entries[key] = nil
            $0.damaged.insert(key)
        }
    }
}

public enum MapWrite<Key: MapWords>: Hashable, Sendable {
    case upsert(Key)
    case remove(Key)
}

/// Which writes to a map fail, and with what.
public struct MapFault: Sendable {
    private enum Pattern: Sendable {
        case nth(Int)
        case from(Int)
        case probability(Double, SplitMix64)
    }

    private var pattern: Pattern
    private let errno: Errno

    /// The `n`-th write from now fails, counted from 1, and no other.
    public static func nth(_ n: Int, errno: Errno = .noMemory) -> MapFault {
        MapFault(pattern: .nth(n), errno: errno)
    }

    /// The `n`-th write from now fails, counted from 1, and all that follow: as if the writer had died.
    public static func from(_ n: Int, errno: Errno = .notPermitted) -> MapFault {
        MapFault(pattern: .from(n), errno: errno)
    }

    /// Each write fails with `probability`, drawn from a generator with `seed`.
    public static func random(_ probability: Double, seed: UInt64, errno: Errno = .noMemory) -> MapFault {
        MapFault(pattern: .probability(probability, SplitMix64(seed: seed)), errno: errno)
    }

    fileprivate mutating func strikes() -> Errno? {
        switch pattern {
        case .nth(let left):
            pattern = .nth(left - 1)
            return left == 1 ? errno : nil
        case .from(let left):
            pattern = .from(max(1, left - 1))
            return left <= 1 ? errno : nil
        case .probability(let probability, var generator):
            let isHit = Double.random(in: 0..<1, using: &generator) < probability
            pattern = .probability(probability, generator)
            return isHit ? errno : nil
        }
    }
}

/// The L4 maps in memory.
public struct InMemoryL4Maps: Sendable {
    public let frontends: InMemoryMap<FrontendKey, FrontendValue>
    public let services: InMemoryMap<ServiceMapKey, ServiceValue>
    public let slots: InMemoryMap<SlotKey, SlotValue>
    public let tables: InMemoryMap<ServiceMapKey, TableValue>
    public let endpoints: InMemoryMap<EndpointKey, EndpointValue>
    public let waypoints: InMemoryMap<WaypointKey, WaypointValue>

    public init(capacities: MapCounts = .defaultCapacities) {
        frontends = InMemoryMap(name: "km_frontend", capacity: capacities.frontends)
        services = InMemoryMap(name: "km_service", capacity: capacities.services)
        slots = InMemoryMap(name: "km_slot", capacity: capacities.slots)
        tables = InMemoryMap(name: "km_table", capacity: capacities.tables)
        endpoints = InMemoryMap(name: "km_endpoint", capacity: capacities.endpoints)
        waypoints = InMemoryMap(name: "km_waypoint", capacity: capacities.waypoints)
    }

    /// The same maps as what an engine takes.
    public var maps: L4Maps {
        L4Maps(
            frontends: frontends, services: services, slots: slots, tables: tables, endpoints: endpoints,
            waypoints: waypoints)
    }

    public var counts: MapCounts {
        MapCounts(
            frontends: frontends.count, services: services.count, slots: slots.count, tables: tables.count,
            endpoints: endpoints.count, waypoints: waypoints.count)
    }

    public var writeCount: Int {
        frontends.writeCount + services.writeCount + slots.writeCount + tables.writeCount
            + endpoints.writeCount + waypoints.writeCount
    }

    public func setFault(_ fault: MapFault?) {
        frontends.setFault(fault)
        services.setFault(fault)
        slots.setFault(fault)
        tables.setFault(fault)
        endpoints.setFault(fault)
        waypoints.setFault(fault)
    }
}
