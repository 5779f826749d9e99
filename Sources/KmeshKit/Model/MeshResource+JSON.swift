/// Resources as people read them in a dump: without what is not set.
extension MeshResource {
    /// What its documents call it.
    package var kind: String {
        switch self {
        case .service: "Service"
        case .workload: "Workload"
        case .node: "Node"
        case .routes: "Routes"
        case .listener: "Listener"
        case .cluster: "Cluster"
        case .policy(let policy): policy.key.kind.rawValue
        }
    }

    package var json: JSONValue {
        switch self {
        case .service(let service): service.json
        case .workload(let workload): workload.json
        case .node(let node): node.json
        case .routes(let routes): routes.json
        case .listener(let listener): listener.json
        case .cluster(let cluster): cluster.json
        case .policy(let policy): policy.json
        }
    }

    /// The name in dumps; the kind stands beside it.
    package var shortName: String {
        switch self {
        case .service(let service): service.key.description
        case .workload(let workload): workload.uid
        case .node(let node): node.name
        case .routes(let routes): routes.key.description
        case .listener(let listener): listener.name
        case .cluster(let cluster): cluster.name
        case .policy(let policy): "\(policy.key.namespace)/\(policy.key.name)"
        }
    }

    /// The most important in a few words.
    package var summary: String {
        switch self {
        case .service(let service):
            texts(service.addresses) + " "
                + service.ports.map { "\($0.port)/\($0.transport.name)" }.joined(separator: ",")
                + " \(service.policy.rawValue)"
                + (service.waypoint.map { " through \($0)" } ?? "")
        case .workload(let workload):
            texts(workload.addresses) + " serves \(workload.memberships.count)"
                + (workload.waypoint.map { " through \($0)" } ?? "")
        case .node(let node): texts(node.addresses)
        case .routes(let routes): "\(routes.virtualHosts.count) hosts"
        case .listener(let listener):
            "\(SocketAddress(listener.address, listener.port)) \(listener.filterChains.count) filter chains"
        case .cluster(let cluster): "\(cluster.policy.rawValue) \(cluster.endpoints.count) endpoints"
        case .policy(let policy):
            "\(policy.action.rawValue) \(policy.rules.count) rules" + (policy.isDryRun ? " (dry run)" : "")
        }
    }

    private func texts(_ addresses: [IPAddress]) -> String {
        addresses.isEmpty ? "no address" : addresses.map(\.description).joined(separator: ",")
    }
}

extension Service {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(key.description)),
            .init("addresses", JSONValue(addresses.map(\.description))),
            .init(
                "ports",
                .array(
                    ports.map {
                        [
                            "port": JSONValue($0.port), "protocol": .string($0.transport.name),
                            "name": .string($0.name), "application": .string($0.applicationProtocol.rawValue),
                        ]
                    })),
            .init("policy", .string(policy.rawValue)),
        ]
        if !sharedAddresses.isEmpty {
            members.append(.init("sharedAddresses", JSONValue(sharedAddresses.sorted().map(\.description))))
        }
        if let locality {
            members.append(
                .init(
                    "locality",
                    [
                        "mode": .string(locality.mode.rawValue),
                        "scopes": JSONValue(locality.scopes.map(\.rawValue)),
                    ]))
        }
        if let affinityTimeout { members.append(.init("affinitySeconds", JSONValue(affinityTimeout))) }
        if let waypoint { members.append(.init("waypoint", .string(waypoint.description))) }
        if prefersKernelRouting { members.append(.init("prefersKernelRouting", true)) }
        if let maxConnections { members.append(.init("maxConnections", JSONValue(maxConnections))) }
        if let httpReadTimeout { members.append(.init("httpReadTimeoutMs", JSONValue(httpReadTimeout))) }
        if let httpIdleTimeout { members.append(.init("httpIdleTimeoutMs", JSONValue(httpIdleTimeout))) }
        return .object(members)
    }
}

extension Workload {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("uid", .string(uid)), .init("namespace", .string(namespace)), .init("name", .string(name)),
            .init("addresses", JSONValue(addresses.map(\.description))),
            .init("serves", .array(memberships.map(\.json))),
        ]
        let place = [("region", locality.region), ("zone", locality.zone), ("node", locality.node)]
        for (name, value) in place where !value.isEmpty { members.append(.init(name, .string(value))) }
        if weight != 1 { members.append(.init("weight", JSONValue(weight))) }
        if !serviceAccount.isEmpty { members.append(.init("serviceAccount", .string(serviceAccount))) }
        if let waypoint { members.append(.init("waypoint", .string(waypoint.description))) }
        if isWaypoint { members.append(.init("isWaypoint", true)) }
        if sharesAddresses { members.append(.init("sharesAddresses", true)) }
        if !policies.isEmpty { members.append(.init("policies", JSONValue(policies.map(\.description)))) }
        if !probePorts.isEmpty {
            members.append(.init("probePorts", .array(probePorts.map { JSONValue($0) })))
        }
        return .object(members)
    }
}

extension Membership {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("service", .string(service.description)),
            .init(
                "ports",
                .array(
                    ports.map { .string("\($0.servicePort)/\($0.transport.name) at \($0.targetPort)") })),
        ]
        if health == .terminating { members.append(.init("terminating", true)) }
        if priority != 0 { members.append(.init("priority", JSONValue(priority))) }
        if !addresses.isEmpty { members.append(.init("addresses", JSONValue(addresses.map(\.description)))) }
        return .object(members)
    }
}

extension Node {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "region": .string(region), "zone": .string(zone),
            "addresses": JSONValue(addresses.map(\.description)),
        ]
    }
}
