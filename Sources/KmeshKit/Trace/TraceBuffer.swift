/// The latest events of a traced pod, until its client asks for them.

public struct TraceBuffer: Sendable {
    /// 5,000 verdicts a second for a client that asks five times in it.
    public static let limit = 1024

    /// At most twice as many, so that dropping the oldest costs little.
    private var events: [TraceEvent] = []
    /// The latest event's number.
    public private(set) var last: UInt64 = 0

    public init() {}

    public mutating func append(_ event: TraceEvent) {
        last += 1
        events.append(event)
        events[events.count - 1].sequence = last
        if events.count >= 2 * Self.limit { events.removeFirst(events.count - Self.limit) }
    }

    /// The events after `sequence`. One that this buffer has not come to is an earlier daemon's: then all.
    public func report(after sequence: UInt64) -> TraceReport {
        let wanted = last - (sequence > last ? 0 : sequence)
        let found = events.suffix(min(Self.limit, Int(clamping: wanted)))
        return TraceReport(events: Array(found), last: last, missed: wanted - UInt64(found.count))
    }
}
