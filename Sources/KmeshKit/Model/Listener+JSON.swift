/// Listeners and clusters as people read them in a dump: without what is not set.
extension Listener {
    package var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("address", .string(address.description)),
            .init("port", JSONValue(port)),
            .init("filterChains", .array(filterChains.map(\.json))),
        ]
        if let readTimeout { members.append(.init("readTimeoutMs", JSONValue(readTimeout))) }
        if let idleTimeout { members.append(.init("idleTimeoutMs", JSONValue(idleTimeout))) }
        return .object(members)
    }
}

extension FilterChain {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = []
        if !name.isEmpty { members.append(.init("name", .string(name))) }
        members.append(.init("match", match.json))
        switch action {
        case .http(let routes): members.append(.init("routeConfiguration", .string(routes)))
        case .tcp(let backends): members.append(.init("tcp", .array(backends.map(\.json))))
        }
        return .object(members)
    }
}

extension FilterChainMatch {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = []
        if let destinationPort { members.append(.init("destinationPort", JSONValue(destinationPort))) }
        if transportProtocol != .any {
            members.append(.init("transportProtocol", .string(transportProtocol.rawValue)))
        }
        if !applicationProtocols.isEmpty {
            members.append(.init("applicationProtocols", JSONValue(applicationProtocols)))
        }
        if !sourcePrefixes.isEmpty {
            members.append(.init("sourcePrefixes", JSONValue(sourcePrefixes.map(\.description))))
        }
        return .object(members)
    }
}

extension Cluster {
    package var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("policy", .string(policy.rawValue)),
            .init("endpoints", .array(endpoints.map(\.json))),
        ]
        if let maxConnections { members.append(.init("maxConnections", JSONValue(maxConnections))) }
        if let connectTimeout { members.append(.init("connectTimeoutMs", JSONValue(connectTimeout))) }
        return .object(members)
    }
}

extension ClusterEndpoint {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("address", .string(address.description)), .init("port", JSONValue(port)),
        ]
        if weight != 1 { members.append(.init("weight", JSONValue(weight))) }
        if priority != 0 { members.append(.init("priority", JSONValue(priority))) }
        if health == .terminating { members.append(.init("terminating", true)) }
        let place = [("region", locality.region), ("zone", locality.zone), ("node", locality.node)]
        for (name, value) in place where !value.isEmpty { members.append(.init(name, .string(value))) }
        return .object(members)
    }
}
