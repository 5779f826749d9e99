/// Policies as people read them in a dump: without what is not set.
extension AuthorizationPolicy {
    package var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string("\(key.namespace)/\(key.name)")), .init("action", .string(action.rawValue)),
        ]
        switch scope {
        case .mesh: members.append(.init("scope", "mesh"))
        case .namespace: members.append(.init("scope", "namespace"))
        case .workloads: members.append(.init("scope", "workloads"))
        case .targets(let targets):
            members.append(.init("targets", .array(targets.map { .string($0.text) })))
        }
        members.append(.init("rules", .array(rules.map(\.json))))
        if isDryRun { members.append(.init("dryRun", JSONValue(true))) }
        return .object(members)
    }
}

extension PolicyTarget {
    fileprivate var text: String {
        switch self {
        case .service(let key): "Service \(key)"
        case .gateway(let namespace, let name): "Gateway \(namespace)/\(name)"
        case .waypoints: "every waypoint"
        }
    }
}

extension PolicyRule {
    /// All of the outer lists, one of each inner one.
    fileprivate var json: JSONValue {
        .object([.init("all", .array(clauses.map { .object([.init("any", .array($0.map(\.json)))]) }))])
    }
}

extension PolicyMatch {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = []
        func add<Pattern>(_ name: String, _ patterns: Patterns<Pattern>, _ text: (Pattern) -> String) {
            if !patterns.isEmpty { members.append(.init(name, patterns.json(text))) }
        }
        add("namespaces", namespaces) { $0.text }
        add("principals", principals) { $0.text }
        add("serviceAccounts", serviceAccounts) { "\($0.namespace)/\($0.name)" }
        add("sourceBlocks", sourceBlocks) { "\($0)" }
        add("destinationBlocks", destinationBlocks) { "\($0)" }
        add("destinationPorts", destinationPorts) { "\($0)" }
        if let request {
            add("remoteBlocks", request.remoteBlocks) { "\($0)" }
            add("hosts", request.hosts) { $0.text }
            add("methods", request.methods) { $0.text }
            add("paths", request.paths) { $0.text }
            for header in request.headers { add("header \(header.name)", header.values) { $0.text } }
            add("absent", request.absent) { $0 }
        }
        return .object(members)
    }
}

extension Patterns {
    fileprivate func json(_ text: (Pattern) -> String) -> JSONValue {
        var members: [JSONValue.Member] = []
        if !any.isEmpty { members.append(.init("any", .array(any.map { .string(text($0)) }))) }
        if !none.isEmpty { members.append(.init("none", .array(none.map { .string(text($0)) }))) }
        return .object(members)
    }
}

extension StringMatch {
    /// In Istio's notation.
    fileprivate var text: String {
        switch self {
        case .exact(let text): text
        case .prefix(let text): "\(text)*"
        case .suffix(let text): "*\(text)"
        case .present: "*"
        }
    }
}
