/// Who may connect to a workload, and who may not: Istio's `AuthorizationPolicy`, or what a
/// `PeerAuthentication` comes to. The form is that of Istio's ambient `Authorization` message, with what only
/// a proxy can see beside it.
public struct AuthorizationPolicy: Hashable, Sendable {
    public var key: PolicyKey
    public var action: PolicyAction
    public var scope: PolicyScope
    /// Counted and logged, not enforced.
    public var isDryRun: Bool
    /// One that matches is enough. None: the policy never matches, so that ALLOW denies everything.
    public var rules: [PolicyRule]

    public init(
        key: PolicyKey, action: PolicyAction = .allow, scope: PolicyScope = .namespace,
        isDryRun: Bool = false, rules: [PolicyRule] = []
    ) {
        self.key = key
        self.action = action
        self.scope = scope
        self.isDryRun = isDryRun
        self.rules = rules
    }
}

public enum PolicyAction: String, Hashable, Sendable, CaseIterable {
    case allow = "ALLOW"
    case deny = "DENY"
}

public struct PolicyKey: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case authorization = "AuthorizationPolicy"
        case peerAuthentication = "PeerAuthentication"
    }

    public let kind: Kind
    public let namespace: String
    public let name: String

    public init(_ kind: Kind = .authorization, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

}

extension PolicyKey: LosslessStringConvertible {
    /// `AuthorizationPolicy default/reviews`.
    public var description: String { "\(kind.rawValue) \(namespace)/\(name)" }

    public init?(_ description: String) {
        let words = description.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, let kind = Kind(rawValue: String(words[0])),
            let slash = words[1].firstIndex(of: "/")
        else { return nil }
        self.init(
            kind, namespace: String(words[1][..<slash]),
            name: String(words[1][words[1].index(after: slash)...]))
    }
}

extension PolicyKey: Comparable {
    public static func < (left: PolicyKey, right: PolicyKey) -> Bool {
        (left.namespace, left.name, left.kind.rawValue) < (right.namespace, right.name, right.kind.rawValue)
    }
}

/// What a policy protects.
public enum PolicyScope: Hashable, Sendable {
    /// Every workload of the mesh: a policy of the root namespace without a selector.
    case mesh
    /// Every workload of the policy's namespace.
    case namespace
    /// The workloads that name the policy in `Workload.policies`.
    case workloads
    /// Services and gateways, whose waypoint enforces it.
    case targets([PolicyTarget])
}

public enum PolicyTarget: Hashable, Sendable {
    case service(ServiceKey)
    case gateway(namespace: String, name: String)
    /// Every waypoint.
    case waypoints
}

/// All clauses must match; a rule without clauses matches everything.
public struct PolicyRule: Hashable, Sendable {
    /// In each clause one match is enough.
    public var clauses: [[PolicyMatch]]

    public init(clauses: [[PolicyMatch]] = []) {
        self.clauses = clauses
    }
}

/// Every attribute with patterns must match. One that has no pattern at all matches nothing, as in ztunnel.
public struct PolicyMatch: Hashable, Sendable {
    /// The namespace of the source's identity.
    public var namespaces = Patterns<StringMatch>()
    /// The source's identity, as `cluster.local/ns/default/sa/productpage`.
    public var principals = Patterns<StringMatch>()
    public var serviceAccounts = Patterns<ServiceAccountName>()
    public var sourceBlocks = Patterns<IPBlock>()
    public var destinationBlocks = Patterns<IPBlock>()
    public var destinationPorts = Patterns<UInt16>()
    /// What only a proxy can see; `nil` for a match of connections.
    public var request: RequestMatch?

    public init() {}
}

/// One of `any` must match, unless there is none; and none of `none`.
public struct Patterns<Pattern: Hashable & Sendable>: Hashable, Sendable {
    public var any: [Pattern]
    public var none: [Pattern]

    public init(any: [Pattern] = [], none: [Pattern] = []) {
        self.any = any
        self.none = none
    }

    public var isEmpty: Bool { any.isEmpty && none.isEmpty }

    func holds(where matches: (Pattern) -> Bool) -> Bool {
        (any.isEmpty || any.contains(where: matches)) && !none.contains(where: matches)
    }
}

/// A pattern for text. Text that is absent is empty, and no pattern that Istio knows matches it.
public enum StringMatch: Hashable, Sendable {
    case exact(String)
    case prefix(String)
    case suffix(String)
    /// Any text that is not empty.
    case present

    /// In Istio's notation: `a`, `a*`, `*a` or `*`.
    public init(_ pattern: String) {
        if pattern == "*" {
            self = .present
        } else if pattern.hasPrefix("*") {
            self = .suffix(String(pattern.dropFirst()))
        } else if pattern.hasSuffix("*") {
            self = .prefix(String(pattern.dropLast()))
        } else {
            self = .exact(pattern)
        }
    }

    /// Byte for byte: two spellings of one character are different.
    public func matches(_ text: String) -> Bool {
        switch self {
        case .exact(let exact): text.utf8.elementsEqual(exact.utf8)
        case .prefix(let prefix): text.utf8.starts(with: prefix.utf8)
        case .suffix(let suffix): text.utf8.reversed().starts(with: suffix.utf8.reversed())
        case .present: !text.isEmpty
        }
    }
}

public struct ServiceAccountName: Hashable, Sendable {
    public var namespace: String
    public var name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }
}

/// Attributes of a request.
public struct RequestMatch: Hashable, Sendable {
    /// In lower case.
    public var hosts = Patterns<StringMatch>()
    public var methods = Patterns<StringMatch>()
    /// The path without its query.
    public var paths = Patterns<StringMatch>()
    public var headers: [HeaderMatch] = []
    /// The client's address as forwarding proxies tell it. A waypoint believes none of them, so that it is
    /// the connection's source; still nothing that a connection alone would have.
    public var remoteBlocks = Patterns<IPBlock>()
    /// Attributes that no request has here, by name: those of JWTs, which nobody checks, and the TLS server
    /// name. A pattern in `any` never matches, one in `none` always does.
    public var absent = Patterns<String>()

    public init() {}

    public struct HeaderMatch: Hashable, Sendable {
        /// In lower case.
        public var name: String
        public var values: Patterns<StringMatch>

        public init(name: String, values: Patterns<StringMatch>) {
            self.name = name
            self.values = values
        }
    }
}
