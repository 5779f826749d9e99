import AuthzXDP
import KmeshKit

/// Short ways to write policies, workloads and changes.

typealias Change = ResourceChange<MeshResource>

func put(_ policy: AuthorizationPolicy) -> Change { .upsert(.policy(policy)) }
func put(_ workload: Workload) -> Change { .upsert(.workload(workload)) }
func remove(_ policy: AuthorizationPolicy) -> Change { .remove(.policy(policy.key)) }
func remove(_ workload: Workload) -> Change { .remove(.workload(uid: workload.uid)) }

/// A pod that runs as the service account of its name.
func pod(
    _ name: String, in namespace: String = "web", _ addresses: String..., policies: [PolicyKey] = []
) -> Workload {
    var workload = Workload(
        uid: "Pod/\(namespace)/\(name)", name: name, namespace: namespace,
        addresses: addresses.compactMap { IPAddress($0) })
    workload.serviceAccount = name
    workload.policies = policies
    return workload
}

/// A policy of which each rule has one clause with one match.
func policy(
    _ name: String, in namespace: String = "web", _ action: PolicyAction = .deny,
    scope: PolicyScope = .namespace, dryRun: Bool = false, _ matches: PolicyMatch...
) -> AuthorizationPolicy {
    AuthorizationPolicy(
        key: PolicyKey(namespace: namespace, name: name), action: action, scope: scope, isDryRun: dryRun,
        rules: matches.map { PolicyRule(clauses: [[$0]]) })
}

extension PolicyMatch {
    static func namespaces(_ patterns: String...) -> PolicyMatch {
        var match = PolicyMatch()
        match.namespaces = Patterns(any: patterns.map { StringMatch($0) })
        return match
    }

    static func principals(_ patterns: String...) -> PolicyMatch {
        var match = PolicyMatch()
        match.principals = Patterns(any: patterns.map { StringMatch($0) })
        return match
    }

    static func ports(_ ports: UInt16...) -> PolicyMatch {
        var match = PolicyMatch()
        match.destinationPorts = Patterns(any: ports)
        return match
    }

    static func sources(_ blocks: [String]) -> PolicyMatch {
        var match = PolicyMatch()
        match.sourceBlocks = Patterns(any: blocks.compactMap { IPBlock($0) })
        return match
    }
}
