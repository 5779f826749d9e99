/// How a daemon is: what it runs, what it was told, and what went wrong.
public struct DaemonStatus: Hashable, Sendable {
    public var version: String
    public var mode: String
    public var node: String
    public var pid: Int32
    /// Where the configuration comes from.
    public var source: String
    /// Seconds since the start.
    public var uptime: UInt64
    /// Whether it began with what an earlier run left in force.
    public var adopted: Bool
    /// Whether a configuration that it has read itself is in force. Until then what it adopted is.
    public var isConfigured: Bool
    /// What is missing though it is ready.
    public var readinessNote: String?
    /// Where the status server listens.
    public var statusAddress: String?
    /// Where metrics are.
    public var metricsAddress: String?
    public var enrolled: UInt64
    /// Configurations that were applied, the first one included.
    public var updates: UInt64
    /// Resources that an engine refused, over all updates.
    public var rejected: UInt64
    /// The latest of them, at most `DaemonStatus.recentLimit`.
    public var recentRejections: [String]
    /// Configurations that could not be read; the one before stayed in force.
    public var badConfigurations: UInt64
    public var lastConfigurationError: String?
    public var engine: EngineActivity
    public var admin: AdminCounters

    /// How many rejected resources are kept for people to read.
    public static let recentLimit = 20

    public init(
        version: String = KmeshVersion.current, mode: String, node: String, pid: Int32, source: String,
        uptime: UInt64 = 0, adopted: Bool = false, isConfigured: Bool = false,
        readinessNote: String? = nil, statusAddress: String? = nil,
        metricsAddress: String? = nil,
        enrolled: UInt64 = 0, updates: UInt64 = 0, rejected: UInt64 = 0,
        recentRejections: [String] = [], badConfigurations: UInt64 = 0, lastConfigurationError: String? = nil,
        engine: EngineActivity = EngineActivity(), admin: AdminCounters = AdminCounters()
    ) {
        self.version = version
        self.mode = mode
        self.node = node
        self.pid = pid
        self.source = source
        self.uptime = uptime
        self.adopted = adopted
        self.isConfigured = isConfigured
        self.readinessNote = readinessNote
        self.statusAddress = statusAddress
        self.metricsAddress = metricsAddress
        self.enrolled = enrolled
        self.updates = updates
        self.rejected = rejected
        self.recentRejections = recentRejections
        self.badConfigurations = badConfigurations
        self.lastConfigurationError = lastConfigurationError
        self.engine = engine
        self.admin = admin
    }

    public var json: JSONValue {
        [
            "version": .string(version), "mode": .string(mode), "node": .string(node), "pid": JSONValue(pid),
            "source": .string(source), "uptimeSeconds": JSONValue(uptime),
            "adopted": .bool(adopted), "isConfigured": .bool(isConfigured),
            "readinessNote": JSONValue(readinessNote), "statusAddress": JSONValue(statusAddress),
            "metricsAddress": JSONValue(metricsAddress),
            "enrolled": JSONValue(enrolled),
            "updates": JSONValue(updates), "rejected": JSONValue(rejected),
            "recentRejections": JSONValue(recentRejections),
            "badConfigurations": JSONValue(badConfigurations),
            "lastConfigurationError": JSONValue(lastConfigurationError), "engine": engine.json,
            "admin": admin.json,
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            version: try reader.string("version"), mode: try reader.string("mode"),
            node: try reader.string("node"),
            pid: try reader.integer("pid"), source: try reader.string("source"),
            uptime: try reader.integer("uptimeSeconds"), adopted: try reader.bool("adopted"),
            isConfigured: try reader.bool("isConfigured"),
            readinessNote: try reader.optionalString("readinessNote"),
            statusAddress: try reader.optionalString("statusAddress"),
            metricsAddress: try reader.optionalString("metricsAddress"),
            enrolled: try reader.integer("enrolled"),
            updates: try reader.integer("updates"), rejected: try reader.integer("rejected"),
            recentRejections: try reader.strings("recentRejections"),
            badConfigurations: try reader.integer("badConfigurations"),
            lastConfigurationError: try reader.optionalString("lastConfigurationError"),
            engine: try EngineActivity(json: reader.object("engine")),
            admin: try AdminCounters(json: reader.object("admin")))
    }
}

/// What happened to the connections of an admin socket.
public struct AdminCounters: Hashable, Sendable {
    public var accepted: UInt64 = 0
    /// Answered with a reason: neither root nor in the socket's group.
    public var notPermitted: UInt64 = 0
    /// Not a request: garbage, too large, or cut short.
    public var malformed: UInt64 = 0
    /// Ended because the client was too slow, or the answer was.
    public var timedOut: UInt64 = 0
    /// Ended or answered with "busy" because there were too many.
    public var crowdedOut: UInt64 = 0

    public init() {}

    public var json: JSONValue {
        [
            "accepted": JSONValue(accepted), "notPermitted": JSONValue(notPermitted),
            "malformed": JSONValue(malformed), "timedOut": JSONValue(timedOut),
            "crowdedOut": JSONValue(crowdedOut),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        accepted = try reader.integer("accepted")
        notPermitted = try reader.integer("notPermitted")
        malformed = try reader.integer("malformed")
        timedOut = try reader.integer("timedOut")
        crowdedOut = try reader.integer("crowdedOut")
    }
}
