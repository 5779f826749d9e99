import KmeshKit

/// How far the look for drift has come, in what the maps shall hold and in the maps.
struct AuthzDriftRound: Sendable {
    /// What was written, as the round over it goes.
    enum Written: Sendable {
        case policy(UInt32)
        case block(UInt32)
        case view(UInt32)
        case probe(AuthzProbeKey)
        case destination(IPAddress)
    }

    private var look = 0
    private var nextWantedRound = 0
    private var nextMapRound = 0

    /// What is left of the round over what was written, and the next entry of its first. Sources, which may
    /// be very many, come after all else.
    var written: ArraySlice<Written> = []
    var entry = 0
    var sources: ArraySlice<IPAddress>?

    /// The map that is read, in the order of `AuthzMaps`, and where in it.
    private(set) var map = AuthzDriftRound.mapCount
    private(set) var position: MapPosition?
    static let mapCount = 9

    /// Begins rounds that are due; `everything` is what was written.
    mutating func begin(_ pace: DriftPace, _ everything: () -> [Written]) {
        look += 1
        if written.isEmpty, sources?.isEmpty != false, look >= nextWantedRound {
            nextWantedRound = look + pace.wantedRound
            written = everything()[...]
            entry = 0
            sources = nil
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
