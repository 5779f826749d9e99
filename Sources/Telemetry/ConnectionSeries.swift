internal import KmeshKit

/// What is counted of the connections with the same labels.
struct ConnectionCounts: Hashable, Sendable {
    var opened: UInt64 = 0
    var closed: UInt64 = 0
    var failed: UInt64 = 0
    var sent: UInt64 = 0
    var received: UInt64 = 0
    var retransmissions: UInt64 = 0
    var lost: UInt64 = 0

    mutating func add(_ record: ConnectionRecord) {
        if record.hasFailed {
            failed += 1
            return
        }
        if record.isFirst { opened += 1 }
        if record.isClosed { closed += 1 }
        sent &+= record.news.sent
        received &+= record.news.received
        retransmissions &+= UInt64(record.news.retransmissions)
        lost &+= UInt64(record.news.lost)
    }
}

/// Series by their labels, at most as many as are asked for; what is beyond is counted in one for the rest.
struct SeriesTable<Value: Sendable>: Sendable {
    struct Series: Sendable {
        let labels: [(String, String)]
        var value: Value
        /// Of the workloads that were the parties last.
        var uids: Set<String>
        var lastUse: ContinuousClock.Instant
    }

    typealias Handle = Int

    private(set) var series: [Series?] = []
    private var handles: [[String]: Handle] = [:]
    private var free: [Handle] = []
    private let limit: Int
    private let initial: Value
    /// Label sets that found no room.
    private(set) var refused: UInt64 = 0

    init(limit: Int, initial: Value) {
        self.limit = limit
        self.initial = initial
    }

    var count: Int { handles.count }

    subscript(handle: Handle) -> Value? { series[handle]?.value }

    mutating func handle(for labels: [(String, String)], of uids: Set<String>) -> Handle {
        if let known = handles[labels.map(\.1)] { return known }
        var labels = labels
        if handles.count >= limit {
            refused += 1
            labels = labels.map { ($0.0, $0.0 == "reporter" ? $0.1 : "other") }
            if let known = handles[labels.map(\.1)] { return known }
        }
        let fresh = Series(labels: labels, value: initial, uids: uids, lastUse: .now)
        let handle = free.popLast() ?? series.count
        if handle == series.count { series.append(fresh) } else { series[handle] = fresh }
        handles[labels.map(\.1)] = handle
        return handle
    }

    mutating func update(_ handle: Handle, at now: ContinuousClock.Instant, _ body: (inout Value) -> Void) {
        guard series.indices.contains(handle), var one = series[handle].take() else { return }
        body(&one.value)
        one.lastUse = now
        series[handle] = one
    }

    /// The workloads of series that were not used since `deadline`.
    func idleWorkloads(since deadline: ContinuousClock.Instant) -> Set<String> {
        series.reduce(into: []) { uids, one in
            if let one, one.lastUse < deadline { uids.formUnion(one.uids) }
        }
    }

    /// Drops the idle ones of which a workload is gone. Returns whether there were any: then handles are
    /// void.
    mutating func drop(idleSince deadline: ContinuousClock.Instant, vanished: Set<String>) -> Bool {
        var isChanged = false
        for handle in series.indices {
            guard let one = series[handle], one.lastUse < deadline, !one.uids.isDisjoint(with: vanished)
            else { continue }
            handles[one.labels.map(\.1)] = nil
            series[handle] = nil
            free.append(handle)
            isChanged = true
        }
        return isChanged
    }

    /// By their labels.
    var sorted: [Series] {
        series.compactMap { $0 }.sorted { left, right in
            left.labels.lazy.map(\.1).lexicographicallyPrecedes(right.labels.lazy.map(\.1))
        }
    }
}
