internal import CKmeshABI
public import KmeshKit

/// The maps of authorization that user space writes, behind the seam that tests replace.

public struct AuthzMaps: Sendable {
    public var sources: any KeyValueMap<AuthzAddressKey, AuthzSourceValue>
    public var destinations: any KeyValueMap<AuthzAddressKey, AuthzDestinationValue>
    public var views: any KeyValueMap<AuthzIDKey, AuthzViewValue>
    public var blocks: any KeyValueMap<AuthzIDKey, AuthzBlockValue>
    public var bits: any KeyValueMap<AuthzBitsKey, TermVector>
    public var prefixes: any KeyValueMap<AuthzPrefixKey, TermVector>
    public var terms: any KeyValueMap<AuthzTermKey, AuthzTermValue>
    public var policies: any KeyValueMap<AuthzIDKey, AuthzPolicyValue>
    public var probes: any KeyValueMap<AuthzProbeKey, AuthzProbeValue>

    public init(
        sources: any KeyValueMap<AuthzAddressKey, AuthzSourceValue>,
        destinations: any KeyValueMap<AuthzAddressKey, AuthzDestinationValue>,
        views: any KeyValueMap<AuthzIDKey, AuthzViewValue>,
        blocks: any KeyValueMap<AuthzIDKey, AuthzBlockValue>,
        bits: any KeyValueMap<AuthzBitsKey, TermVector>,
        prefixes: any KeyValueMap<AuthzPrefixKey, TermVector>,
        terms: any KeyValueMap<AuthzTermKey, AuthzTermValue>,
        policies: any KeyValueMap<AuthzIDKey, AuthzPolicyValue>,
        probes: any KeyValueMap<AuthzProbeKey, AuthzProbeValue>
    ) {
        (self.sources, self.destinations, self.views, self.blocks) = (sources, destinations, views, blocks)
        (self.bits, self.prefixes, self.terms) = (bits, prefixes, terms)
        (self.policies, self.probes) = (policies, probes)
    }

    public var capacities: AuthzCounts {
        AuthzCounts(
            sources: sources.capacity, destinations: destinations.capacity, views: views.capacity,
            blocks: blocks.capacity, bits: bits.capacity, prefixes: prefixes.capacity, terms: terms.capacity,
            policies: policies.capacity, probes: probes.capacity)
    }
}

/// Numbers of entries, one for each map of authorization: what is in them, what fits, or what is added.
public struct AuthzCounts: Hashable, Sendable {
    public var sources: Int
    public var destinations: Int
    public var views: Int
    public var blocks: Int
    public var bits: Int
    public var prefixes: Int
    public var terms: Int
    public var policies: Int
    public var probes: Int

    public init(
        sources: Int = 0, destinations: Int = 0, views: Int = 0, blocks: Int = 0, bits: Int = 0,
        prefixes: Int = 0, terms: Int = 0, policies: Int = 0, probes: Int = 0
    ) {
        (self.sources, self.destinations, self.views, self.blocks) = (sources, destinations, views, blocks)
        (self.bits, self.prefixes, self.terms) = (bits, prefixes, terms)
        (self.policies, self.probes) = (policies, probes)
    }

    static func += (left: inout AuthzCounts, right: AuthzCounts) {
        for part in parts { left[keyPath: part.path] += right[keyPath: part.path] }
    }

    static func -= (left: inout AuthzCounts, right: AuthzCounts) {
        for part in parts { left[keyPath: part.path] -= right[keyPath: part.path] }
    }

    static func + (left: AuthzCounts, right: AuthzCounts) -> AuthzCounts {
        var sum = left
        sum += right
        return sum
    }

    /// Of all maps together.
    public var total: Int { Self.parts.reduce(0) { $0 + self[keyPath: $1.path] } }

    /// The numbers with the names of their maps.
    public var byMap: [(map: String, count: Int)] {
        Self.parts.map { ($0.map, self[keyPath: $0.path]) }
    }

    /// The map that `additions` do not fit into when the maps hold `self`, as the reason for a refusal.
    func shortage(adding additions: AuthzCounts, capacities: AuthzCounts) -> String? {
        for (map, path) in Self.parts {
            let held = self[keyPath: path], added = additions[keyPath: path]
            let capacity = capacities[keyPath: path]
            guard added > 0, held + added > capacity else { continue }
            return "needs \(added) more entries in map \(map), which holds \(held) of \(capacity): "
                + "remove policies or write fewer values in their rules, or give the map more capacity"
        }
        return nil
    }

    private static var parts: [(map: String, path: any WritableKeyPath<AuthzCounts, Int> & Sendable)] {
        [
            (KMESH_MAP_AUTHZ_SOURCE, \.sources), (KMESH_MAP_AUTHZ_DESTINATION, \.destinations),
            (KMESH_MAP_AUTHZ_VIEW, \.views), (KMESH_MAP_AUTHZ_BLOCK, \.blocks),
            (KMESH_MAP_AUTHZ_BITS, \.bits), (KMESH_MAP_AUTHZ_PREFIX, \.prefixes),
            (KMESH_MAP_AUTHZ_TERM, \.terms), (KMESH_MAP_AUTHZ_POLICY, \.policies),
            (KMESH_MAP_AUTHZ_PROBE, \.probes),
        ]
    }
}
