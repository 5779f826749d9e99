public import KmeshKit

/// Compares the maps with what is wanted, entry by entry.

extension AuthorizationDataplane {
    /// Every entry that is missing, different, damaged or should not be there. Where writes wait, their
    /// entries differ; what waits for its removal may be there. Before the first configuration nothing is
    /// wanted.
    public func verify() throws(MapError) -> [Difference] {
        guard isConfigured else { return [] }
        let expected = ExpectedEntries(of: self)
        let texts = EntryTexts(of: self)
        var differences = compare(
            maps.sources, try maps.sources.contents(), expected.sources, key: { "\($0.address)" },
            value: texts.source)
        differences += compare(
            maps.destinations, try maps.destinations.contents(), expected.destinations,
            key: { "\($0.address)" }, value: { "view \($0.viewID)" })
        differences += compare(
            maps.views, try maps.views.contents(), expected.views, key: { "view \($0.id)" },
            value: { "blocks \($0.blockIDs) with flags \($0.flags)" })
        differences += compare(
            maps.blocks, try maps.blocks.contents(), expected.blocks, key: { texts.block($0.id) },
            value: { "a block of \($0.wordCount) words" })
        differences += compare(
            maps.bits, try maps.bits.contents(), expected.bits, key: texts.bits, value: { "terms \($0.bits)" }
        )
        differences += compare(
            maps.prefixes, try maps.prefixes.contents(), expected.prefixes, key: texts.prefix,
            value: { "terms \($0.bits)" })
        differences += compare(
            maps.terms, try maps.terms.contents(), expected.terms,
            key: { "\(texts.block($0.blockID)) term \($0.bit)" }, value: { texts.policy($0.policyID) })
        differences += compare(
            maps.policies, try maps.policies.contents(), expected.policies, key: { texts.policy($0.id) },
            value: { _ in "its counts" }, isSame: { _, _ in true })
        differences += compare(
            maps.probes, try maps.probes.contents(), expected.probes, key: { "\($0.address) \($0.port)" },
            value: { _ in "a port that is probed" })
        return differences
    }

    private func compare<Key: MapWords, Value: MapWords>(
        _ map: any KeyValueMap<Key, Value>, _ found: MapContents<Key, Value>,
        _ expected: ExpectedEntries.Of<Key, Value>, key text: (Key) -> String,
        value describe: (Value) -> String, isSame: (Value, Value) -> Bool = { $0 == $1 }
    ) -> [Difference] {
        var differences: [Difference] = []
        let damaged = Set(found.damaged)
        for (key, value) in expected.wanted {
            let present = found.entries[key]
            if let present, isSame(present, value) { continue }
            let other = damaged.contains(key) ? "damaged" : present.map(describe)
            differences.append(
                Difference(map: map.name, key: text(key), wanted: describe(value), found: other))
        }
        for (key, value) in found.entries
        where expected.wanted[key] == nil && !expected.tolerated.contains(key) {
            differences.append(
                Difference(map: map.name, key: text(key), wanted: nil, found: describe(value)))
        }
        for key in damaged where expected.wanted[key] == nil {
            differences.append(Difference(map: map.name, key: text(key), wanted: nil, found: "damaged"))
        }
        return differences.sorted { $0.key < $1.key }
    }
}

/// What the maps shall hold.
private struct ExpectedEntries {
    struct Of<Key: MapWords, Value: MapWords> {
        var wanted: [Key: Value] = [:]
        /// Entries that wait for their removal.
        var tolerated: Set<Key> = []
    }

    var sources = Of<AuthzAddressKey, AuthzSourceValue>()
    var destinations = Of<AuthzAddressKey, AuthzDestinationValue>()
    var views = Of<AuthzIDKey, AuthzViewValue>()
    var blocks = Of<AuthzIDKey, AuthzBlockValue>()
    var bits = Of<AuthzBitsKey, TermVector>()
    var prefixes = Of<AuthzPrefixKey, TermVector>()
    var terms = Of<AuthzTermKey, AuthzTermValue>()
    var policies = Of<AuthzIDKey, AuthzPolicyValue>()
    var probes = Of<AuthzProbeKey, AuthzProbeValue>()

