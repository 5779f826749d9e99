/// Writes that lead the L4 maps from what they hold to what they shall hold.

/// A value with the key that it is stored under.
protocol KeyedEntry: Sendable {
    associatedtype Key: MapWords
    var key: Key { get }
}

extension MapEntry: KeyedEntry {}
extension TablePlan: KeyedEntry {}

/// The writes to one map.
struct MapBatch<Entry: KeyedEntry>: Sendable {
    var upserts: [Entry] = []
    var removes: [Entry.Key] = []
    /// How many of `upserts` write a key that was not in the map.
    var insertions = 0

    var isEmpty: Bool { upserts.isEmpty && removes.isEmpty }
    var count: Int { upserts.count + removes.count }

    /// Adds the writes of another part of the same update; the two have no key in common.
    mutating func append(_ other: MapBatch) {
        upserts += other.upserts
        removes += other.removes
        insertions += other.insertions
    }

    /// Adds writes that were decided later: of two writes to one key only the later one is made. Returns how
    /// many removals turned into updates, each of which was counted as an insertion.
    mutating func supersede(with later: MapBatch) -> Int {
        guard !isEmpty else {
            self = later
            return 0
        }
        guard !later.isEmpty else { return 0 }
        let upserted = Set(later.upserts.map(\.key)), removed = Set(later.removes)
        upserts.removeAll { upserted.contains($0.key) || removed.contains($0.key) }
        let before = removes.count
        removes.removeAll { upserted.contains($0) }
        let kept = before - removes.count
        removes.removeAll { removed.contains($0) }
        append(later)
        return kept
    }
}

/// The writes to all maps.
struct MapChanges: Sendable {
    var frontends = MapBatch<MapEntry<FrontendKey, FrontendValue>>()
    var services = MapBatch<MapEntry<ServiceMapKey, ServiceValue>>()
    var slots = MapBatch<MapEntry<SlotKey, SlotValue>>()
    var tables = MapBatch<TablePlan>()
    var endpoints = MapBatch<MapEntry<EndpointKey, EndpointValue>>()
    var waypoints = MapBatch<MapEntry<WaypointKey, WaypointValue>>()

    var isEmpty: Bool { count == 0 }

    var count: Int {
        frontends.count + services.count + slots.count + tables.count + endpoints.count
            + waypoints.count
    }

    var insertions: MapCounts {
        MapCounts(
            frontends: frontends.insertions, services: services.insertions, slots: slots.insertions,
            tables: tables.insertions, endpoints: endpoints.insertions, waypoints: waypoints.insertions)
    }

    var removals: MapCounts {
        MapCounts(
            frontends: frontends.removes.count, services: services.removes.count,
            slots: slots.removes.count, tables: tables.removes.count, endpoints: endpoints.removes.count,
            waypoints: waypoints.removes.count)
    }

    var withoutUpserts: MapChanges {
        var changes = MapChanges()
        changes.frontends.removes = frontends.removes
        changes.services.removes = services.removes
        changes.slots.removes = slots.removes
        changes.tables.removes = tables.removes
        changes.endpoints.removes = endpoints.removes
        changes.waypoints.removes = waypoints.removes
        return changes
    }

    var withoutRemoves: MapChanges {
        var changes = self
        changes.frontends.removes = []
        changes.services.removes = []
        changes.slots.removes = []
        changes.tables.removes = []
        changes.endpoints.removes = []
        changes.waypoints.removes = []
        return changes
    }

    mutating func append(_ other: MapChanges) {
        frontends.append(other.frontends)
        services.append(other.services)
        slots.append(other.slots)
        tables.append(other.tables)
        endpoints.append(other.endpoints)
        waypoints.append(other.waypoints)
    }
}
