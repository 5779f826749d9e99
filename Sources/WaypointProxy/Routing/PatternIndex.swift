// Finds byte strings by their hash, which is computed while a text is walked.

/// A hash of the bytes so far.
struct RollingHash {
    private(set) var value: UInt64 = 0

    @inline(__always)
    mutating func push(_ byte: UInt8) { value = (value &+ UInt64(byte) &+ 1) &* 0x9e37_79b9_7f4a_7c15 }

    /// Letters of both cases are the same; some other bytes are, too.
    @inline(__always)
    mutating func push(folded byte: UInt8) { push(byte | 0x20) }

    /// Spread over all bits, for one owner of keys.
    @inline(__always)
    func spread(for owner: Int32) -> UInt64 {
        var mixed = value ^ (UInt64(UInt32(bitPattern: owner)) &* 0xd6e8_feb8_6659_fd93)
        mixed = (mixed ^ (mixed >> 32)) &* 0xd6e8_feb8_6659_fd93
        return mixed ^ (mixed >> 29)
    }
}

/// Keys of several owners in one table with open addressing, at most half full.
struct PatternIndex: Sendable {
    /// A key as it is put in, with the range of what it leads to.
    struct Key {
        var owner: Int32
        var bytes: [UInt8]
        var first: Int32
        var count: Int32
    }

    private struct Entry {
        var hash: UInt64 = 0
        var owner: Int32 = -1
        var start: Int32 = 0
        var length: Int32 = 0
        var first: Int32 = 0
        var count: Int32 = 0
    }

    private let entries: [Entry]
    private let mask: Int
    private let bytes: [UInt8]
    /// Bytes of the longest key; -1 without keys.
    let longest: Int

    /// `areHosts`: keys are in lower case, and hashed from the last byte to the first.
    init(_ keys: [Key], areHosts: Bool = false) {
        var capacity = 1
        while capacity < keys.count * 2 { capacity *= 2 }
        var entries = Array(repeating: Entry(), count: capacity)
        var bytes: [UInt8] = []
        for key in keys {
            var hash = RollingHash()
            if areHosts {
                for byte in key.bytes.reversed() { hash.push(folded: byte) }
            } else {
                for byte in key.bytes { hash.push(byte) }
            }
            let spread = hash.spread(for: key.owner)
            var index = Int(truncatingIfNeeded: spread) & (capacity - 1)
            while entries[index].owner >= 0 { index = (index + 1) & (capacity - 1) }
            entries[index] = Entry(
                hash: spread, owner: key.owner, start: Int32(bytes.count), length: Int32(key.bytes.count),
                first: key.first, count: key.count)
            bytes += key.bytes
        }
        self.entries = entries
        mask = capacity - 1
        self.bytes = bytes
        longest = keys.reduce(-1) { max($0, $1.bytes.count) }
    }

    /// What the key that equals the text's range leads to; empty when there is none. `folded`: the case
    /// of letters in the text does not matter; they were hashed so.
    @inline(__always)
    func find(
        _ hash: RollingHash, owner: Int32, _ text: Span<UInt8>, _ range: Range<Int>, folded: Bool = false
    ) -> Range<Int32> {
        let spread = hash.spread(for: owner)
        var index = Int(truncatingIfNeeded: spread) & mask
        while true {
            let entry = entries[index]
            if entry.owner < 0 { return 0..<0 }
            if entry.hash == spread, entry.owner == owner, Int(entry.length) == range.count,
                text.isEqual(range, bytes, Int(entry.start))
                    || folded && text.isEqualLowered(range, bytes, Int(entry.start))
            {
                return entry.first..<(entry.first &+ entry.count)
            }
            index = (index &+ 1) & mask
        }
    }
}

extension UInt8 {
    /// The lower case of an ASCII letter; any other byte as it is.
    @inline(__always)
    var lowered: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
