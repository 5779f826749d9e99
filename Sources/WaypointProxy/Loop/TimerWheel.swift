/// Deadlines of records by their numbers. Setting one costs a store as long as it only moves away, which
/// activity does: the wheel looks again when the earlier time has come.

struct TimerWheel: ~Copyable {
    /// A tick is 4,096 microseconds; a round 67 seconds. What is further away waits for more than one round.
    private static let tickShift: Int64 = 12
    private static let slotCount: Int32 = 16384

    /// Not private: other files see the layout of what holds it.
    struct Node: BitwiseCopyable {
        /// Microseconds; 0 is none.
        var deadline: Int64 = 0
        /// The tick that the node waits for in its slot, plus 1; 0 is in no slot.
        var tick: Int64 = 0
        var next: Int32 = 0
        var previous: Int32 = 0
    }

    private let nodes: Slab<Node>
    /// Numbers of first nodes, plus 1.
    private let heads: Slab<Int32>
    /// One bit for each slot: whether a node is there.
    private let occupied: Slab<UInt64>
    /// One bit for each word of `occupied`: whether a bit of it is set.
    private let occupiedWords: Slab<UInt64>
    private var tick: Int64
    private var count: Int32 = 0

    init(capacity: Int32, now: Int64) {
        nodes = Slab(capacity: capacity)
        heads = Slab(capacity: Self.slotCount)
        occupied = Slab(capacity: Self.slotCount / 64)
        occupiedWords = Slab(capacity: Self.slotCount / 64 / 64)
        tick = now >> Self.tickShift
    }

    /// Microseconds; a number has one deadline at most.
    @inline(__always)
    mutating func set(_ number: Int32, _ deadline: Int64) {
        nodes[number].deadline = deadline
        let wanted = Self.tick(for: deadline)
        if nodes[number].tick != 0, nodes[number].tick &- 1 <= wanted { return }
        move(number, to: wanted)
    }

    @inline(__always)
    func clear(_ number: Int32) { nodes[number].deadline = 0 }

    func deadline(of number: Int32) -> Int64 { nodes[number].deadline }

    /// A number whose deadline has come; -1 when there is none.
    mutating func popExpired(now: Int64) -> Int32 {
        let last = now >> Self.tickShift
        while true {
            let slot = Int32(truncatingIfNeeded: tick) & (Self.slotCount &- 1)
            while heads[slot] != 0 {
                guard let number = takeFirst(slot, now: now) else { break }
                return number
            }
            guard tick < last else { return -1 }
            guard count > 0 else {
                tick = last
                return -1
            }
            tick += 1
        }
    }

    /// The first node of a slot that is due; `nil` when none of the slot is. Others move on to where they
    /// belong.
    private mutating func takeFirst(_ slot: Int32, now: Int64) -> Int32? {
        var link = heads[slot]
        while link != 0 {
            let number = link &- 1
            link = nodes[number].next
            if nodes[number].tick &- 1 > tick { continue }
            let deadline = nodes[number].deadline
            if deadline == 0 {
                remove(number)
            } else if deadline <= now {
                remove(number)
                nodes[number].deadline = 0
                return number
            } else if Self.tick(for: deadline) > tick {
                move(number, to: Self.tick(for: deadline))
            }
        }
        return nil
    }

    /// Microseconds until something may be due; at most one round. -1 when nothing waits.
    func pause(now: Int64) -> Int64 {
        guard count > 0 else { return -1 }
        var at = tick
        let end = tick &+ Int64(Self.slotCount)
        while at < end {
            let slot = Int32(truncatingIfNeeded: at) & (Self.slotCount &- 1)
            let word = occupied[slot >> 6] >> UInt64(slot & 63)
            if word != 0 {
                at += Int64(word.trailingZeroBitCount)
                // One tick more: within the first one only a part of the deadlines is over.
                return max(0, (at &+ 1) << Self.tickShift &- now)
            }
            at += Int64(64 - slot & 63)
            at += 64 * emptyWords(from: (Int32(truncatingIfNeeded: at) & (Self.slotCount &- 1)) >> 6)
        }
        return -1
    }

    /// Words of `occupied` without a bit, from `word` on; not beyond the next 64th.
    private func emptyWords(from word: Int32) -> Int64 {
        let group = occupiedWords[word >> 6] >> UInt64(word & 63)
        return Int64(min(group.trailingZeroBitCount, Int(64 - word & 63)))
    }

    @inline(__always)
    private static func tick(for deadline: Int64) -> Int64 { deadline >> tickShift }

    private mutating func move(_ number: Int32, to wanted: Int64) {
        if nodes[number].tick != 0 { remove(number) }
        // Not further than a round, so that a slot's nodes mostly are of the same tick.
        let at = min(max(wanted, tick), tick &+ Int64(Self.slotCount) &- 1)
        let slot = Int32(truncatingIfNeeded: at) & (Self.slotCount &- 1)
        nodes[number].tick = at &+ 1
        nodes[number].previous = 0
        nodes[number].next = heads[slot]
        if heads[slot] != 0 { nodes[heads[slot] &- 1].previous = number &+ 1 }
        heads[slot] = number &+ 1
        occupied[slot >> 6] |= 1 << UInt64(slot & 63)
        occupiedWords[slot >> 12] |= 1 << UInt64(slot >> 6 & 63)
        count &+= 1
    }

    private func markEmpty(_ slot: Int32) {
        occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
        if occupied[slot >> 6] == 0 { occupiedWords[slot >> 12] &= ~(1 << UInt64(slot >> 6 & 63)) }
    }

    private mutating func remove(_ number: Int32) {
        let slot = Int32(truncatingIfNeeded: nodes[number].tick &- 1) & (Self.slotCount &- 1)
        let (next, previous) = (nodes[number].next, nodes[number].previous)
        if next != 0 { nodes[next &- 1].previous = previous }
        if previous != 0 {
            nodes[previous &- 1].next = next
        } else {
            heads[slot] = next
            if next == 0 { markEmpty(slot) }
        }
        nodes[number].tick = 0
        count &-= 1
    }
}
