/// Bytes for fuzzing: seeds that are changed here and there. The same seed gives the same bytes.
///
/// `KMESH_FUZZ_ITERATIONS` says how often, for each target.
import Glibc
import KmeshKit

enum FuzzInput {
    static let iterations: Int = {
        guard let text = unsafe getenv("KMESH_FUZZ_ITERATIONS") else { return 2000 }
        return unsafe Int(String(cString: text)) ?? 2000
    }()

    /// Runs `body` with changed versions of `seeds`.
    static func run(
        _ seed: UInt64, _ seeds: [[UInt8]], dictionary: [String] = [],
        _ body: ([UInt8], inout SplitMix64) -> Void
    ) {
        var random = SplitMix64(seed: seed)
        for iteration in 0..<iterations {
            var bytes = seeds[iteration % seeds.count]
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                change(&bytes, seeds, dictionary, &random)
            }
            body(bytes, &random)
        }
    }

    /// Where a message might be cut into pieces, in order.
    static func cuts(_ count: Int, _ random: inout SplitMix64) -> [Int] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in Int.random(in: 0...count, using: &random) }
            .sorted()
    }

    private static let marks = Array("\r\n\t :;,/?#*\"\\@[]0159afAF-+_\u{0}\u{b}\u{7f}".utf8)

    private static func change(
        _ bytes: inout [UInt8], _ seeds: [[UInt8]], _ dictionary: [String], _ random: inout SplitMix64
    ) {
        let at = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where at < bytes.count: bytes[at] = UInt8.random(in: .min ... .max, using: &random)
        case 1 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.insert(marks[Int.random(in: 0..<marks.count, using: &random)], at: at)
        case 3 where at < bytes.count: bytes[at] = marks[Int.random(in: 0..<marks.count, using: &random)]
        case 4: bytes.removeSubrange(at..<end)
        case 5: bytes.insert(contentsOf: bytes[at..<end], at: at)
        case 6 where !dictionary.isEmpty:
            bytes.insert(
                contentsOf: dictionary[Int.random(in: 0..<dictionary.count, using: &random)].utf8, at: at)
        default:
            let other = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            bytes = Array(bytes[..<at]) + other.suffix(Int.random(in: 0...other.count, using: &random))
        }
    }
}
