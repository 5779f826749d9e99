/// Authorization's state as text for people.
extension AuthorizationSnapshot {
    public var table: String {
        var text = "enforcing            \(isEnforcing ? "yes" : "no: every connection passes")\n"
        text += "hook                 \(hook.rawValue)\n"
        text += "connections ended    \(endedConnections)\n\n"
        var policyTable = TextTable(["POLICY", "ACTION", "WORKLOADS", "DENIED"])
        for policy in policies {
            policyTable.add([
                policy.policy.description, policy.action.rawValue + (policy.isDryRun ? " (dry run)" : ""),
                "\(policy.workloadCount)", "\(policy.denied)",
            ])
        }
        text += policyTable.text + "\n"
        var podTable = TextTable(["POD", "ADDRESSES", "HOOK", "POLICIES", "PROBES PASS"])
        for workload in workloads {
            podTable.add([
                workload.pod.description, workload.addresses.map(\.description).joined(separator: ","),
                workload.attachment, "\(workload.policies.count)",
                workload.probePorts.isEmpty
                    ? "-" : workload.probePorts.map { "\($0)" }.joined(separator: ","),
            ])
        }
        text += podTable.text + "\n"
        var reasonTable = TextTable(["REASON", "COUNT"])
        for reason in reasons where reason.count > 0 { reasonTable.add([reason.name, "\(reason.count)"]) }
        return text + reasonTable.text
    }
}

extension AuthorizationExplanation {
    /// One line for each fact, the verdict first.
    public var text: String {
        var lines = [
            "\(isAllowed ? "ALLOW" : "DENY")  \(query.source) -> \(query.destination) port \(query.port)",
            "why          \(reason)",
            "source       \(sourceWorkload ?? "unknown"), \(principal ?? "without an identity")",
            "destination  \(destinationWorkload ?? "unknown")",
            "policies     "
                + (policies.isEmpty ? "none" : policies.map(\.description).joined(separator: ", ")),
        ]
        if !trialDenials.isEmpty {
            lines.append(
                "dry run      would deny: " + trialDenials.map(\.description).joined(separator: ", "))
        }
        lines.append("kernel       \(kernelVerdict ?? "not asked")")
        return lines.map { $0 + "\n" }.joined()
    }
}
