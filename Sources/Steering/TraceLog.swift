internal import CKmeshABI
internal import KmeshKit

/// The pods that are traced, and the ring that programs write their verdicts to.
final class TraceLog {
    /// More than this are not traced at once: each keeps up to 2,048 events.
    static let podLimit = 64
    /// All that the ring can hold.
    private static let eventLimit = Int(KMESH_TRACE_RING_BYTES) / MemoryLayout<kmesh_trace_event>.size

    private struct Session {
        var cookie: UInt64
        /// Seconds of the monotonic clock.
        var askedAt: UInt32
        var tracedUntil: UInt32
        /// What the ring had lost when the trace began.
        let lostBefore: UInt64
        var buffer = TraceBuffer()
    }

    private var ring: RingBuffer
    private var sessions: [LocalWorkload.ID: Session] = [:]
    /// Whether all pods are traced into the log, and how long they are already.
    private(set) var tracesAll = false
    private var allTracedUntil: UInt32 = 0
    private var lines = LineBudget()

    init(_ events: borrowing FileDescriptor) throws(BPFError) {
        let copy: FileDescriptor
        do throws(Errno) {
            copy = try events.duplicate()
        } catch {
            throw .failed("open the ring of traced verdicts", error)
        }
        ring = try RingBuffer(copy, name: KMESH_MAP_TRACE)
    }

    var isActive: Bool { tracesAll || !sessions.isEmpty }

    /// The records since the last call.
    func drain() -> [kmesh_trace_event] {
        var events: [kmesh_trace_event] = []
        _ = ring.drain(limit: Self.eventLimit) { record in
            if let event = record.record(as: kmesh_trace_event.self) { events.append(event) }
        }
        return events
    }

    // MARK: Single pods

    /// Whether the pod is traced.
    func isTraced(_ id: LocalWorkload.ID) -> Bool { sessions[id] != nil }

    /// The pod is asked for. Until when its entry must say that it is traced; `nil` where it says so for long
    /// enough: a written entry could be missed by a program that reads meanwhile.
    func ask(
        _ workload: LocalWorkload, now: UInt32, lost: UInt64
    ) throws(TraceError) -> UInt32? {
        let cookie = workload.networkNamespace.cookie
        if sessions[workload.id] == nil {
            guard sessions.count < Self.podLimit else { throw .tooMany(Self.podLimit) }
            sessions[workload.id] = Session(cookie: cookie, askedAt: now, tracedUntil: 0, lostBefore: lost)
        }
        if sessions[workload.id]?.cookie != cookie { sessions[workload.id]?.tracedUntil = 0 }
        sessions[workload.id]?.cookie = cookie
        sessions[workload.id]?.askedAt = now
        guard let until = sessions[workload.id]?.tracedUntil, Self.endsSoon(until, now) else { return nil }
        return now + TraceRequest.seconds
    }

    /// The pod's entry says now that it is traced.
    func traced(_ id: LocalWorkload.ID, until: UInt32) { sessions[id]?.tracedUntil = until }

    func add(_ event: TraceEvent, cookie: UInt64) {
        for (id, session) in sessions where session.cookie == cookie { sessions[id]?.buffer.append(event) }
    }

    /// What a client is answered; `lost` is what the ring has lost in all.
    func report(of id: LocalWorkload.ID, after: UInt64?, lost: UInt64) -> TraceReport {
        guard let session = sessions[id] else { return TraceReport() }
        var report = session.buffer.report(after: after ?? session.buffer.last)
        report.lost = lost - min(lost, session.lostBefore)
        return report
    }

    /// Forgets the pods that nobody asks for any more.
    func expire(now: UInt32) {
        sessions = sessions.filter { $0.value.askedAt + TraceRequest.seconds >= now }
    }

    // MARK: All pods

    func setTracing(all: Bool) {
        tracesAll = all
        allTracedUntil = 0
    }

    /// Until when all entries must say that their pods are traced; `nil` where they do.
    func askForAll(now: UInt32) -> UInt32? {
        guard tracesAll, Self.endsSoon(allTracedUntil, now) else { return nil }
        return now + TraceRequest.seconds
    }

    func tracedAll(until: UInt32) { allTracedUntil = until }

    /// Whether one more line may be written in this second.
    func takeLine() -> Bool { lines.take() }

    /// A second has passed. How many lines were not written in it.
    func endSecond() -> Int { lines.end() }

    private static func endsSoon(_ until: UInt32, _ now: UInt32) -> Bool { until < now + 3 }
}

/// Lines for the log of one second: a flood of verdicts must not fill its disk.
private struct LineBudget {
    private static let limit = 50
    private var count = 0

    mutating func take() -> Bool {
        count += 1
        return count <= Self.limit
    }

    mutating func end() -> Int {
        defer { count = 0 }
        return max(0, count - Self.limit)
    }
}
