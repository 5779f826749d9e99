/// What the daemon answers. On the wire each is an object with one member, named after the case.
public enum AdminResponse: Hashable, Sendable {
    case enrolled(LocalWorkload)
    case withdrawn([LocalWorkload])
    /// Only the sections asked for; the others are empty.
    case dump(EngineSnapshot, Set<DumpSection>)
    case differences([Difference])
    case version(VersionReport)
    case status(DaemonStatus)
    case authorization(AuthorizationSnapshot)
    case explanation(AuthorizationExplanation)
    case trace(TraceReport)
    /// The daemon of this process id ends.
    case handingOver(pid: Int32)
    case maps([MapDump])
    case configuration([ResourceDump])
    case waypoints([WaypointReport])
    case loggers([LoggerLevel])
    case error(AdminFailure)
}

/// A request that was understood or not, and in any case not done.
public struct AdminFailure: Hashable, Sendable {
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The peer is neither root nor in the socket's group.
        case notPermitted = "not-permitted"
        case badRequest = "bad-request"
        case busy
        /// Understood, tried, and failed.
        case failed
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

public struct VersionReport: Hashable, Sendable {
    public var version: String
    public var mode: String

    public init(version: String = KmeshVersion.current, mode: String) {
        self.version = version
        self.mode = mode
    }
}

extension AdminResponse {
    public static func error(_ code: AdminFailure.Code, _ message: String) -> AdminResponse {
        .error(AdminFailure(code, message))
    }

    /// The answer as JSON text. Long lists are written element by element.
    public func serialized(indentation: Int? = nil) -> [UInt8] {
        var writer = JSONWriter(indentation: indentation)
        writer.beginObject()
        switch self {
        case .enrolled(let workload): writer.member("enrolled", workload.json)
        case .withdrawn(let workloads): writer.member("withdrawn", .array(workloads.map(\.json)))
        case .dump(let snapshot, let sections):
            writer.name("dump")
            snapshot.write(sections, into: &writer)
        case .differences(let differences): writer.member("differences", .array(differences.map(\.json)))
        case .version(let report):
            writer.member("version", ["version": .string(report.version), "mode": .string(report.mode)])
        case .status(let status): writer.member("status", status.json)
        case .authorization(let snapshot): writer.member("authorization", snapshot.json)
        case .handingOver(let pid): writer.member("handingOver", ["pid": JSONValue(pid)])
        case .explanation(let explanation): writer.member("explanation", explanation.json)
        case .trace(let report): writer.member("trace", report.json)
        case .maps(let maps):
            writer.name("maps")
            writer.beginArray()
            for map in maps { map.write(into: &writer) }
            writer.endArray()
        case .configuration(let resources):
            writer.member("configuration", .array(resources.map(\.json)))
        case .waypoints(let reports): writer.member("waypoints", .array(reports.map(\.json)))
        case .loggers(let levels): writer.member("loggers", .array(levels.map(\.json)))
        case .error(let failure):
            writer.member(
                "error", ["code": .string(failure.code.rawValue), "message": .string(failure.message)])
        }
        writer.endObject()
        return writer.bytes
    }

    public init(json value: JSONValue) throws(JSONShapeError) {
        guard case .object(let members) = value, members.count == 1, let member = members.first else {
            throw JSONShapeError(path: "response", problem: "wanted an object with one member")
        }
        let reader = try JSONObjectReader(value, path: "response")
        switch member.name {
        case "enrolled": self = .enrolled(try LocalWorkload(json: reader.object("enrolled")))
        case "withdrawn": self = .withdrawn(try reader.objects("withdrawn", LocalWorkload.init(json:)))
        case "dump":
            let dump = try reader.object("dump")
            self = .dump(try EngineSnapshot(json: dump), try dump.dumpSections("sections"))
        case "differences": self = .differences(try reader.objects("differences", Difference.init(json:)))
        case "version":
            let report = try reader.object("version")
            self = .version(
                VersionReport(version: try report.string("version"), mode: try report.string("mode")))
        case "status": self = .status(try DaemonStatus(json: reader.object("status")))
        case "authorization":
            self = .authorization(try AuthorizationSnapshot(json: reader.object("authorization")))
        case "handingOver": self = .handingOver(pid: try reader.object("handingOver").integer("pid"))
        case "explanation":
            self = .explanation(try AuthorizationExplanation(json: reader.object("explanation")))
        case "trace": self = .trace(try TraceReport(json: reader.object("trace")))
        case "maps": self = .maps(try reader.objects("maps", MapDump.init(json:)))
        case "configuration":
            self = .configuration(try reader.objects("configuration", ResourceDump.init(json:)))
        case "waypoints": self = .waypoints(try reader.objects("waypoints", WaypointReport.init(json:)))
        case "loggers": self = .loggers(try reader.objects("loggers", LoggerLevel.init(json:)))
        case "error":
            let failure = try reader.object("error")
            let code = AdminFailure.Code(rawValue: try failure.string("code")) ?? .failed
            self = .error(AdminFailure(code, try failure.string("message")))
        default:
            throw JSONShapeError(path: "response", problem: "\"\(member.name)\" is not a response")
        }
    }
}

extension Difference {
    public var json: JSONValue {
        ["map": .string(map), "key": .string(key), "wanted": JSONValue(wanted), "found": JSONValue(found)]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            map: try reader.string("map"), key: try reader.string("key"),
            wanted: try reader.optionalString("wanted"), found: try reader.optionalString("found"))
    }
}
