internal import CKmeshABI

/// A key or value of a map as the 32-bit words that the kernel's memory holds. The layouts are those of
/// `bpf/include/kmesh/abi`; ABITests compare the two.
public protocol MapWords: Hashable, Sendable {
    /// Words of one entry, without the seal.
    static var wordCount: Int { get }
    /// Whether the entry in the map ends in a seal over key and value.
    static var isSealed: Bool { get }

    func append(to words: inout [UInt32])
    /// `words` has `wordCount` elements.
    init(words: ArraySlice<UInt32>)
}

extension MapWords {
    public static var isSealed: Bool { false }

    /// Bytes of one entry as the map declares them.
    public static var byteCount: Int { 4 * (wordCount + (isSealed ? 1 : 0)) }

    public var words: [UInt32] {
        var words: [UInt32] = []
        words.reserveCapacity(Self.wordCount)
        append(to: &words)
        return words
    }
}

/// The seal over a key and then, from there, over its value: see `layout.h`.
func seal(_ words: ArraySlice<UInt32>, from start: UInt32 = KMESH_SEAL_START) -> UInt32 {
    words.reduce(start) { ($0 ^ $1) &* KMESH_SEAL_FACTOR &+ ($0 >> 15) }
}

extension IPAddress {
    /// The address as it lies in memory: 4 words in network byte order.
    package func append(to words: inout [UInt32]) {
        words.append(UInt32(truncatingIfNeeded: high >> 32).bigEndian)
        words.append(UInt32(truncatingIfNeeded: high).bigEndian)
        words.append(UInt32(truncatingIfNeeded: low >> 32).bigEndian)
        words.append(UInt32(truncatingIfNeeded: low).bigEndian)
    }

    package init(words: ArraySlice<UInt32>) {
        let parts = words.map { UInt64(UInt32(bigEndian: $0)) }
        self.init(high: parts[0] << 32 | parts[1], low: parts[2] << 32 | parts[3])
    }
}
