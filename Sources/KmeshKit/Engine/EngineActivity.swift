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

    public init(
        applied: UInt64 = 0, writes: UInt64 = 0, latestWrites: UInt64 = 0, latestDuration: UInt64 = 0,
        pendingWrites: UInt64 = 0, stall: String? = nil
    ) {
        self.applied = applied
        self.writes = writes
        self.latestWrites = latestWrites
        self.latestDuration = latestDuration
        self.pendingWrites = pendingWrites
        self.stall = stall
    }

    /// Adds what a part of the engine has done for the same configurations.
    public mutating func add(_ part: EngineActivity) {
        writes += part.writes
        latestWrites += part.latestWrites
        latestDuration += part.latestDuration
        pendingWrites += part.pendingWrites
        stall = stall ?? part.stall
    }

    var json: JSONValue {
        [
            "applied": JSONValue(applied), "writes": JSONValue(writes),
            "latestWrites": JSONValue(latestWrites),
            "latestNanoseconds": JSONValue(latestDuration), "pendingWrites": JSONValue(pendingWrites),
            "stall": JSONValue(stall),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            applied: try reader.integer("applied"), writes: try reader.integer("writes"),
            latestWrites: try reader.integer("latestWrites"),
            latestDuration: try reader.integer("latestNanoseconds"),
            pendingWrites: try reader.integer("pendingWrites"), stall: try reader.optionalString("stall"))
    }
}
