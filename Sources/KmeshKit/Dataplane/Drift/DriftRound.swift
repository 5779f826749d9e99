/// How far the look for drift has come, in what is wanted and in the maps.

struct DriftRound: Sendable {
    /// What the maps shall hold, as the round over it goes.
    enum Wanted: Sendable {
        case port(UInt32)
        case mark(IPAddress)
        case waypoint(IPAddress)
    }

    private(set) var look = 0
    private var nextWantedRound = 0
    private var nextMapRound = 0

    /// What is left of the round over what is wanted, and the next entry of its first.
    var wanted: ArraySlice<Wanted> = []
    var entry = 0

    /// The map that is read, in the order of `L4Maps`, and where in it.
    private(set) var map = DriftRound.mapCount
    private(set) var position: MapPosition?
    static let mapCount = 6

    /// Digests of the tables that plans make: it takes far longer to build one than to compare it.
    var tables: [UInt32: (plan: UInt64, table: UInt64)] = [:]

    /// Repairs that wait with other writes, by map.
    var waiting: [String: UInt64] = [:]

    /// Begins rounds that are due; `everything` is what the maps shall hold.
    mutating func begin(_ pace: DriftPace, _ everything: () -> [Wanted]) {
        look += 1
        if wanted.isEmpty, look >= nextWantedRound {
            nextWantedRound = look + pace.wantedRound
            wanted = everything()[...]
            entry = 0
        }
        if map == Self.mapCount, look >= nextMapRound {
            nextMapRound = look + pace.mapRound
            map = 0
        }
    }

    /// A chunk of the map was read; `nil` was its last.
    mutating func advance(to next: MapPosition?) {
        position = next
        if next == nil { map += 1 }
    }
}
