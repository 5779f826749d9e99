// What several tests of the admin API share: directories that go away, blocking calls off the pool, chance
// by seed.
import Foundation
import KmeshKit
import Testing

/// An empty directory that is removed with its content.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/kmesh-test-\(UUID().uuidString.prefix(8))"
        try Files.makeDirectories(path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Runs what blocks on a thread of its own: the pool's few threads belong to the server under test.
func offPool<Value: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () throws(Failure) -> Value
) async throws -> Value {
    try await DedicatedThread.run("test-client") {
        do throws(Failure) {
            return Result<Value, Failure>.success(try work())
        } catch {
            return .failure(error)
        }
    }.get()
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// The seed that SEED names, or a fixed one. A failure's output has it.
let testSeed: UInt64 = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) } ?? 2026
