import KmeshKit

/// Writes that bring the maps back to what was written, in an order that is safe for programs that read
/// meanwhile: what is referred to is there before the reference, and goes after it.
struct AuthzRepairs: Sendable {
    struct Part<Key: MapWords, Value: MapWords>: Sendable {
        var upserts: [MapEntry<Key, Value>] = []
        var removes: [Key] = []
        var isEmpty: Bool { upserts.isEmpty && removes.isEmpty }
    }

    var sources = Part<AuthzAddressKey, AuthzSourceValue>()
    var destinations = Part<AuthzAddressKey, AuthzDestinationValue>()
    var views = Part<AuthzIDKey, AuthzViewValue>()
    var blocks = Part<AuthzIDKey, AuthzBlockValue>()
    var bits = Part<AuthzBitsKey, TermVector>()
    var prefixes = Part<AuthzPrefixKey, TermVector>()
    var terms = Part<AuthzTermKey, AuthzTermValue>()
    var policies = Part<AuthzIDKey, AuthzPolicyValue>()
    var probes = Part<AuthzProbeKey, AuthzProbeValue>()

    var isEmpty: Bool {
        sources.isEmpty && destinations.isEmpty && views.isEmpty && blocks.isEmpty && bits.isEmpty
            && prefixes.isEmpty && terms.isEmpty && policies.isEmpty && probes.isEmpty
    }

    /// Notes in `report` what is done, also when an error ends it.
    mutating func write(to maps: AuthzMaps, _ report: inout DriftReport) throws(MapError) {
        try upsert(&policies, maps.policies, &report)
        try upsert(&terms, maps.terms, &report)
        try upsert(&bits, maps.bits, &report)
        try upsert(&prefixes, maps.prefixes, &report)
        try upsert(&blocks, maps.blocks, &report)
        try upsert(&views, maps.views, &report)
        try upsert(&probes, maps.probes, &report)
        try upsert(&destinations, maps.destinations, &report)
        try upsert(&sources, maps.sources, &report)
        try remove(&sources, maps.sources, &report)
        try remove(&destinations, maps.destinations, &report)
        try remove(&probes, maps.probes, &report)
        try remove(&views, maps.views, &report)
        try remove(&blocks, maps.blocks, &report)
        try remove(&bits, maps.bits, &report)
        try remove(&prefixes, maps.prefixes, &report)
        try remove(&terms, maps.terms, &report)
        try remove(&policies, maps.policies, &report)
    }

    private func upsert<Key, Value>(
        _ part: inout Part<Key, Value>, _ map: any KeyValueMap<Key, Value>, _ report: inout DriftReport
    ) throws(MapError) {
        var writer = MapWriter()
        defer { report.count(writer.writes, in: map.name) }
        try writer.upsert(&part.upserts, into: map)
    }

    private func remove<Key, Value>(
        _ part: inout Part<Key, Value>, _ map: any KeyValueMap<Key, Value>, _ report: inout DriftReport
    ) throws(MapError) {
        var writer = MapWriter(), removed = 0
        defer { report.count(writer.writes, in: map.name) }
        try writer.remove(&part.removes, from: map, &removed)
    }
}
