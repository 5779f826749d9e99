// What a pattern says, and how it is read. The syntax is that of RE2 without what needs tables of Unicode.

/// Why a pattern is not taken.
public struct RegexError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    /// The byte of the pattern where it was noticed, counted from 0.
    public var offset: Int

    public var description: String { "\(message), at byte \(offset + 1)" }
}

/// A set of bytes.
struct ByteSet: Hashable, Sendable {
    private var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))

    init() {}

    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges { insert(range) }
    }

    static let all = ByteSet(0...255)

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: return words.0 & bit != 0
        case 1: return words.1 & bit != 0
        case 2: return words.2 & bit != 0
        default: return words.3 & bit != 0
        }
    }

    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range { insert(byte) }
    }

    mutating func formUnion(_ other: ByteSet) {
        words.0 |= other.words.0
        words.1 |= other.words.1
        words.2 |= other.words.2
        words.3 |= other.words.3
    }

    var inverted: ByteSet {
        var set = self
        set.words = (~words.0, ~words.1, ~words.2, ~words.3)
        return set
    }

    /// With both cases of every ASCII letter in it.
    var ignoringCase: ByteSet {
        var set = self
        for upper in UInt8(ascii: "A")...UInt8(ascii: "Z") {
            if contains(upper) || contains(upper | 0x20) {
                set.insert(upper)
                set.insert(upper | 0x20)
            }
        }
        return set
    }

    static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

/// The parts of a pattern. As deep as groups are nested, of which there are few.
indirect enum RegexNode: Sendable {
    case empty
    case bytes(ByteSet)
    case start
    case end
    case sequence([RegexNode])
    case choice([RegexNode])
    /// `most` is `nil` without an upper bound.
    case repeated(RegexNode, least: Int, most: Int?)
}
