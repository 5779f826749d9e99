/// The workers that lack descriptors. The limit is the process's: what one worker lacks, another one may hold
/// without need.
internal import Synchronization

final class DescriptorShortage: Sendable {
    private let mailboxes: [WorkerMailbox]
    /// Numbers of workers; the one that has waited longest is the first.
    private let waiting = Mutex<[Int]>([])
    private let isThere = Atomic(false)

    init(_ mailboxes: [WorkerMailbox]) {
        self.mailboxes = mailboxes
    }

    /// A worker that is in line keeps its place.
    func join(_ worker: Int) {
        waiting.withLock { waiting in
            if !waiting.contains(worker) { waiting.append(worker) }
            isThere.store(true, ordering: .sequentiallyConsistent)
        }
    }

    func leave(_ worker: Int) {
        waiting.withLock { waiting in
            waiting.removeAll { $0 == worker }
            isThere.store(!waiting.isEmpty, ordering: .sequentiallyConsistent)
        }
    }

    /// Descriptors may be free: the first in line is told to try. Each worker that closes some asks, so it
    /// costs no more than a look while nobody waits.
    @inline(__always)
    func serveNext() {
        if isThere.load(ordering: .sequentiallyConsistent) { wakeFirst() }
    }

    private func wakeFirst() {
        while let first = takeFirst() {
            // A worker that has ended takes nothing.
            if mailboxes[first].send(.tryDescriptors) { return }
        }
    }

    private func takeFirst() -> Int? {
        waiting.withLock { waiting in
            let first = waiting.isEmpty ? nil : waiting.removeFirst()
            isThere.store(!waiting.isEmpty, ordering: .sequentiallyConsistent)
            return first
        }
    }

    /// Asks the worker behind `worker` to close what it does not use, for `origin`. Who has nothing asks the
    /// next one, until the question comes to `origin` again and ends.
    func ask(behind worker: Int, for origin: Int) {
        var next = (worker + 1) % mailboxes.count
        while next != origin {
            if mailboxes[next].send(.giveUpUnused(for: origin)) { return }
            next = (next + 1) % mailboxes.count
        }
    }
}

/// Descriptors that are kept for connections to endpoints: clients who were accepted are served, one after
/// the other, when no other descriptor is left.
struct SpareDescriptors: ~Copyable {
    /// What each worker keeps.
    static let wished = 4

    private var spares: [Int32] = []
    private let original: Int32

    /// None yet. They become other names of `original`.
    init(of original: Int32) {
        self.original = original
        spares.reserveCapacity(Self.wished)
    }

    var isEmpty: Bool { spares.isEmpty }

    /// Whether all are there.
    mutating func refill() -> Bool {
        while spares.count < Self.wished {
            let spare = Streams.duplicate(original)
            guard spare >= 0 else { return false }
            spares.append(spare)
        }
        return true
    }

    /// Closes one, for a connection that is made at once. Whether there was one.
    mutating func release() -> Bool {
        guard let spare = spares.popLast() else { return false }
        Streams.close(spare)
        return true
    }
}
