import KmeshKit

/// Views and blocks that an earlier run left in the maps and that are not known to be what is wanted.
struct Leftovers: Sendable {
    var views: [UInt32: AuthzViewValue] = [:]
    var blocks: [UInt32: Block] = [:]
    /// Identities and namespaces that sources had.
    private var used: Set<AuthzBits> = []
    /// Whether what is found may still become part of what is wanted: until the first write.
    private(set) var isOpen = false

    struct Block: Sendable {
        var value: AuthzBlockValue?
        var bits: [AuthzBitsKey: TermVector] = [:]
        var prefixes: [AuthzPrefixKey: TermVector] = [:]
        var terms: [AuthzTermKey: UInt32] = [:]

        /// The policies of its pieces, in their order.
        var policyIDs: [UInt32] {
            var ids: [UInt32] = []
            for (_, id) in terms.sorted(by: { $0.key.bit < $1.key.bit }) where ids.last != id {
                ids.append(id)
            }
            return ids
        }
    }

    init() {}

    /// - Parameter sources: those that were found.
    init(reading maps: AuthzMaps, sources: some Sequence<AuthzSourceValue>) throws(MapError) {
        for source in sources {
            used.insert(AuthzBits(.identity, source.identityID))
            used.insert(AuthzBits(.namespace, source.namespaceID))
        }
        isOpen = true
        for (key, value) in try maps.views.contents().entries { views[key.id] = value }
        for (key, value) in try maps.blocks.contents().entries {
            blocks[key.id, default: Block()].value = value
        }
        for (key, value) in try maps.bits.contents().entries {
            blocks[key.blockID, default: Block()].bits[key] = value
        }
        for (key, value) in try maps.prefixes.contents().entries {
            blocks[key.blockID, default: Block()].prefixes[key] = value
        }
        for (key, value) in try maps.terms.contents().entries {
            blocks[key.blockID, default: Block()].terms[key] = value.policyID
        }
    }

    mutating func close() { isOpen = false }

    /// Whether a source may have it.
    func isInUse(_ bits: AuthzBits) -> Bool { used.contains(bits) }

    var policyIDs: Set<UInt32> { Set(blocks.values.flatMap { $0.terms.values }) }

    var counts: AuthzCounts {
        var counts = AuthzCounts(views: views.count)
        for block in blocks.values { counts += block.counts }
        return counts
    }
}

extension Leftovers.Block {
    var counts: AuthzCounts {
        AuthzCounts(
            blocks: value == nil ? 0 : 1, bits: bits.count, prefixes: prefixes.count, terms: terms.count)
    }

    /// What it would take to make it `compiled`: entries that are missing and such that are too many, all of
    /// them for identities and namespaces that no source has. `nil` if it differs in anything else.
    func difference(
        from compiled: CompiledBlock, _ id: UInt32, isInUse: (AuthzBits) -> Bool, isKnown: (AuthzBits) -> Bool
    ) -> (missing: Set<AuthzBits>, surplus: [AuthzBitsKey])? {
        guard value == compiled.value, terms == Dictionary(entries: compiled.terms(id)).mapValues(\.policyID),
            prefixes == Dictionary(entries: compiled.prefixes(id))
        else { return nil }
        var missing: Set<AuthzBits> = [], surplus: [AuthzBitsKey] = []
        let wanted = Dictionary(entries: compiled.bits(id))
        for (key, vector) in wanted where bits[key] != vector {
            guard bits[key] == nil, let own = key.ofIdentities, !isInUse(own) else { return nil }
            missing.insert(own)
        }
        for key in bits.keys where wanted[key] == nil {
            guard let own = key.ofIdentities, !isKnown(own) else { return nil }
            surplus.append(key)
        }
        return (missing, surplus)
    }
}

extension AuthzBitsKey {
    /// `nil` for a port, or what no program reads.
    fileprivate var ofIdentities: AuthzBits? {
        switch AuthzDimension(rawValue: dimension) {
        case .identity: AuthzBits(.identity, value)
        case .namespace: AuthzBits(.namespace, value)
        case .port, .source, .destination, nil: nil
        }
    }
}

extension Dictionary where Key: MapWords, Value: MapWords {
    init(entries: [MapEntry<Key, Value>]) {
        self.init(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
    }
}
