/// What people and tools ask the daemon on this node.
public enum AdminRequest: Hashable, Sendable {
    case enroll(EnrollmentRequest)
    case withdraw(WithdrawalRequest)
    case dump(Set<DumpSection>)
    case verify
    case version
    case status
    case authorization
    case setEnforcing(Bool)
    case explain(AuthorizationQuestion)
    case trace(TraceRequest)
    /// Ends the daemon, whose programs and maps stay, for another one that waits.
    case handOver
    case maps(MapQuery)
    /// As it was given.
    case configuration
    case waypoints
    case loggers
    case setLevel(logger: String, level: String)
}

/// A part of a dump.
public enum DumpSection: String, Hashable, Sendable, CaseIterable {
    case services, frontends, endpoints, enrolled, reasons, maps
}

extension AdminRequest {
    public var json: JSONValue {
        switch self {
        case .enroll(let request):
            [
                "request": "enroll", "pod": .string(request.pod.description), "uid": JSONValue(request.uid),
                "netns": .string(request.networkNamespacePath), "interface": .string(request.interface),
                "addresses": JSONValue(request.addresses.map(\.description)),
                "cgroup": JSONValue(request.cgroupPath),
            ]
        case .withdraw(.pod(let pod)): ["request": "withdraw", "pod": .string(pod.description)]
        case .withdraw(.id(let id)): ["request": "withdraw", "uid": .string(id.text)]
        case .dump(let sections):
            ["request": "dump", "sections": JSONValue(sections.map(\.rawValue).sorted())]
        case .verify: ["request": "verify"]
        case .version: ["request": "version"]
        case .status: ["request": "status"]
        case .authorization: ["request": "authorization"]
        case .setEnforcing(let isEnforcing): ["request": "set-enforcing", "enforcing": .bool(isEnforcing)]
        case .trace(let request):
            [
                "request": "trace", "pod": .string(request.pod.description),
                "after": JSONValue(request.after),
            ]
        case .handOver: ["request": "hand-over"]
        case .explain(let question):
            [
                "request": "explain", "source": .string(question.source.description),
                "destination": .string(question.destination.description), "port": JSONValue(question.port),
            ]
        case .maps(let query): .object([.init("request", "maps")] + query.members)
        case .configuration: ["request": "configuration"]
        case .waypoints: ["request": "waypoints"]
        case .loggers: ["request": "loggers"]
        case .setLevel(let logger, let level):
            ["request": "set-level", "logger": .string(logger), "level": .string(level)]
        }
    }

    /// Reads what `json` writes. A member that the request does not have is an error, not a thing to ignore.
    public init(json value: JSONValue) throws(JSONShapeError) {
        let reader = try JSONObjectReader(value, path: "request")
        let kind = try reader.string("request")
        switch kind {
        case "enroll":
            try reader.allow(["request", "pod", "uid", "netns", "interface", "addresses", "cgroup"])
            self = .enroll(
                EnrollmentRequest(
                    pod: try reader.podName("pod"), uid: try reader.optionalString("uid"),
                    networkNamespacePath: try reader.string("netns"),
                    interface: try reader.optionalString("interface") ?? EnrollmentRequest.defaultInterface,
                    addresses: reader.contains("addresses") ? try reader.addresses("addresses") : [],
                    cgroupPath: try reader.optionalString("cgroup")))
        case "withdraw":
            try reader.allow(["request", "pod", "uid"])
            if let uid = try reader.optionalString("uid") {
                self = .withdraw(.id(LocalWorkload.ID(uid)))
            } else {
                self = .withdraw(.pod(try reader.podName("pod")))
            }
        case "dump":
            try reader.allow(["request", "sections"])
            self = .dump(try reader.dumpSections("sections"))
        case "hand-over": self = try reader.plain(.handOver)
        case "verify": self = try reader.plain(.verify)
        case "version": self = try reader.plain(.version)
        case "status": self = try reader.plain(.status)
        case "authorization": self = try reader.plain(.authorization)
        case "configuration": self = try reader.plain(.configuration)
        case "waypoints": self = try reader.plain(.waypoints)
        case "loggers": self = try reader.plain(.loggers)
        case "maps": self = .maps(try MapQuery(json: reader))
        case "set-level":
            try reader.allow(["request", "logger", "level"])
            self = .setLevel(logger: try reader.string("logger"), level: try reader.string("level"))
        case "set-enforcing":
            try reader.allow(["request", "enforcing"])
            self = .setEnforcing(try reader.bool("enforcing"))
        case "explain":
            try reader.allow(["request", "source", "destination", "port"])
            self = .explain(
                AuthorizationQuestion(
                    source: try reader.peer("source"), destination: try reader.peer("destination"),
                    port: try reader.integer("port")))
        case "trace":
            try reader.allow(["request", "pod", "after"])
            self = .trace(
                TraceRequest(pod: try reader.podName("pod"), after: try reader.optionalInteger("after")))
        default:
            throw JSONShapeError(
                path: "request.request", problem: "\"\(kind)\" is not a request of this daemon")
        }
    }
}

extension JSONObjectReader {
    /// Refuses members with other names.
    func allow(_ names: Set<String>) throws(JSONShapeError) {
        guard case .object(let members) = value else { return }
        for member in members where !names.contains(member.name) {
            throw JSONShapeError(path: "\(path).\(member.name)", problem: "no such member")
        }
    }

    /// For a request without members of its own.
    fileprivate func plain(_ request: AdminRequest) throws(JSONShapeError) -> AdminRequest {
        try allow(["request"])
        return request
    }

    fileprivate func podName(_ name: String) throws(JSONShapeError) -> PodName {
        let text = try string(name)
        guard let pod = PodName(text) else {
            throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not namespace/name")
        }
        return pod
    }

    fileprivate func peer(_ name: String) throws(JSONShapeError) -> AuthorizationQuestion.Peer {
        let text = try string(name)
        guard let peer = AuthorizationQuestion.Peer(text) else {
            throw JSONShapeError(
                path: "\(path).\(name)", problem: "\"\(text)\" is neither an address nor namespace/name")
        }
        return peer
    }

    func dumpSections(_ name: String) throws(JSONShapeError) -> Set<DumpSection> {
        var sections: Set<DumpSection> = []
        for text in try strings(name) {
            guard let section = DumpSection(rawValue: text) else {
                throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" cannot be dumped")
            }
            sections.insert(section)
        }
        return sections
    }
}
