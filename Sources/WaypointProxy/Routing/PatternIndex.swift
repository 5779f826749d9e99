// Finds byte strings by their hash, which is computed while a text is walked.

/// A hash of the pieces so far. It is that of a key only when both were cut in the same places: paths before
/// each slash; hosts, where suffixes are looked for, before each dot, from the last one on.
struct PieceHash {
    private(set) var value: UInt64 = 0

    @inline(__always)
    mutating func push(_ text: Span<UInt8>, _ piece: Range<Int>) {
        if !piece.isEmpty { value = text.hash(piece, from: value, folded: false) }
    }

    /// Letters of both cases are the same; some other bytes are, too.
    @inline(__always)
    mutating func push(folded text: Span<UInt8>, _ piece: Range<Int>) {
        if !piece.isEmpty { value = text.hash(piece, from: value, folded: true) }
    }

    /// Spread over all bits, for one owner of keys.
    @inline(__always)
    func spread(for owner: Int32) -> UInt64 {
        let mixed =
            (value ^ UInt64(UInt32(bitPattern: owner)) &* 0xd6e8_feb8_6659_fd93) &* 0x9e37_79b9_7f4a_7c15
        return mixed ^ (mixed >> 32)
    }

    /// How keys are cut.
    enum Pieces {
        case wholeHost, hostLabels, pathSegments
    }

    init() {}

    init(_ key: Span<UInt8>, _ pieces: Pieces) {
        switch pieces {
        case .wholeHost: push(folded: key, 0..<key.count)
        case .hostLabels:
            var end = key.count
            for position in (0..<key.count).reversed()
            where position == 0 || key[position] == UInt8(ascii: ".") {
                push(folded: key, position..<end)
                end = position
            }
        case .pathSegments:
            var start = 0
            for position in 0..<key.count where key[position] == UInt8(ascii: "/") {
                push(key, start..<position)
                start = position
            }
            push(key, start..<key.count)
        }
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

    /// Keys of hosts are in lower case.
    init(_ keys: [Key], _ pieces: PieceHash.Pieces) {
        var capacity = 1
        while capacity < keys.count * 2 { capacity *= 2 }
        var entries = Array(repeating: Entry(), count: capacity)
        var bytes: [UInt8] = []
        for key in keys {
            let spread = PieceHash(key.bytes.span, pieces).spread(for: key.owner)
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
        _ hash: PieceHash, owner: Int32, _ text: Span<UInt8>, _ range: Range<Int>, folded: Bool = false
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
