/// Questions that cost seconds where the mesh is large: one is answered at a time, and few wait.
internal import KmeshKit
internal import Synchronization

final class ExpensiveQuestions: Sendable {
    /// Being answered or waiting.
    private let underWay = Mutex(0)
    private let queue = SerialQueue()
    /// Of those.
    let limit: Int

    init(limit: Int = 8) { self.limit = limit }

    /// `nil` when there are too many.
    func answer<Answer>(_ work: () async -> Answer) async -> Answer? {
        let isAdmitted = underWay.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { return nil }
        defer { underWay.withLock { $0 -= 1 } }
        await queue.enter()
        defer { queue.leave() }
        return await work()
    }
}
