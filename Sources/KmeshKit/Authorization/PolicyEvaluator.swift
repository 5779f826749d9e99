/// Decides by reading the policies one after the other, as their documentation words it: slow and plain. It
/// is what the kernel's verdicts are compared with, and what the waypoint decides requests by.

/// A connection as policies see it.
public struct PolicyConnection: Hashable, Sendable {
    public var source: IPAddress
    /// `nil` for a source that is no workload of the mesh, or whose address several workloads share.
    public var identity: WorkloadIdentity?
    public var destination: IPAddress
    public var port: UInt16

    public init(source: IPAddress, identity: WorkloadIdentity?, destination: IPAddress, port: UInt16) {
        self.source = source
        self.identity = identity
        self.destination = destination
        self.port = port
    }
}

/// A request as policies see it.
public struct PolicyRequest: Sendable {
    /// In lower case, with its port as it was sent.
    public var host: String
    public var method: String
    /// Without its query.
    public var path: String
    /// The value of the header with this name in lower case; several are joined by a comma. `nil`: absent.
    public var header: @Sendable (String) -> String?

    public init(
        host: String, method: String, path: String, header: @escaping @Sendable (String) -> String?
    ) {
        self.host = host
        self.method = method
        self.path = path
        self.header = header
    }

    /// Without a port that is the scheme's own: `a.com:80` is also `a.com`.
    var shortHost: String {
        guard let colon = host.lastIndex(of: ":") else { return host }
        let port = host[host.index(after: colon)...]
        guard port.isEmpty || port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) && Int(port) == 80 else {
            return host
        }
        return String(host[..<colon])
    }
}

/// What policies say of a connection or request, and why.
public struct PolicyDecision: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// No policy protects the destination, or only such that deny others.
        case notRestricted
        case allowed(by: PolicyKey)
        case denied(by: PolicyKey)
        /// There are policies that allow, and none of them allows this.
        case notAllowed
    }

    public var reason: Reason
    /// Policies under trial that would have denied: by a rule that matches, or, for those that allow, because
    /// none of them does.
    public var trialDenials: [PolicyKey]

    public init(reason: Reason, trialDenials: [PolicyKey] = []) {
        self.reason = reason
        self.trialDenials = trialDenials
    }

    public var isAllowed: Bool {
        switch reason {
        case .notRestricted, .allowed: true
        case .denied, .notAllowed: false
        }
    }
}

public enum PolicyEvaluator {
    /// - Parameter policies: those that protect the destination; of several that decide alike the first in
    ///   the order of their names is given as the reason.
    /// - Parameter request: `nil` decides the connection alone, by what the policies say at L4.
    public static func decide(
        _ policies: [AuthorizationPolicy], on connection: PolicyConnection, request: PolicyRequest? = nil
    ) -> PolicyDecision {
        let applicable = policies.sorted { $0.key < $1.key }.map { request == nil ? $0.atL4 : $0 }
        let matching = applicable.filter { $0.matches(connection, request) }
        var decision = PolicyDecision(reason: .notRestricted)
        if let denier = matching.first(where: { $0.action == .deny && !$0.isDryRun }) {
            decision.reason = .denied(by: denier.key)
        } else if let allower = matching.first(where: { $0.action == .allow && !$0.isDryRun }) {
            decision.reason = .allowed(by: allower.key)
        } else if applicable.contains(where: { $0.action == .allow && !$0.isDryRun }) {
            decision.reason = .notAllowed
        }
        let trials = applicable.filter(\.isDryRun)
        decision.trialDenials = matching.filter { $0.isDryRun && $0.action == .deny }.map(\.key)
        if !matching.contains(where: { $0.isDryRun && $0.action == .allow }) {
            decision.trialDenials += trials.filter { $0.action == .allow }.map(\.key)
        }
        return decision
    }
}

extension AuthorizationPolicy {
    /// The policy where requests cannot be seen, as Istio's control plane writes it for ztunnel: a rule of
    /// ALLOW that needs to see them is left out, and one of DENY loses what it cannot see. A clause that
    /// loses everything matches nothing.
    public var atL4: AuthorizationPolicy {
        var policy = self
        if action == .allow { policy.rules.removeAll(where: \.needsRequest) }
        for rule in policy.rules.indices {
            for clause in policy.rules[rule].clauses.indices {
                for match in policy.rules[rule].clauses[clause].indices {
                    policy.rules[rule].clauses[clause][match].request = nil
                }
            }
        }
        return policy
    }

    /// Whether a rule asks for what only a proxy can see.
    public var needsRequest: Bool { rules.contains(where: \.needsRequest) }

    func matches(_ connection: PolicyConnection, _ request: PolicyRequest?) -> Bool {
        rules.contains { rule in
            rule.clauses.allSatisfy { clause in
                clause.isEmpty || clause.contains { $0.matches(connection, request) }
            }
        }
    }
}

extension PolicyRule {
    public var needsRequest: Bool { clauses.contains { $0.contains { $0.request != nil } } }
}

extension PolicyMatch {
    /// Whether it has no pattern that can be seen at L4.
    public var isEmptyAtL4: Bool {
        namespaces.isEmpty && principals.isEmpty && serviceAccounts.isEmpty && sourceBlocks.isEmpty
            && destinationBlocks.isEmpty && destinationPorts.isEmpty
    }

    func matches(_ connection: PolicyConnection, _ request: PolicyRequest?) -> Bool {
        if isEmptyAtL4, self.request == nil { return false }
        guard matchesSource(connection.identity, connection.source),
            destinationBlocks.holds(where: { $0.contains(connection.destination) }),
            destinationPorts.holds(where: { $0 == connection.port })
        else { return false }
        guard let wanted = self.request else { return true }
        guard let request else { return false }
        return wanted.matches(request, from: connection.source)
    }

    func matchesSource(_ identity: WorkloadIdentity?, _ address: IPAddress) -> Bool {
        let principal = identity?.principal ?? "", namespace = identity?.namespace ?? ""
        return namespaces.holds { $0.matches(namespace) } && principals.holds { $0.matches(principal) }
            && serviceAccounts.holds {
                $0.namespace == identity?.namespace && $0.name == identity?.serviceAccount
            }
            && sourceBlocks.holds { $0.contains(address) }
    }
}

extension RequestMatch {
    public var isEmpty: Bool { self == RequestMatch() }

    func matches(_ request: PolicyRequest, from source: IPAddress) -> Bool {
        let short = request.shortHost
        return absent.any.isEmpty && remoteBlocks.holds { $0.contains(source) }
            && hosts.holds { $0.matches(request.host) || $0.matches(short) }
            && methods.holds { $0.matches(request.method) } && paths.holds { $0.matches(request.path) }
            && headers.allSatisfy { header in
                let value = request.header(header.name) ?? ""
                return header.values.holds { $0.matches(value) }
            }
    }
}
