/// How an engine has worked since its start: cheap to ask for at any time.
public struct EngineActivity: Hashable, Sendable {
    /// Configurations that were applied.
    public var applied: UInt64
    /// Entries written to maps or removed from them.
    public var writes: UInt64
    /// Of the latest configuration: its writes, and nanoseconds until the last of them.
    public var latestWrites: UInt64
    public var latestDuration: UInt64
    /// Entries that the kernel refused for the moment, and why.
    public var pendingWrites: UInt64
    public var stall: String?
    /// Entries and hooks that somebody else had changed and that are as wanted again, by map.
    public var driftByMap: [String: UInt64] = [:]
    /// All of them.
    public var drift: UInt64 { driftByMap.values.reduce(0, +) }

    public init(
        applied: UInt64 = 0, writes: UInt64 = 0, latestWrites: UInt64 = 0, latestDuration: UInt64 = 0,
        pendingWrites: UInt64 = 0, stall: String? = nil, driftByMap: [String: UInt64] = [:]
    ) {
        self.applied = applied
        self.writes = writes
        self.latestWrites = latestWrites
        self.latestDuration = latestDuration
        self.pendingWrites = pendingWrites
        self.stall = stall
        self.driftByMap = driftByMap
    }

    /// Adds what a part of the engine has done for the same configurations.
    public mutating func add(_ part: EngineActivity) {
        writes += part.writes
        latestWrites += part.latestWrites
        latestDuration += part.latestDuration
        pendingWrites += part.pendingWrites
        stall = stall ?? part.stall
        driftByMap.merge(part.driftByMap, uniquingKeysWith: +)
    }

    /// Adds what a look for drift has come to.
    public mutating func add(_ report: DriftReport) {
        writes += UInt64(report.writes)
        driftByMap.merge(report.repaired, uniquingKeysWith: +)
    }

    var json: JSONValue {
        [
            "applied": JSONValue(applied), "writes": JSONValue(writes),
            "latestWrites": JSONValue(latestWrites),
            "latestNanoseconds": JSONValue(latestDuration), "pendingWrites": JSONValue(pendingWrites),
            "stall": JSONValue(stall), "drift": JSONValue(drift),
            "driftByMap": .object(
                driftByMap.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, JSONValue($0.value)) }),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            applied: try reader.integer("applied"), writes: try reader.integer("writes"),
            latestWrites: try reader.integer("latestWrites"),
            latestDuration: try reader.integer("latestNanoseconds"),
            pendingWrites: try reader.integer("pendingWrites"), stall: try reader.optionalString("stall"),
            driftByMap: try reader.object("driftByMap").integers())
    }
}
