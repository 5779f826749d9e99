/// When the rounds of a look for drift begin, and how far the one over the maps has come.
package struct DriftCursor: Sendable {
    private var look = 0
    private var nextWantedRound = 0
    private var nextMapRound = 0
    private let mapCount: Int

    /// The map that is read, by its number, and where in it.
    package private(set) var map: Int
    package private(set) var position: MapPosition?

    package init(mapCount: Int) {
        self.mapCount = mapCount
        map = mapCount
    }

    /// Whether the round over the maps has ended.
    package var isAtEnd: Bool { map == mapCount }

    /// Begins rounds that are due. Returns whether the one over what is wanted, of which nothing is left when
    /// `isIdle`, shall begin.
    package mutating func begin(_ pace: DriftPace, isIdle: Bool) -> Bool {
        look += 1
        if isAtEnd, look >= nextMapRound {
            nextMapRound = look + pace.mapRound
            map = 0
        }
        guard isIdle, look >= nextWantedRound else { return false }
        nextWantedRound = look + pace.wantedRound
        return true
    }

    /// A chunk of the map was read; `nil` was its last.
    package mutating func advance(to next: MapPosition?) {
        position = next
        if next == nil { map += 1 }
    }
}
