/// Knows what the engine is busy with, and since when, so that one that hangs is told from one that works.
internal import KmeshKit
internal import Synchronization

final class Watchdog: Sendable {
    private struct Work {
        let name: String
        let start: ContinuousClock.Instant
        let time: WallClock
    }

    private struct State {
        var last: UInt64 = 0
        var running: [UInt64: Work] = [:]
    }

    private let state = Mutex(State())
    /// How long one piece of work may take.
    private let patience: Duration

    init(patience: Duration) { self.patience = patience }

    /// Does the work, under a name that ends the sentence "the engine does not come back from …".
    func watch<Outcome>(_ name: String, _ work: () async -> Outcome) async -> Outcome {
        let number = state.withLock { state in
            state.last += 1
            state.running[state.last] = Work(name: name, start: .now, time: .now())
            return state.last
        }
        defer { state.withLock { _ = $0.running.removeValue(forKey: number) } }
        return await work()
    }

    /// What hangs and since when, the oldest first; nil while everything comes back in time.
    func complaint() -> String? {
        let late = state.withLock { state in
            state.running.sorted { $0.key < $1.key }.map(\.value).filter {
                $0.start.duration(to: .now) > patience
            }
        }
        guard !late.isEmpty else { return nil }
        return late.map { work in
            let seconds = work.start.duration(to: .now).components.seconds
            return
                "the engine does not come back from \(work.name), since \(work.time.iso8601) (\(seconds) s)"
        }.joined(separator: "; ")
    }
}
