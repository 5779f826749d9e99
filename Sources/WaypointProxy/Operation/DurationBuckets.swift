/// The buckets of a histogram of durations: from half a millisecond to a minute, and one for what is longer.
struct DurationBuckets: BitwiseCopyable {
    static let count = 17
    /// The longest duration of each bucket but the last one, in microseconds.
    static let bounds: [Int64] = [
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ]

    private(set) var counts: InlineArray<17, UInt64> = .init(repeating: 0)

    @inline(__always)
    mutating func add(microseconds: Int64) {
        counts[Self.bucket(of: microseconds)] &+= 1
    }

    mutating func merge(_ other: DurationBuckets) {
        for bucket in 0..<Self.count { counts[bucket] &+= other.counts[bucket] }
    }

    /// `bounds` as comparisons: an array would be a global that the hot path has to ask for.
    static func bucket(of microseconds: Int64) -> Int {
        if microseconds <= 25_000 {
            if microseconds <= 500 { return 0 }
            if microseconds <= 1_000 { return 1 }
            if microseconds <= 2_500 { return 2 }
            if microseconds <= 5_000 { return 3 }
            return microseconds <= 10_000 ? 4 : 5
        }
        if microseconds <= 500_000 {
            if microseconds <= 50_000 { return 6 }
            if microseconds <= 100_000 { return 7 }
            return microseconds <= 250_000 ? 8 : 9
        }
        if microseconds <= 1_000_000 { return 10 }
        if microseconds <= 2_500_000 { return 11 }
        if microseconds <= 5_000_000 { return 12 }
        if microseconds <= 10_000_000 { return 13 }
        if microseconds <= 30_000_000 { return 14 }
        return microseconds <= 60_000_000 ? 15 : 16
    }
}
