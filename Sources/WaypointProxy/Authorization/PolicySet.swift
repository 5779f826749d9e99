/// The policies that protect one kind of destination, compiled. One object serves all targets that have the
/// same policies, from one configuration to the next as long as none of them changes.
internal import KmeshKit

final class PolicySet: Sendable {
    let requests: CompiledPolicies
    let streams: CompiledPolicies
    /// What they ask for: the rest need not be found out.
    let readsIdentity: Bool
    let readsDestination: Bool
    let readsPaths: Bool
    /// The numbers under which the policies are counted, in the order of their keys.
    private let statistics: [Int32]
    /// What the access log shows of a denial: for each policy, by its rules.
    private let details: [[[UInt8]]]

    /// For denials by no policy in particular: none of those that allow did.
    static let noPolicy: Int32 = 0

    /// - Parameter sorted: by their keys.
    init(_ sorted: [AuthorizationPolicy], statistics: [Int32]) {
        requests = CompiledPolicies(sorted, statistics: statistics, seesRequests: true)
        streams = CompiledPolicies(sorted, statistics: statistics, seesRequests: false)
        self.statistics = statistics
        let matches = sorted.flatMap(\.rules).flatMap(\.clauses).joined()
        readsIdentity = matches.contains(where: \.readsIdentity)
        readsDestination = matches.contains { !$0.destinationBlocks.isEmpty || !$0.destinationPorts.isEmpty }
        readsPaths = matches.contains { $0.request?.paths.isEmpty == false }
        details = sorted.map { policy in
            policy.rules.indices.map { rule in
                let place = "ns[\(policy.key.namespace)]-policy[\(policy.key.name)]-rule[\(rule)]"
                return Array("rbac_access_denied_matched_policy[\(place)]".utf8)
            }
        }
    }

    /// The number under which a denial is counted.
    func statistic(of verdict: PolicyVerdict) -> Int32 {
        verdict.policy < 0 ? Self.noPolicy : statistics[Int(verdict.policy)]
    }

    /// In Envoy's words.
    func details(of verdict: PolicyVerdict) -> [UInt8] {
        guard verdict.policy >= 0, verdict.rule >= 0 else {
            return Array("rbac_access_denied_matched_policy[none]".utf8)
        }
        return details[Int(verdict.policy)][Int(verdict.rule)]
    }
}

extension PolicyMatch {
    var readsIdentity: Bool { !namespaces.isEmpty || !principals.isEmpty || !serviceAccounts.isEmpty }
}
