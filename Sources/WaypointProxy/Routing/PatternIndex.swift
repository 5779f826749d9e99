// Finds byte strings by their hash, which is computed while a text is walked, in either direction.

/// A hash of the bytes so far. It can take the last byte back, so that all prefixes of a text are hashed in
/// two walks and without memory.
struct RollingHash {
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// The inverse of `factor` modulo 2^64.
    private static let inverse: UInt64 = 0xf1de_83e1_9937_733d

    private(set) var value: UInt64 = 0

    @inline(__always)
    mutating func push(_ byte: UInt8) { value = (value &+ UInt64(byte) &+ 1) &* Self.factor }

    @inline(__always)
    mutating func pop(_ byte: UInt8) { value = value &* Self.inverse &- UInt64(byte) &- 1 }

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

    /// `reversed`: hashes were made from a key's last byte to its first.
    init(_ keys: [Key], reversed: Bool = false) {
        var capacity = 1
        while capacity < keys.count * 2 { capacity *= 2 }
        var entries = Array(repeating: Entry(), count: capacity)
        var bytes: [UInt8] = []
        for key in keys {
            var hash = RollingHash()
            if reversed {
                for byte in key.bytes.reversed() { hash.push(byte) }
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

    /// What the key that equals the text's range leads to; empty when there is none. `lowered`: letters of
    /// the text count as lower case; they were hashed so.
    @inline(__always)
    func find(
        _ hash: RollingHash, owner: Int32, _ text: Span<UInt8>, _ range: Range<Int>, lowered: Bool = false
    ) -> Range<Int32> {
        let spread = hash.spread(for: owner)
        var index = Int(truncatingIfNeeded: spread) & mask
        while entries[index].owner >= 0 {
            let entry = entries[index]
            if entry.hash == spread, entry.owner == owner, Int(entry.length) == range.count,
                isEqual(entry.start, text, range, lowered)
            {
                return entry.first..<(entry.first &+ entry.count)
            }
            index = (index &+ 1) & mask
        }
        return 0..<0
    }

    @inline(__always)
    private func isEqual(_ start: Int32, _ text: Span<UInt8>, _ range: Range<Int>, _ lowered: Bool) -> Bool {
        var index = Int(start)
        for position in range {
            let byte = lowered ? text[position].lowered : text[position]
            if bytes[index] != byte { return false }
            index &+= 1
        }
        return true
    }
}

extension UInt8 {
    /// The lower case of an ASCII letter; any other byte as it is.
    @inline(__always)
    var lowered: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
