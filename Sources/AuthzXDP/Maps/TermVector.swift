internal import CKmeshABI
public import KmeshKit

/// The terms of a block that hold, a bit each: what a lookup gives, and what the programs AND together.

public struct TermVector: Sendable {
    public private(set) var words: InlineArray<16, UInt64>

    /// Bits in a vector.
    public static var capacity: Int { Int(KMESH_AUTHZ_TERMS) }

    /// No term holds.
    public init() { words = InlineArray(repeating: 0) }

    /// The first `count` terms hold.
    public init(first count: Int) {
        self.init()
        for bit in 0..<count { self[bit] = true }
    }

    /// `words` has a word for each 64 terms; those that are left out are 0.
    init(_ words: [UInt64]) {
        self.init()
        for index in words.indices { self.words[index] = words[index] }
    }

    public subscript(bit: Int) -> Bool {
        get { words[bit >> 6] >> UInt64(bit & 63) & 1 != 0 }
        set {
            let mask: UInt64 = 1 << UInt64(bit & 63)
            if newValue { words[bit >> 6] |= mask } else { words[bit >> 6] &= ~mask }
        }
    }

    public var isEmpty: Bool { firstBit == nil }

    /// The lowest term that holds.
    public var firstBit: Int? {
        for index in words.indices where words[index] != 0 {
            return index << 6 + words[index].trailingZeroBitCount
        }
        return nil
    }

    /// The terms that hold, lowest first.
    public var bits: [Int] {
        var bits: [Int] = []
        for index in words.indices {
            var word = words[index]
            while word != 0 {
                bits.append(index << 6 + word.trailingZeroBitCount)
                word &= word - 1
            }
        }
        return bits
    }

    public static func & (left: TermVector, right: TermVector) -> TermVector {
        var both = left
        for index in both.words.indices { both.words[index] &= right.words[index] }
        return both
    }
}

extension TermVector: Hashable {
    public static func == (left: TermVector, right: TermVector) -> Bool {
        var difference: UInt64 = 0
        for index in left.words.indices { difference |= left.words[index] ^ right.words[index] }
        return difference == 0
    }

    public func hash(into hasher: inout Hasher) {
        for index in words.indices { hasher.combine(words[index]) }
    }
}

extension TermVector: MapWords {
    public static var wordCount: Int { 2 * Int(KMESH_AUTHZ_WORDS) }

    public func append(to words: inout [UInt32]) {
        for index in self.words.indices {
            words.append(UInt32(truncatingIfNeeded: self.words[index]))
            words.append(UInt32(truncatingIfNeeded: self.words[index] >> 32))
        }
    }

    public init(words: ArraySlice<UInt32>) {
        self.init()
        for index in self.words.indices {
            let low = words.startIndex + 2 * index
            self.words[index] = UInt64(words[low]) | UInt64(words[low + 1]) << 32
        }
    }
}
