internal import CKmeshABI
public import KmeshKit

/// The maps of authorization in memory.

public struct InMemoryAuthzMaps: Sendable {
    public let sources: InMemoryMap<AuthzAddressKey, AuthzSourceValue>
    public let destinations: InMemoryMap<AuthzAddressKey, AuthzDestinationValue>
    public let views: InMemoryMap<AuthzIDKey, AuthzViewValue>
    public let blocks: InMemoryMap<AuthzIDKey, AuthzBlockValue>
    public let bits: InMemoryMap<AuthzBitsKey, TermVector>
    public let prefixes: InMemoryMap<AuthzPrefixKey, TermVector>
    public let terms: InMemoryMap<AuthzTermKey, AuthzTermValue>
    public let policies: InMemoryMap<AuthzIDKey, AuthzPolicyValue>
    public let probes: InMemoryMap<AuthzProbeKey, AuthzProbeValue>

    public init(capacities: AuthzCounts = .defaultCapacities) {
        sources = InMemoryMap(name: KMESH_MAP_AUTHZ_SOURCE, capacity: capacities.sources)
        destinations = InMemoryMap(name: KMESH_MAP_AUTHZ_DESTINATION, capacity: capacities.destinations)
        views = InMemoryMap(name: KMESH_MAP_AUTHZ_VIEW, capacity: capacities.views)
        blocks = InMemoryMap(name: KMESH_MAP_AUTHZ_BLOCK, capacity: capacities.blocks)
        bits = InMemoryMap(name: KMESH_MAP_AUTHZ_BITS, capacity: capacities.bits)
        prefixes = InMemoryMap(name: KMESH_MAP_AUTHZ_PREFIX, capacity: capacities.prefixes)
        terms = InMemoryMap(name: KMESH_MAP_AUTHZ_TERM, capacity: capacities.terms)
        policies = InMemoryMap(name: KMESH_MAP_AUTHZ_POLICY, capacity: capacities.policies)
        probes = InMemoryMap(name: KMESH_MAP_AUTHZ_PROBE, capacity: capacities.probes)
    }

    /// The same maps as what a data plane takes.
    public var maps: AuthzMaps {
        AuthzMaps(
            sources: sources, destinations: destinations, views: views, blocks: blocks, bits: bits,
            prefixes: prefixes, terms: terms, policies: policies, probes: probes)
    }

    public var counts: AuthzCounts {
        AuthzCounts(
            sources: sources.count, destinations: destinations.count, views: views.count,
            blocks: blocks.count, bits: bits.count, prefixes: prefixes.count, terms: terms.count,
            policies: policies.count, probes: probes.count)
    }

    public var writeCount: Int {
        sources.writeCount + destinations.writeCount + views.writeCount + blocks.writeCount + bits.writeCount
            + prefixes.writeCount + terms.writeCount + policies.writeCount + probes.writeCount
    }

    public func setFault(_ fault: MapFault?) {
        sources.setFault(fault)
        destinations.setFault(fault)
        views.setFault(fault)
        blocks.setFault(fault)
        bits.setFault(fault)
        prefixes.setFault(fault)
        terms.setFault(fault)
        policies.setFault(fault)
        probes.setFault(fault)
    }

    /// `observer` runs after every single write to any of the maps.
    public func observeWrites(_ observer: (@Sendable () -> Void)?) {
        Self.observe(sources, observer)
        Self.observe(destinations, observer)
        Self.observe(views, observer)
        Self.observe(blocks, observer)
        Self.observe(bits, observer)
        Self.observe(prefixes, observer)
        Self.observe(terms, observer)
        Self.observe(policies, observer)
        Self.observe(probes, observer)
    }

    private static func observe<Key, Value>(
        _ map: InMemoryMap<Key, Value>, _ observer: (@Sendable () -> Void)?
    ) {
        guard let observer else { return map.observeWrites(nil) }
        map.observeWrites { _ in observer() }
    }
}

extension AuthzCounts {
    /// The capacities of `bpf/include/kmesh/abi/limits.h`; those that it does not name are as large as what
    /// they belong to.
    public static var defaultCapacities: AuthzCounts {
        AuthzCounts(
            sources: Int(KMESH_AUTHZ_SOURCES_MAX), destinations: Int(KMESH_AUTHZ_DESTINATIONS_MAX),
            views: Int(KMESH_AUTHZ_DESTINATIONS_MAX), blocks: Int(KMESH_AUTHZ_BLOCKS_MAX),
            bits: Int(KMESH_AUTHZ_BITS_MAX), prefixes: Int(KMESH_AUTHZ_BITS_MAX),
            terms: Int(KMESH_AUTHZ_TERMS_MAX), policies: Int(KMESH_AUTHZ_POLICIES_MAX),
            probes: Int(KMESH_AUTHZ_PROBES_MAX))
    }
}
