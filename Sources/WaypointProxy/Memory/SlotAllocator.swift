/// Gives out the numbers of a slab's records: the one that was given back last first, and a new one only when
/// there is none. Nothing is written for numbers that were never used.

/// A record that keeps the number of the next free one while it is free itself.
protocol SlotRecord: BitwiseCopyable {
    var nextFree: Int32 { get set }
}

struct SlotAllocator {
    private(set) var capacity: Int32
    private var free: Int32 = -1
    private(set) var highWater: Int32 = 0
    private(set) var used: Int32 = 0

    init(capacity: Int32) { self.capacity = capacity }

    /// -1 when all are used.
    @inline(__always)
    mutating func take<Record: SlotRecord>(_ records: borrowing Slab<Record>) -> Int32 {
        let number = free
        if number >= 0 {
            free = records[number].nextFree
        } else {
            guard highWater < capacity else { return -1 }
            highWater &+= 1
        }
        used &+= 1
        return number >= 0 ? number : highWater &- 1
    }

    @inline(__always)
    mutating func give<Record: SlotRecord>(_ number: Int32, _ records: borrowing Slab<Record>) {
        records[number].nextFree = free
        free = number
        used &-= 1
    }

    /// The records have moved to a larger slab.
    mutating func grow(to capacity: Int32) { self.capacity = max(capacity, self.capacity) }
}
