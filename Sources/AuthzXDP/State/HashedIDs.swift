import KmeshKit

/// Numbers that things have in the maps, taken from a hash of what they are: a restart gives the same
/// numbers to the same things. Where two hashes agree, the later one takes the next number of its own
/// sequence.
struct HashedIDs: Sendable {
    private(set) var used: Set<UInt32> = []

    /// How many numbers of its sequence a thing is looked for under after a restart: more than it ever takes.
    static let searchDepth = 8

    /// Number `index` of a hash's sequence.
    static func candidate(_ hash: UInt64, _ index: Int) -> UInt32 {
        var sequence = StableHash()
        sequence.combine(hash)
        sequence.combine(UInt64(index))
        return max(1, UInt32(truncatingIfNeeded: sequence.value))
    }

    static func candidates(_ hash: UInt64) -> some Sequence<UInt32> {
        (0..<searchDepth).lazy.map { candidate(hash, $0) }
    }

    /// The first number of the sequence that nothing has and `isFree` agrees to.
    mutating func allocate(_ hash: UInt64, where isFree: (UInt32) -> Bool = { _ in true }) -> UInt32 {
        var index = 0
        while true {
            let id = Self.candidate(hash, index)
            if !used.contains(id), isFree(id) {
                used.insert(id)
                return id
            }
            index += 1
        }
    }

    /// Returns whether nothing has it yet.
    mutating func reserve(_ id: UInt32) -> Bool { used.insert(id).inserted }

    mutating func release(_ id: UInt32) { used.remove(id) }
}
