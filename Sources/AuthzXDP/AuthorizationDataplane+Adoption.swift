public import KmeshKit

/// A restart: what an earlier run left in the maps stays in force until the first configuration is applied,
/// and becomes part of what is wanted as far as it is the same. Numbers come from what they stand for, so
/// that the same things have the same numbers again; everything found under a number is compared all the
/// same.

extension AuthorizationDataplane {
    /// Reads the maps as an earlier run left them.
    public mutating func adopt() throws(MapError) {
        let found = try maps.sources.contents()
        for (key, value) in found.entries { held.sources[key.address] = value }
        for key in found.damaged { held.sources[key.address] = .uncertain }
        let destinations = try maps.destinations.contents()
        for (key, value) in destinations.entries { held.destinations[key.address] = value.viewID }
        held.untouched = Set(held.destinations.keys)
        for key in destinations.damaged { held.destinations[key.address] = 0 }
        held.probes = Set(try maps.probes.contents().entries.keys)
        numbers = PolicyNumbers(present: Set(try maps.policies.contents().entries.keys.map(\.id)))
        leftovers = try Leftovers(reading: maps, sources: found.entries.values)
    }

    /// Gives identities the numbers that their workloads' addresses have in the map.
    mutating func adoptIdentities(_ changes: [ResourceChange<MeshResource>]) {
        guard !held.sources.isEmpty else { return }
        for case .upsert(.workload(let workload)) in changes {
            guard let identity = workload.identity else { continue }
            for address in workload.addresses {
                guard let found = held.sources[address], found.identityID != 0 else { continue }
                identities.adopt(identity, id: found.identityID, namespaceID: found.namespaceID)
            }
        }
    }

    /// The number under which an earlier run left the block, if what it left is the block, but for entries
    /// that can be added and taken away while programs read it.
    mutating func claim(_ compiled: CompiledBlock) -> UInt32? {
        guard leftovers.isOpen else { return nil }
        for id in HashedIDs.candidates(compiled.definition.stableHash) {
            guard let found = leftovers.blocks[id],
                let difference = found.difference(
                    from: compiled, id, isInUse: leftovers.isInUse, isKnown: isKnown)
            else { continue }
            let block = HeldBlock(
                compiled: compiled, state: .written, missing: difference.missing, surplus: difference.surplus)
            guard blocks.insert(block, found: id) else { continue }
            leftovers.blocks[id] = nil
            return id
        }
        return nil
    }

    private func isKnown(_ bits: AuthzBits) -> Bool {
        bits.dimension == .identity
            ? identities.name(of: bits.value) != nil : identities.namespaceName(of: bits.value) != nil
    }

    /// How an earlier run had divided the layer: by the policies of the terms in the blocks of its workloads.
    func foundDefinitions(of layer: LayerKey, _ forms: [PolicyForm]) -> [BlockDefinition] {
        guard leftovers.isOpen else { return [] }
        var byID: [UInt32: PolicyForm] = [:]
        for form in forms {
            for id in HashedIDs.candidates(form.key.stableHash) where byID[id] == nil { byID[id] = form }
        }
        var pieceCounts: [PolicyKey: Int] = [:]
        return foundBlockIDs(of: layer).compactMap { id in
            var definition = BlockDefinition()
            // Another layer may have claimed it already.
            for policyID in leftovers.blocks[id]?.policyIDs ?? blocks[id]?.compiled.policySequence ?? [] {
                guard let form = byID[policyID] else { continue }
                let piece = PolicyPiece(form: form, index: pieceCounts[form.key, default: 0])
                pieceCounts[form.key, default: 0] += 1
                if piece.termCount > 0 { definition.pieces.append(piece) }
            }
            return definition.pieces.isEmpty ? nil : definition
        }
    }

    /// In the order of their views, each once.
    private func foundBlockIDs(of layer: LayerKey) -> [UInt32] {
        var ids: [UInt32] = []
        var known: Set<UInt32> = []
        for (id, assignment) in assignments.sorted(by: { $0.key < $1.key }) {
            guard assignment.layers.contains(layer) else { continue }
            for address in destinations[id]?.addresses ?? [] where destinations.owner(of: address) == id {
                guard let viewID = held.destinations[address],
                    let view = leftovers.views[viewID] ?? views[viewID]
                else { continue }
                for id in view.blockIDs where known.insert(id).inserted { ids.append(id) }
            }
        }
        return ids
    }
}