    init(of dataplane: AuthorizationDataplane) {
        for address in dataplane.sources.addresses {
            sources.wanted[AuthzAddressKey(address)] = dataplane.wantedSource(address)
        }
        for address in dataplane.destinations.addresses {
            sources.wanted[AuthzAddressKey(address)] = dataplane.wantedSource(address)
            destinations.wanted[AuthzAddressKey(address)] = dataplane.wantedView(address)
                .map { AuthzDestinationValue(viewID: $0) }
        }
        for probe in dataplane.wantedProbes().keys { probes.wanted[probe] = AuthzProbeValue() }
        let wantedViews = Set(destinations.wanted.values.map(\.viewID))
        for (id, view) in dataplane.views.views {
            if wantedViews.contains(id) {
                views.wanted[AuthzIDKey(id)] = view.value
            } else {
                views.tolerated.insert(AuthzIDKey(id))
            }
        }
        let wantedBlocks = dataplane.wantedBlockIDs
        for (id, block) in dataplane.blocks.blocks { add(id, block, isWanted: wantedBlocks.contains(id)) }
        for id in dataplane.numbers.wanted { policies.wanted[AuthzIDKey(id)] = AuthzPolicyValue() }
        policies.tolerated = Set(dataplane.numbers.present.map { AuthzIDKey($0) })
        views.tolerated.formUnion(dataplane.leftovers.views.keys.map { AuthzIDKey($0) })
        for (id, block) in dataplane.leftovers.blocks {
            blocks.tolerated.insert(AuthzIDKey(id))
            bits.tolerated.formUnion(block.bits.keys)
            prefixes.tolerated.formUnion(block.prefixes.keys)
            terms.tolerated.formUnion(block.terms.keys)
        }
    }

    private mutating func add(_ id: UInt32, _ block: HeldBlock, isWanted: Bool) {
        let compiled = block.compiled
        bits.tolerated.formUnion(block.surplus)
        guard isWanted else {
            blocks.tolerated.insert(AuthzIDKey(id))
            bits.tolerated.formUnion(compiled.bits(id).map(\.key))
            prefixes.tolerated.formUnion(compiled.prefixes(id).map(\.key))
            terms.tolerated.formUnion(compiled.terms(id).map(\.key))
            return
        }
        blocks.wanted[AuthzIDKey(id)] = compiled.value
        for entry in compiled.bits(id) { bits.wanted[entry.key] = entry.value }
        for entry in compiled.prefixes(id) { prefixes.wanted[entry.key] = entry.value }
        for entry in compiled.terms(id) { terms.wanted[entry.key] = entry.value }
    }
}

/// Names for the people who read differences.
struct EntryTexts: Sendable {
    private let dataplane: AuthorizationDataplane

    init(of dataplane: AuthorizationDataplane) { self.dataplane = dataplane }

    func source(_ value: AuthzSourceValue) -> String {
        if value == .node { return "the node" }
        return identity(value.identityID)
    }

    func identity(_ id: UInt32) -> String {
        dataplane.identities.name(of: id)?.principal ?? "unknown identity \(id)"
    }

    func namespace(_ id: UInt32) -> String {
        dataplane.identities.namespaceName(of: id) ?? "unknown namespace \(id)"
    }

    func workload(at address: IPAddress) -> String? { dataplane.workloadName(at: address) }

    func policy(_ id: UInt32) -> String {
        dataplane.numbers.name(of: id).map { "\($0)" } ?? "unknown policy \(id)"
    }

    func block(_ id: UInt32) -> String {
        guard let first = dataplane.blocks[id]?.compiled.definition.pieces.first else {
            return "unknown block \(id)"
        }
        return "block \(id) of \(first.form.key)"
    }

    func bits(_ key: AuthzBitsKey) -> String {
        let value =
            switch AuthzDimension(rawValue: key.dimension) {
            case .identity: identity(key.value)
            case .namespace:
                "namespace " + (dataplane.identities.namespaceName(of: key.value) ?? "\(key.value)")
            case .port: "port \(key.value)"
            case .source, .destination, nil: "dimension \(key.dimension) value \(key.value)"
            }
        return "\(block(key.blockID)) \(value)"
    }

    func prefix(_ key: AuthzPrefixKey) -> String {
        let dimension = AuthzDimension(rawValue: key.dimension) == .source ? "source" : "destination"
        return "\(block(key.blockID)) \(dimension) \(key.address) of \(key.prefixLength) bits"
    }
}
