/// Where a node or workload is: its region, zone and node, each empty when unknown.
public struct Locality: Hashable, Sendable {
    public var region: String
    public var zone: String
    public var node: String

    public init(region: String = "", zone: String = "", node: String = "") {
        self.region = region
        self.zone = zone
        self.node = node
    }

    public func value(of scope: LocalityScope) -> String {
        switch scope {
        case .region: region
        case .zone: zone
        case .node: node
        }
    }
}

public enum LocalityScope: String, Hashable, Sendable, CaseIterable {
    case region, zone, node
}

/// Which endpoints a service prefers, seen from the client's node.
public struct LocalityPreference: Hashable, Sendable {
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// The nearest endpoints; farther ones when there are none.
        case failover
        /// Only endpoints that match in every scope; none → refuse.
        case strict
    }

    public var mode: Mode
    /// Widest scope first. An endpoint's rank is the number of scopes left when the first one differs.
    public var scopes: [LocalityScope]

    public init(mode: Mode, scopes: [LocalityScope]) {
        self.mode = mode
        self.scopes = scopes
    }

    /// 0 for an endpoint that matches `client` in every scope, `scopes.count` for one that differs in the
    /// first. An unknown value matches nothing.
    public func rank(of endpoint: Locality, from client: Locality) -> Int {
        let matches = scopes.prefix { scope in
            !client.value(of: scope).isEmpty && client.value(of: scope) == endpoint.value(of: scope)
        }
        return scopes.count - matches.count
    }
}
