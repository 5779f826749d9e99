/// How far the look for drift has come, in what is wanted and in the maps.

struct DriftRound: Sendable {
    /// What the maps shall hold, as the round over it goes.
    enum Wanted: Sendable {
        case port(UInt32)
        case mark(IPAddress)
        case waypoint(IPAddress)
    }

    /// What is left of the round over what is wanted, and the next entry of its first.
    var wanted: ArraySlice<Wanted> = []
    var entry = 0

    /// Numbers the maps in the order of `L4Maps`.
    var cursor = DriftCursor(mapCount: 6)

    /// Digests of the tables that plans make: it takes far longer to build one than to compare it.
    var tables: [UInt32: (plan: UInt64, table: UInt64)] = [:]

    /// Repairs that wait with other writes, by map.
    var waiting: [String: UInt64] = [:]

    /// Begins rounds that are due; `everything` is what the maps shall hold.
    mutating func begin(_ pace: DriftPace, _ everything: () -> [Wanted]) {
        guard cursor.begin(pace, isIdle: wanted.isEmpty) else { return }
        wanted = everything()[...]
        entry = 0
    }
}
