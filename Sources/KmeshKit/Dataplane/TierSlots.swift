/// The endpoints of one tier in the order of their slots. A change writes a number of slots that depends on
/// how many endpoints come and go, not on how many there are.
struct TierSlots: Hashable, Sendable {
    let tier: UInt8
    /// Endpoint ids; 0 is a hole, which only a damaged map leads to and the next update closes.
    private(set) var ids: [UInt32]

    init(tier: UInt8, ids: [UInt32] = []) {
        self.tier = tier
        self.ids = ids
    }

    /// Lets endpoints go and come: those that come take the places of those that go, the last ones fill
    /// places that are left, and whoever remains is appended. Returns the indices that changed and still
    /// exist.
    mutating func replace(departing: Set<UInt32>, arriving: [UInt32]) -> [Int] {
        var holes = ids.indices.filter { ids[$0] == 0 || departing.contains(ids[$0]) }[...]
        var arriving = arriving[...]
        var changed: [Int] = []
        while let hole = holes.first, let id = arriving.popFirst() {
            holes.removeFirst()
            ids[hole] = id
            changed.append(hole)
        }
        for hole in holes { ids[hole] = 0 }
        for hole in holes {
            while ids.last == 0 { ids.removeLast() }
            guard hole < ids.count else { break }
            ids[hole] = ids.removeLast()
            changed.append(hole)
        }
        for id in arriving {
            changed.append(ids.count)
            ids.append(id)
        }
        return changed
    }
}
