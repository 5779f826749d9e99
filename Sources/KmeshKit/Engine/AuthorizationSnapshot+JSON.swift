/// The form of authorization's state in the admin protocol and in `kmeshctl authz -o json`.
extension AuthorizationSnapshot {
    var json: JSONValue {
        [
            "enforcing": .bool(isEnforcing), "hook": .string(hook.rawValue),
            "policies": .array(policies.map(\.json)), "workloads": .array(workloads.map(\.json)),
            "endedConnections": JSONValue(endedConnections),
            "reasons": .array(reasons.map(\.json)), "maps": .array(maps.map(\.json)),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            isEnforcing: try reader.bool("enforcing"),
            hook: try reader.choice("hook", AuthorizationHook.self),
            policies: try reader.objects("policies", PolicySnapshot.init(json:)),
            workloads: try reader.objects("workloads", ProtectedWorkload.init(json:)),
            endedConnections: try reader.integer("endedConnections"),
            reasons: try reader.objects("reasons", ReasonCount.init(json:)),
            maps: try reader.objects("maps", MapSnapshot.init(json:)))
    }
}

extension PolicySnapshot {
    fileprivate var json: JSONValue {
        [
            "policy": .string(policy.description), "action": .string(action.rawValue),
            "dryRun": .bool(isDryRun), "workloads": JSONValue(workloadCount), "denied": JSONValue(denied),
        ]
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            policy: try reader.policy("policy"), action: try reader.choice("action", PolicyAction.self),
            isDryRun: try reader.bool("dryRun"), workloadCount: try reader.integer("workloads"),
            denied: try reader.integer("denied"))
    }
}

extension ProtectedWorkload {
    fileprivate var json: JSONValue {
        [
            "pod": .string(pod.description), "addresses": JSONValue(addresses.map(\.description)),
            "policies": JSONValue(policies.map(\.description)), "attachment": .string(attachment),
            "probePorts": .array(probePorts.map { JSONValue($0) }),
        ]
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        let pod = try reader.string("pod")
        guard let pod = PodName(pod) else {
            throw JSONShapeError(path: "\(reader.path).pod", problem: "\"\(pod)\" is not namespace/name")
        }
        let ports = (reader.value["probePorts"]?.array ?? []).compactMap { $0.integer(UInt16.self) }
        self.init(
            pod: pod, addresses: try reader.addresses("addresses"), policies: try reader.policies("policies"),
            attachment: try reader.string("attachment"), probePorts: ports)
    }
}

extension AuthorizationExplanation {
    var json: JSONValue {
        [
            "source": .string(query.source.description),
            "destination": .string(query.destination.description),
            "port": JSONValue(query.port), "sourceWorkload": JSONValue(sourceWorkload),
            "principal": JSONValue(principal), "destinationWorkload": JSONValue(destinationWorkload),
            "policies": JSONValue(policies.map(\.description)), "allowed": .bool(isAllowed),
            "reason": .string(reason), "trialDenials": JSONValue(trialDenials.map(\.description)),
            "kernelVerdict": JSONValue(kernelVerdict),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            query: AuthorizationQuery(
                source: try reader.address("source"), destination: try reader.address("destination"),
                port: try reader.integer("port")),
            sourceWorkload: try reader.optionalString("sourceWorkload"),
            principal: try reader.optionalString("principal"),
            destinationWorkload: try reader.optionalString("destinationWorkload"),
            policies: try reader.policies("policies"), isAllowed: try reader.bool("allowed"),
            reason: try reader.string("reason"), trialDenials: try reader.policies("trialDenials"),
            kernelVerdict: try reader.optionalString("kernelVerdict"))
    }
}

extension JSONObjectReader {
    fileprivate func policy(_ name: String) throws(JSONShapeError) -> PolicyKey {
        try policy(try string(name), name)
    }

    fileprivate func policies(_ name: String) throws(JSONShapeError) -> [PolicyKey] {
        var policies: [PolicyKey] = []
        for text in try strings(name) { policies.append(try policy(text, name)) }
        return policies
    }

    private func policy(_ text: String, _ name: String) throws(JSONShapeError) -> PolicyKey {
        guard let key = PolicyKey(text) else {
            throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not a policy")
        }
        return key
    }

    fileprivate func choice<Choice: RawRepresentable<String>>(
        _ name: String, _: Choice.Type
    ) throws(JSONShapeError) -> Choice {
        let text = try string(name)
        guard let choice = Choice(rawValue: text) else {
            throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not known")
        }
        return choice
    }
}
