public import KmeshKit

/// Whose an address is, and where the programs' default decides although a workload is enrolled: its policies
/// cannot be told, or one of them cannot be in force and nothing that ran before it is.

extension AuthorizationDataplane {
    /// Who sends from an address. One of an enrolled pod is that pod's, whatever else names it.
    func identity(of address: IPAddress) -> WorkloadIdentity? {
        guard let owner = destinations.owner(of: address), let workload = destinations[owner] else {
            return sources.identity(of: address)
        }
        guard !sources.nodeAddresses.contains(address), let record = sources[workload.pod.workloadUID],
            !record.sharesAddresses
        else { return nil }
        return record.identity
    }

    /// The workload that has the address, by uid.
    func workloadUID(at address: IPAddress) -> String? {
        destinations.owner(of: address).flatMap { destinations[$0]?.pod.workloadUID }
            ?? sources.owner(of: address)
    }

    /// The view that an address shall lead to; `nil`: none, and the programs' default decides.
    func wantedView(_ address: IPAddress) -> UInt32? {
        guard let owner = destinations.owner(of: address), !mayBeSelected(owner) else { return nil }
        let found = held.untouched.contains(address) ? held.destinations[address] : nil
        // A workload that found no room keeps what an earlier run left, but not what another workload had.
        guard let assignment = assignments[owner] else { return found }
        let missing = missingPolicies(assignment)
        // So does one of whose policies the earlier run had the only form that could be in force.
        if let found, !missing.isEmpty, missing.allSatisfy({ has($0.key, inView: found) }) { return found }
        return canDoWithout(missing, assignment) ? assignment.viewID : nil
    }

    /// Why the programs' default decides on connections to an enrolled workload, although there is a
    /// configuration; `nil` where policies do, or an earlier run's.
    public func reasonForDefault(of id: LocalWorkload.ID) -> String? {
        if mayBeSelected(id) {
            return
                "the mesh does not know the pod yet, and policies may select it: until it does, the default "
                + "verdict decides"
        }
        guard let assignment = assignments[id], let missing = missingPolicies(assignment).first,
            let workload = destinations[id],
            workload.addresses.contains(where: { destinations.owner(of: $0) == id && wantedView($0) == nil })
        else { return nil }
        return
            "\(missing.key) protects the pod, is refused and has no earlier form, so that the "
            + "default verdict decides: it \(refusals[missing.key]?.reason ?? "cannot be in force")"
    }

    /// Why a policy that fits is not in force on a workload that it protects; `nil` where it is.
    func waitingReason(of key: PolicyKey) -> String? {
        guard !refusals.isEmpty, let policy = policies[key]?.policy else { return nil }
        for (id, assignment) in assignments.sorted(by: { $0.key < $1.key }) {
            guard assignment.layers.contains(where: policy.protects), let workload = destinations[id],
                let missing = missingPolicies(assignment).first
            else { continue }
            let isLeftOut = workload.addresses.contains {
                destinations.owner(of: $0) == id && wantedView($0) != assignment.viewID
            }
            if isLeftOut {
                return
                    "is not in force on pod \(workload.pod): it waits for \(missing.key), which is refused; "
                    + "correct or remove that"
            }
        }
        return nil
    }

    /// Whether the mesh does not know the pod, and so not which policies select it, while there are some.
    private func mayBeSelected(_ id: LocalWorkload.ID) -> Bool {
        guard let workload = destinations[id], record(of: workload) == nil else { return false }
        let namespace = workload.pod.namespace
        if policies.hasSelecting(in: namespace) { return true }
        let named = Set(sources.policies(namedIn: namespace))
        if named.contains(where: { policies[$0]?.policy.scope == .workloads }) { return true }
        return refusals.contains { key, refusal in
            refusal.policy.scope == .workloads && (key.namespace == namespace || named.contains(key))
        }
    }

    /// Policies that are refused and of which the workload has no earlier form, sorted. What is on trial is
    /// not missed.
    private func missingPolicies(_ assignment: Assignment) -> [AuthorizationPolicy] {
        guard !refusals.isEmpty else { return [] }
        let layers = assignment.layers
        return refusals.filter { key, refusal in
            guard !refusal.policy.isDryRun, layers.contains(where: refusal.policy.protects) else {
                return false
            }
            return policies[key].map { !layers.contains(where: $0.policy.protects) } ?? true
        }.values.map(\.policy).sorted { $0.key < $1.key }
    }

    /// Whether nobody gets in for want of `missing`: where others allow, one more would only let more in.
    private func canDoWithout(_ missing: [AuthorizationPolicy], _ assignment: Assignment) -> Bool {
        guard !missing.isEmpty else { return true }
        return missing.allSatisfy { $0.action == .allow } && views[assignment.viewID]?.restricts == true
    }

    /// Whether a view has terms of the policy, of whatever form.
    private func has(_ key: PolicyKey, inView id: UInt32) -> Bool {
        let ids = Set(HashedIDs.candidates(key.stableHash))
        return (leftovers.views[id] ?? views[id])?.blockIDs.contains { block in
            leftovers.blocks[block]?.terms.values.contains(where: ids.contains)
                ?? blocks[block]?.compiled.policyIDs.contains(where: ids.contains) ?? false
        } ?? false
    }
}
