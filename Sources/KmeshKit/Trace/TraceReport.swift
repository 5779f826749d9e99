/// What a client of a trace asks again and again, and what it is answered.

public struct TraceRequest: Hashable, Sendable {
    public let pod: PodName
    /// The events that follow this one; `nil` begins with what happens from now on.
    public let after: UInt64?

    public init(pod: PodName, after: UInt64? = nil) {
        (self.pod, self.after) = (pod, after)
    }

    /// For how many seconds a pod is traced when nobody asks again.
    public static var seconds: UInt32 { 5 }
}

public struct TraceReport: Hashable, Sendable {
    /// Oldest first.
    public var events: [TraceEvent]
    /// What to ask for next.
    public var last: UInt64
    /// Events that would belong here and were dropped for newer ones.
    public var missed: UInt64
    /// Verdicts on traced pods that the kernel's ring had no room for, since the trace began.
    public var lost: UInt64

    public init(events: [TraceEvent] = [], last: UInt64 = 0, missed: UInt64 = 0, lost: UInt64 = 0) {
        (self.events, self.last, self.missed, self.lost) = (events, last, missed, lost)
    }

    var json: JSONValue {
        [
            "events": .array(events.map(\.json)), "last": JSONValue(last), "missed": JSONValue(missed),
            "lost": JSONValue(lost),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            events: try reader.objects("events", TraceEvent.init(json:)), last: try reader.integer("last"),
            missed: try reader.integer("missed"), lost: try reader.integer("lost"))
    }
}

/// Why a pod cannot be traced. Each text names the object and the remedy.
public enum TraceError: Error, Hashable, Sendable, CustomStringConvertible {
    case notEnrolled(PodName)
    case tooMany(Int)
    case engine(EngineError)

    public var description: String {
        switch self {
        case .notEnrolled(let pod):
            "pod \(pod) is not enrolled on this node, so nothing is decided for it here; "
                + "`kmeshctl dump enrolled` lists those that are"
        case .tooMany(let limit):
            "\(limit) pods are traced already; end one of these traces, and try again "
                + "\(TraceRequest.seconds) s later"
        case .engine(let error): "\(error)"
        }
    }
}
