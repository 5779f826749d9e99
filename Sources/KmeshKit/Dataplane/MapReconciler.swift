internal import CKmeshABI

/// Writes changes to the L4 maps in an order that is safe for programs that read at the same time: what is
/// referred to is there before the reference, and goes after it. What cannot be written waits, in the same
/// order.
struct MapReconciler: Sendable {
    let maps: L4Maps
    private(set) var pending = MapChanges()
    /// Entries that are in the maps, or will be when nothing waits any more.
    private(set) var occupancy: MapCounts
    /// Why writes wait.
    private(set) var stall: MapError?
    /// Whether removals wait until nobody else's entries lead to what goes.
    var holdsRemovals = false

    /// What a flush did.
    struct Tally {
        var writes = 0
        var removals = MapCounts()

        static func += (left: inout Tally, right: Tally) {
            left.writes += right.writes
            left.removals += right.removals
        }
    }

    init(maps: L4Maps, occupancy: MapCounts) {
        self.maps = maps
        self.occupancy = occupancy
    }

    var pendingWrites: Int { pending.count }

    var capacities: MapCounts {
        MapCounts(
            frontends: maps.frontends.capacity, services: maps.services.capacity, slots: maps.slots.capacity,
            tables: maps.tables.capacity, endpoints: maps.endpoints.capacity,
            waypoints: maps.waypoints.capacity)
    }

    /// Adds changes that the next flush makes, after and instead of those that wait.
    mutating func enqueue(_ changes: MapChanges) {
        occupancy += changes.insertions
        occupancy.frontends -= pending.frontends.supersede(with: changes.frontends)
        pending.frontends.orderMarkers()
        occupancy.services -= pending.services.supersede(with: changes.services)
        pending.services.orderRedirects()
        occupancy.slots -= pending.slots.supersede(with: changes.slots)
        occupancy.tables -= pending.tables.supersede(with: changes.tables)
        occupancy.endpoints -= pending.endpoints.supersede(with: changes.endpoints)
        occupancy.waypoints -= pending.waypoints.supersede(with: changes.waypoints)
    }

    /// Makes changes that bring the maps back to what they held: what is written was counted when it was
    /// written first, and what is removed never was. No key of them may be among those that wait.
    mutating func repair(_ changes: MapChanges) -> Tally {
        occupancy += changes.removals
        guard stall?.isFull == true else {
            enqueue(changes)
            return flush()
        }
        // What does not belong into a map may be what fills it, so it goes before what waits for room.
        let waiting = pending
        pending = changes.withoutUpserts
        // Nobody leads to it, so that it need not be held.
        let removed = flush(removing: true)
        let left = pending
        pending = waiting
        enqueue(left)
        enqueue(changes.withoutRemoves)
        var tally = flush()
        tally += removed
        return tally
    }

    /// Writes what waits, until a write fails for good.
    mutating func flush() -> Tally { flush(removing: !holdsRemovals) }

    /// Writes wait for `error` to go away, which is somebody else's.
    mutating func wait(because error: MapError) { stall = error }

    private mutating func flush(removing: Bool) -> Tally {
        var tally = Tally()
        do throws(MapError) {
            try writeAll(removing: removing, &tally)
            stall = nil
        } catch {
            stall = error
        }
        return tally
    }

    private mutating func writeAll(removing: Bool, _ tally: inout Tally) throws(MapError) {
        var writer = MapWriter()
        defer {
            tally.writes = writer.writes
            occupancy -= tally.removals
        }
        // Who is a waypoint is known before anything is sent to one, and until nothing is any more.
        try writer.upsert(&pending.waypoints.upserts, into: maps.waypoints)
        try writer.upsert(&pending.endpoints.upserts, into: maps.endpoints)
        try writer.upsertTables(&pending.tables.upserts, into: maps.tables)
        try writer.upsert(&pending.slots.upserts, into: maps.slots)
        try writer.upsert(&pending.services.upserts, into: maps.services)
        try writer.upsert(&pending.frontends.upserts, into: maps.frontends)
        guard removing else { return }
        try writer.remove(&pending.frontends.removes, from: maps.frontends, &tally.removals.frontends)
        try writer.remove(&pending.services.removes, from: maps.services, &tally.removals.services)
        try writer.remove(&pending.slots.removes, from: maps.slots, &tally.removals.slots)
        try writer.remove(&pending.tables.removes, from: maps.tables, &tally.removals.tables)
        try writer.remove(&pending.endpoints.removes, from: maps.endpoints, &tally.removals.endpoints)
        try writer.remove(&pending.waypoints.removes, from: maps.waypoints, &tally.removals.waypoints)
    }
}

extension MapBatch<MapEntry<ServiceMapKey, ServiceValue>> {
    /// A waypoint's service is there before those that name it.
    fileprivate mutating func orderRedirects() {
        guard upserts.contains(where: \.value.isRedirected) else { return }
        upserts = upserts.filter { !$0.value.isRedirected } + upserts.filter(\.value.isRedirected)
    }
}

extension ServiceValue {
    /// Whether it names another entry of the map.
    var isRedirected: Bool { waypointID != 0 && waypointID != KMESH_WAYPOINT_MISSING }
}

extension MapBatch<MapEntry<FrontendKey, FrontendValue>> {
    /// An address is marked after its ports are there and unmarked before they go: in between, a port that is
    /// declared would look as if it were not.
    fileprivate mutating func orderMarkers() {
        upserts = upserts.filter { !$0.key.isMarker } + upserts.filter(\.key.isMarker)
        removes = removes.filter(\.isMarker) + removes.filter { !$0.isMarker }
    }
}
