import KmeshKit

/// Removes what nothing leads to any more: after a grace period, for programs may still read it.

extension AuthorizationDataplane {
    /// What can go.
    struct Victims: Sendable {
        var views: [UInt32] = []
        var blocks: [UInt32] = []
        var foundViews: [UInt32] = []
        var foundBlocks: [UInt32] = []
        /// Entries for identities that no source has any more, by block.
        var bits: [(block: UInt32, bits: AuthzBits)] = []
        var identities: [WorkloadIdentity] = []
        var namespaces: [String] = []
        /// Blocks with entries that an earlier run left.
        var surplus: [UInt32] = []
        var hasPolicies = false

        var isEmpty: Bool {
            views.isEmpty && blocks.isEmpty && foundViews.isEmpty && foundBlocks.isEmpty && surplus.isEmpty
                && identities.isEmpty && namespaces.isEmpty && !hasPolicies
        }
    }

    /// Returns the number of entries that are gone.
    mutating func sweep(_ update: inout AuthorizationUpdate) -> Int {
        let victims = victims
        guard !victims.isEmpty, grace.elapse() else { return 0 }
        var writer = MapWriter()
        do throws(MapError) {
            try remove(victims, &writer)
        } catch {
            stall = error
        }
        update.writes += writer.writes
        return writer.writes
    }

    var victims: Victims {
        guard isConfigured else { return Victims() }
        var victims = Victims()
        let liveViews = Set(held.destinations.values).union(assignments.values.map(\.viewID))
        victims.views = views.views.keys.filter { !liveViews.contains($0) }.sorted()
        victims.foundViews = leftovers.views.keys.filter { !liveViews.contains($0) }.sorted()
        var liveBlocks = wantedBlockIDs
        for id in liveViews {
            liveBlocks.formUnion(views[id]?.blockIDs ?? leftovers.views[id]?.blockIDs ?? [])
        }
        victims.blocks = blocks.blocks.keys.filter { !liveBlocks.contains($0) }.sorted()
        victims.foundBlocks = leftovers.blocks.keys.filter { !liveBlocks.contains($0) }.sorted()
        victims.hasPolicies = !unusedPolicies.isEmpty
        // As long as a source may have an identity, its entries stay.
        guard dirtySources.allSatisfy({ held.sources[$0] == nil }) else { return victims }
        victims.surplus = blocks.blocks.filter { !$0.value.surplus.isEmpty }.keys.sorted()
        victims.identities = identities.idle.sorted { $0.principal < $1.principal }
        let busy = Set(victims.identities.map(\.namespace))
        victims.namespaces = identities.idleNamespaces.sorted()
        let old =
            victims.identities.compactMap { identities[$0].map { AuthzBits(.identity, $0.id) } }
            + Set(victims.namespaces).union(busy).sorted().compactMap { name in
                guard identities.idleNamespaces.contains(name) else { return nil }
                return identities[namespace: name].map { AuthzBits(.namespace, $0.id) }
            }
        for (id, block) in blocks.blocks where block.compiled.hasPatterns {
            victims.bits += old.filter { block.compiled.canDismiss($0) }.map { (id, $0) }
        }
        return victims
    }

    private var unusedPolicies: [UInt32] {
        let found = leftovers.policyIDs
        return numbers.unused(besides: found.contains)
    }

    private mutating func remove(_ victims: Victims, _ writer: inout MapWriter) throws(MapError) {
        for id in victims.views { views.setState(id, .partial) }
        for id in victims.blocks { blocks.setState(id, .partial) }
        var gone = 0
        var viewKeys = (victims.views + victims.foundViews).map { AuthzIDKey($0) }
        try writer.remove(&viewKeys, from: maps.views, &gone)
        for id in victims.views { views.remove(id) }
        for id in victims.foundViews { leftovers.views[id] = nil }
        for id in victims.blocks {
            guard let compiled = blocks[id]?.compiled else { continue }
            try removeBlock(
                id, compiled.bits(id).map(\.key) + (blocks[id]?.surplus ?? []),
                compiled.prefixes(id).map(\.key), compiled.terms(id).map(\.key), &writer)
            forget(block: id)
        }
        for id in victims.foundBlocks {
            guard let block = leftovers.blocks[id] else { continue }
            try removeBlock(
                id, Array(block.bits.keys), Array(block.prefixes.keys), Array(block.terms.keys), &writer)
            leftovers.blocks[id] = nil
        }
        try removeBits(victims, &writer)
        let unused = unusedPolicies
        var policyKeys = unused.map { AuthzIDKey($0) }
        try writer.remove(&policyKeys, from: maps.policies, &gone)
        numbers.removed(unused)
    }

    private func removeBlock(
        _ id: UInt32, _ bits: [AuthzBitsKey], _ prefixes: [AuthzPrefixKey], _ terms: [AuthzTermKey],
        _ writer: inout MapWriter
    ) throws(MapError) {
        var gone = 0
        var key = [AuthzIDKey(id)], bits = bits, prefixes = prefixes, terms = terms
        try writer.remove(&key, from: maps.blocks, &gone)
        try writer.remove(&bits, from: maps.bits, &gone)
        try writer.remove(&prefixes, from: maps.prefixes, &gone)
        try writer.remove(&terms, from: maps.terms, &gone)
    }

    /// The entries of identities and namespaces that no source has any more, in blocks that stay.
    private mutating func removeBits(_ victims: Victims, _ writer: inout MapWriter) throws(MapError) {
        var gone = 0
        for (id, bits) in victims.bits {
            guard let entry = blocks[id]?.compiled.entry(bits, id) else { continue }
            var key = [entry.key]
            try writer.remove(&key, from: maps.bits, &gone)
            blocks.dismiss(bits, from: id)
        }
        for identity in victims.identities { identities.retire(identity) }
        for name in victims.namespaces { identities.retire(namespace: name) }
        for id in victims.surplus {
            guard let block = blocks[id] else { continue }
            let own = Set(block.compiled.bits(id).map(\.key))
            var keys = block.surplus.filter { !own.contains($0) }
            try writer.remove(&keys, from: maps.bits, &gone)
            blocks.dropSurplus(id)
        }
    }
}
