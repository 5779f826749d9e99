// Policies: into the indices, and what is emitted for them. What peer authentications come to has a file of
// its own.

extension MeshTranslator {
    // MARK: Objects

    mutating func stagePolicy(_ object: PolicyRecord.Object, _ origin: Kubernetes.Origin) {
        let slot =
            slots[object.key] ?? policies.insert(PolicyRecord(key: object.key, object: nil, origin: origin))
        setPolicy(slot, object, origin)
    }

    mutating func setPolicy(_ slot: Slot, _ new: PolicyRecord.Object?, _ origin: Kubernetes.Origin) {
        let record = policies[slot]
        if record.object != nil, record.object == new, record.origin == origin { return }
        step.log.append(.policy(slot, record.object, record.origin))
        policies[slot].origin = origin
        if new == nil { step.removedPolicies.append(slot) }
        guard record.object != new else { return }
        step.policies.insert(slot)
        step.upsertedPolicies.insert(slot)
        slots[record.key] = new == nil ? nil : slot
        for key in record.object?.targets ?? [] { policiesByTarget.removeOne(slot, from: key) }
        for key in new?.targets ?? [] { policiesByTarget.append(slot, to: key) }
        if record.key.kind == .peerAuthentication {
            setPeer(slot, new)
        } else {
            policies[slot].object = new
        }
        select(slot, from: record.object, to: new)
    }

    /// Finds the workloads that a policy's selector picks, and marks those whose policies may change by it.
    private mutating func select(
        _ slot: Slot, from old: PolicyRecord.Object?, to new: PolicyRecord.Object?
    ) {
        let before = selection(old), after = selection(new)
        // Workloads know an authorization policy by its name alone.
        if before == after, old?.peer == new?.peer { return }
        markGroups(policies[slot].groups)
        guard before != after else { return }
        labels.remove(policy: slot, groups: policies[slot].groups)
        policies[slot].groups = []
        guard let after else { return }
        policies[slot].groups = labels.insert(
            policy: slot, namespace: after.namespace, selector: after.labels)
        markGroups(policies[slot].groups)
    }

    /// What of the workloads a policy picks by their labels; `nil` when it does not go by labels.
    private func selection(_ object: PolicyRecord.Object?) -> LabelIndex.GroupKey? {
        guard let object, let selector = object.selector else { return nil }
        let namespace = object.key.namespace
        guard namespace == rootNamespace else {
            return LabelIndex.GroupKey(namespace: namespace, labels: selector)
        }
        // Peer authentications of the root namespace go by no labels.
        if object.peer != nil { return nil }
        return LabelIndex.GroupKey(namespace: LabelIndex.everyNamespace, labels: selector)
    }

    mutating func markGroups(_ groups: [Slot]) {
        for group in groups {
            labels[group].policyKeys = nil
            step.workloads.formUnion(labels[group].members)
        }
    }

    /// Marks the policies that are for an object.
    mutating func markPolicies(for key: Kubernetes.ObjectKey) {
        step.policies.formUnion(policiesByTarget[key] ?? [])
    }

    // MARK: Emission

    /// The policies of scope `workloads` that protect the members of a group, sorted.
    mutating func policyKeys(of group: Slot) -> [PolicyKey] {
        if policies.count == 0 { return [] }
        if let known = labels[group].policyKeys { return known }
        var keys: [PolicyKey] = []
        var peers: [Kubernetes.PeerAuthentication] = []
        for slot in labels[group].policies {
            switch policies[slot].object {
            case .authorization(let policy):
                keys.append(PolicyKey(namespace: policy.namespace, name: policy.name))
            case .peer(let peer): peers.append(peer)
            case nil: break
            }
        }
        if let key = peerPolicy(of: peers, in: labels[group].key.namespace) { keys.append(key) }
        keys.sort()
        labels[group].policyKeys = keys
        return keys
    }

    /// Services must have been emitted.
    mutating func emitPolicies(into translation: inout Translation) {
        for slot in step.policies.sorted() {
            let record = policies[slot]
            let (model, problems) = record.object.map { resolve($0) } ?? (nil, [])
            if let before = record.emitted, model == nil {
                translation.changes.append(.remove(.policy(before.key)))
            }
            if let model, model != record.emitted { translation.changes.append(.upsert(.policy(model))) }
            policies[slot].emitted = model
            policies[slot].problems = problems
            guard step.upsertedPolicies.contains(slot) || problems != record.problems else { continue }
            translation.warnings += problems.map {
                ObjectWarning(object: record.key, origin: record.origin, message: $0)
            }
        }
        if !step.policies.isEmpty { emitStrictPolicy(into: &translation) }
    }

