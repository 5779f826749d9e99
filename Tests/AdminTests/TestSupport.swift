// What several tests of the admin API share: directories that go away, blocking calls off the pool, chance
// by seed.
import Foundation
import KmeshKit
import Testing

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

/// The seed that SEED names, or a fixed one. A failure's output has it.
let testSeed: UInt64 = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) } ?? 2026
