import KmeshKit

/// Blocks and views by their numbers in the maps, and how far each has been written.

enum WriteState: Hashable, Sendable {
    /// Not in the maps.
    case planned
    /// Perhaps in part.
    case partial
    case written
}

struct HeldBlock: Sendable {
    var compiled: CompiledBlock
    var state: WriteState
    /// Entries that a written block still lacks.
    var missing: Set<AuthzBits> = []
    /// Entries that an earlier run left in it and nobody needs.
    var surplus: [AuthzBitsKey] = []

    var counts: AuthzCounts { compiled.counts + AuthzCounts(bits: surplus.count) }
}

struct BlockTable: Sendable {
    private(set) var blocks: [UInt32: HeldBlock] = [:]
    private var ids: [BlockDefinition: UInt32] = [:]
    /// Those that say something of identities that they do not mention.
    private var withPatterns: Set<UInt32> = []
    private var numbers = HashedIDs()
    /// Entries of all blocks.
    private(set) var counts = AuthzCounts()

    subscript(id: UInt32) -> HeldBlock? { blocks[id] }

    func id(of definition: BlockDefinition) -> UInt32? { ids[definition] }

    /// - Parameter isFree: whether a number is not an earlier run's.
    mutating func insert(_ block: HeldBlock, where isFree: (UInt32) -> Bool) -> UInt32 {
        let definition = block.compiled.definition
        let id = numbers.allocate(definition.stableHash, where: isFree)
        insert(block, id)
        return id
    }

    /// Enters a block under a number that it was found with. Returns whether the number was free.
    mutating func insert(_ block: HeldBlock, found id: UInt32) -> Bool {
        guard numbers.reserve(id) else { return false }
        insert(block, id)
        return true
    }

    private mutating func insert(_ block: HeldBlock, _ id: UInt32) {
        blocks[id] = block
        ids[block.compiled.definition] = id
        if block.compiled.hasPatterns { withPatterns.insert(id) }
        counts += block.counts
    }

    mutating func remove(_ id: UInt32) -> CompiledBlock? {
        guard let block = blocks.removeValue(forKey: id) else { return nil }
        ids[block.compiled.definition] = nil
        withPatterns.remove(id)
        counts -= block.counts
        numbers.release(id)
        return block.compiled
    }

    mutating func setState(_ id: UInt32, _ state: WriteState) {
        blocks[id]?.state = state
        // Whatever it lacked is written with the whole.
        if state == .written { blocks[id]?.missing = [] }
    }

    /// Adds what blocks say of an identity that a source will have, unless more than `room` entries are new:
    /// then nothing changes. Returns whether that was so.
    mutating func admit(
        _ identity: IdentityTable.Identity, _ namespace: IdentityTable.Namespace, room: Int
    ) -> Bool {
        var added: [(block: UInt32, bits: [AuthzBits])] = []
        var count = 0
        for id in withPatterns {
            guard let new = blocks[id]?.compiled.admit(identity, namespace), !new.isEmpty else { continue }
            added.append((id, new))
            count += new.count
        }
        guard count <= room else {
            for (id, bits) in added {
                for entry in bits { blocks[id]?.compiled.dismiss(entry) }
            }
            return false
        }
        counts.bits += count
        for (id, bits) in added { blocks[id]?.missing.formUnion(bits) }
        return true
    }

    mutating func complete(_ id: UInt32) { blocks[id]?.missing = [] }

    mutating func dismiss(_ bits: AuthzBits, from id: UInt32) {
        guard blocks[id]?.compiled.canDismiss(bits) == true else { return }
        blocks[id]?.compiled.dismiss(bits)
        blocks[id]?.missing.remove(bits)
        counts.bits -= 1
    }

    /// Whether a block may still have an entry that an earlier run made for the number.
    func isSurplus(_ identityID: UInt32, _ namespaceID: UInt32) -> Bool {
        blocks.values.contains { block in
            block.surplus.contains { key in
                key.dimension == AuthzDimension.identity.rawValue && key.value == identityID
                    || key.dimension == AuthzDimension.namespace.rawValue && key.value == namespaceID
            }
        }
    }

    mutating func dropSurplus(_ id: UInt32) {
        counts.bits -= blocks[id]?.surplus.count ?? 0
        blocks[id]?.surplus = []
    }
}

struct ViewTable: Sendable {
    private(set) var views: [UInt32: (value: AuthzViewValue, state: WriteState)] = [:]
    private var ids: [AuthzViewValue: UInt32] = [:]
    private var numbers = HashedIDs()

    subscript(id: UInt32) -> AuthzViewValue? { views[id]?.value }

    func id(of value: AuthzViewValue) -> UInt32? { ids[value] }

    mutating func insert(_ value: AuthzViewValue, where isFree: (UInt32) -> Bool) -> UInt32 {
        let id = numbers.allocate(value.stableHash, where: isFree)
        views[id] = (value, .planned)
        ids[value] = id
        return id
    }

    /// Enters a view that is in the map. Returns whether the number was free.
    mutating func insert(_ value: AuthzViewValue, found id: UInt32) -> Bool {
        guard numbers.reserve(id) else { return false }
        views[id] = (value, .written)
        ids[value] = id
        return true
    }

    mutating func remove(_ id: UInt32) {
        guard let view = views.removeValue(forKey: id) else { return }
        ids[view.value] = nil
        numbers.release(id)
    }

    mutating func setState(_ id: UInt32, _ state: WriteState) { views[id]?.state = state }
}

extension AuthzViewValue {
    /// The same in every run.
    var stableHash: UInt64 {
        var hash = StableHash()
        hash.combine(UInt64(flags))
        for id in blockIDs { hash.combine(UInt64(id)) }
        return hash.value
    }
}