    private func resolve(_ object: PolicyRecord.Object) -> (AuthorizationPolicy?, [String]) {
        switch object {
        case .peer(let peer): return (portPolicy(of: peer), peer.notices + problems(of: peer))
        case .authorization(let policy):
            var model = AuthorizationPolicy(
                key: PolicyKey(namespace: policy.namespace, name: policy.name), action: policy.action,
                scope: .workloads, isDryRun: policy.isDryRun, rules: policy.rules)
            var problems = policy.notices
            if !policy.targets.isEmpty {
                var targets: [PolicyTarget] = []
                for target in policy.targets {
                    let (found, problem) = resolve(target, in: policy.namespace)
                    if let found { targets.append(found) }
                    if let problem { problems.append("is not enforced for \(target): \(problem)") }
                }
                model.scope = .targets(targets)
                return (model, problems)
            }
            if policy.selector == nil {
                model.scope = policy.namespace == rootNamespace ? .mesh : .namespace
            }
            if let problem = model.problemAtL4 { problems.append(problem) }
            return (model, problems)
        }
    }

    // MARK: Targets

    /// What a target means, and why the policy is not enforced for it.
    private func resolve(
        _ target: Kubernetes.AuthorizationPolicy.Target, in namespace: String
    ) -> (PolicyTarget?, problem: String?) {
        switch target {
        case .gatewayClass(let name):
            guard namespace == rootNamespace else {
                return (nil, "a policy for a class must be in the root namespace, \(rootNamespace)")
            }
            guard Kubernetes.Gateway.waypointClasses.contains(name) else {
                let classes = Kubernetes.Gateway.waypointClasses.sorted().joined(separator: " or ")
                return (nil, "it is no class of waypoints: name \(classes)")
            }
            return (.waypoints, nil)
        case .object(let key) where key.kind == .gateway:
            guard gateways[key] != nil else { return (nil, "there is no such Gateway") }
            return (.gateway(namespace: key.namespace, name: key.name), nil)
        case .object(let key):
            guard let slot = slots[key] else { return (nil, "there is no such \(key.kind.name)") }
            guard let service = services[slot].emitted else {
                return (nil, "it is not steered, so that no waypoint sees its traffic")
            }
            let problem = service.waypoint == nil ? "it has no waypoint: label it istio.io/use-waypoint" : nil
            return (.service(service.key), problem)
        }
    }
}

extension AuthorizationPolicy {
    /// What is different about a policy for workloads because connections alone are decided on; `nil` for one
    /// that asks for no requests.
    fileprivate var problemAtL4: String? {
        let asked = Set(rules.flatMap(\.requestAttributes)).sorted()
        if asked.isEmpty { return nil }
        let what = asked.joined(separator: ", ")
        let remedy = "name a Service in targetRefs, whose waypoint sees requests"
        if action == .allow {
            return "asks for what no connection shows (\(what)): the rules that do never match, and more is "
                + "denied than it says; \(remedy)"
        }
        let hasEffect = atL4.rules.contains { rule in
            rule.clauses.allSatisfy { clause in
                clause.isEmpty || clause.contains { !$0.isEmptyAtL4 }
            }
        }
        return hasEffect
            ? "asks for what no connection shows (\(what)): it is enforced without that, and denies more "
                + "than it says; \(remedy)"
            : "asks in all its rules for what no connection shows (\(what)): it has no effect; \(remedy)"
    }
}

extension PolicyRule {
    /// The attributes of requests that the rule asks for, by their names in manifests.
    fileprivate var requestAttributes: [String] {
        clauses.flatMap { $0.compactMap(\.request) }.flatMap { request -> [String] in
            var names = request.headers.map { "request.headers[\($0.name)]" }
            names += request.absent.any + request.absent.none
            let fields = [
                ("hosts", request.hosts.isEmpty), ("methods", request.methods.isEmpty),
                ("paths", request.paths.isEmpty), ("remote.ip", request.remoteBlocks.isEmpty),
            ]
            return names + fields.compactMap { $0.1 ? nil : $0.0 }
        }
    }
}
