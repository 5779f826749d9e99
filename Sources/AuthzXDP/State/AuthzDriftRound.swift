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

    /// What is left of the round over what was written, and the next entry of its first. Sources, which may
    /// be very many, come after all else.
    var written: ArraySlice<Written> = []
    var entry = 0
    var sources: ArraySlice<IPAddress>?

    /// Numbers the maps in the order of `AuthzMaps`.
    var cursor = DriftCursor(mapCount: 9)

    /// Begins rounds that are due; `everything` is what was written.
    mutating func begin(_ pace: DriftPace, _ everything: () -> [Written]) {
        guard cursor.begin(pace, isIdle: written.isEmpty && sources?.isEmpty != false) else { return }
        written = everything()[...]
        entry = 0
        sources = nil
    }
}
