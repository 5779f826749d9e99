/// How often values fell between bounds.
package struct Histogram: Hashable, Sendable {
    package private(set) var counts: [UInt64]
    package private(set) var sum = 0.0

    /// Seconds: from a tenth of a millisecond, which is a round trip on a node, to an hour.
    package static let bounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
        60, 300, 3600,
    ]

    package init() { counts = [UInt64](repeating: 0, count: Self.bounds.count + 1) }

    package mutating func add(_ value: Double) {
        counts[Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count] += 1
        sum += value
    }
}
