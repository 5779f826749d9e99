/// Hashes and random numbers that are the same on every node, in every run and after every restart.

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
package func finalized(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
}

/// A 64-bit hash of a sequence of words, in their order. Not for adversaries: a digest to notice change by.
package struct StableHash: Sendable {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func combine(_ word: UInt64) {
        value = finalized(value ^ word) &* 0x100_0000_01b3
    }

    package mutating func combine(_ text: String) {
        var word: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            count += 1
            if count & 7 == 0 {
                combine(word)
                word = 0
            }
        }
        combine(word)
        combine(UInt64(count))
    }

    static func of(_ address: IPAddress, port: UInt16) -> UInt64 {
        var hash = StableHash()
        hash.combine(address.high)
        hash.combine(address.low)
        hash.combine(UInt64(port))
        return hash.value
    }
}

/// A small generator with a seed, for whatever must be repeatable.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return finalized(state)
    }
}
