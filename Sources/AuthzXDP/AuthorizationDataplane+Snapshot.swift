public import KmeshKit

/// What is in force, and what it says of a connection, as values for people and tools.

extension AuthorizationDataplane {
    /// The policies of the configuration with what they have counted, sorted; without those of targets.
    public func policySnapshots() throws(MapError) -> [PolicySnapshot] {
        let counts = try maps.policies.contents().entries
        var workloadCounts: [PolicyKey: UInt64] = [:]
        var layerCounts: [LayerKey: UInt64] = [:]
        for layer in assignments.values.flatMap(\.layers) { layerCounts[layer, default: 0] += 1 }
        for (layer, count) in layerCounts {
            for form in policies.forms(of: layer) { workloadCounts[form.key, default: 0] += count }
        }
        return policies.forms.sorted { $0.key < $1.key }.compactMap { key, form in
            let count = numbers.id(of: key).flatMap { counts[AuthzIDKey($0)] }
            let policy = form.policy
            return PolicySnapshot(
                policy: key, action: policy.action, isDryRun: policy.isDryRun,
                workloadCount: workloadCounts[key] ?? 0,
                denied: (policy.isDryRun ? count?.trialDenied : count?.denied) ?? 0)
        }
    }

    /// Policies that protect an enrolled workload, sorted; empty before the first configuration, and where
    /// `reasonForDefault` says why none does.
    public func policies(protecting id: LocalWorkload.ID) -> [PolicyKey] {
        guard reasonForDefault(of: id) == nil else { return [] }
        return (assignments[id]?.layers ?? []).flatMap { policies.forms(of: $0).map(\.key) }.sorted()
    }

    /// Ports of an enrolled workload that kubelet probes.
    public func probePorts(of id: LocalWorkload.ID) -> [UInt16] {
        destinations[id].flatMap { record(of: $0)?.probePorts } ?? []
    }

    /// What the maps say of a connection; `nil` where they do not lead anywhere that is known: the address is
    /// no enrolled workload's, or its policies are still those that an earlier run left.
    public func decide(_ query: AuthorizationQuery) -> PolicyDecision? {
        guard let view = held.destinations[query.destination].flatMap({ views[$0] }) else { return nil }
        let source = held.sources[query.source]
        var matching = (deny: [PolicyKey](), allow: [PolicyKey](), trialDeny: Set<PolicyKey>())
        var isAllowedOnTrial = false
        for id in view.blockIDs {
            guard let block = blocks[id]?.compiled else { return nil }
            let terms = block.matching(
                source, from: query.source, to: query.destination, port: query.port)
            let policies = { (effect: TermVector) in
                (terms & effect).bits.compactMap { numbers.name(of: block.policyIDs[$0]) }
            }
            matching.deny += policies(block.value.deny)
            matching.allow += policies(block.value.allow)
            matching.trialDeny.formUnion(policies(block.value.trialDeny))
            if !(terms & block.value.trialAllow).isEmpty { isAllowedOnTrial = true }
        }
        var decision = PolicyDecision(reason: view.restricts ? .notAllowed : .notRestricted)
        if let policy = matching.deny.first {
            decision.reason = .denied(by: policy)
        } else if let policy = matching.allow.first {
            decision.reason = .allowed(by: policy)
        }
        decision.trialDenials = matching.trialDeny.sorted()
        if view.restrictsOnTrial, !isAllowedOnTrial, let owner = destinations.owner(of: query.destination) {
            decision.trialDenials += policies(protecting: owner).filter {
                let policy = policies[$0]?.policy
                return policy?.isDryRun == true && policy?.action == .allow
            }
        }
        return decision
    }

    /// What would happen to a connection, and why; without the kernel's own verdict.
    public func explain(_ query: AuthorizationQuery) -> AuthorizationExplanation {
        let owner = destinations.owner(of: query.destination)
        let decision = decide(query)
        let principal = held.sources[query.source].flatMap { identities.name(of: $0.identityID)?.principal }
        return AuthorizationExplanation(
            query: query, sourceWorkload: principal == nil ? nil : workloadUID(at: query.source),
            principal: principal, destinationWorkload: owner.flatMap { destinations[$0]?.pod.description },
            policies: owner.map { policies(protecting: $0) } ?? [],
            isAllowed: decision?.isAllowed ?? (owner == nil),
            reason: decision?.reason.text ?? owner.map { reasonForDefault(of: $0) ?? Self.notDecided }
                ?? Self.notEnrolled,
            trialDenials: decision?.trialDenials ?? [])
    }

    private static var notEnrolled: String {
        "the destination is no address of an enrolled workload, so that no policy is enforced here"
    }

    private static var notDecided: String {
        "the policies of the destination are not in force yet: until then an earlier run's are, or the "
            + "default verdict"
    }
}

extension PolicyDecision.Reason {
    fileprivate var text: String {
        switch self {
        case .notRestricted: "no policy restricts who connects to the destination"
        case .allowed(let policy): "\(policy) allows it"
        case .denied(let policy): "\(policy) denies it"
        case .notAllowed: "there are policies that allow, and none of them allows this"
        }
    }
}
