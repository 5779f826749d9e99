internal import CKmeshABI
import KmeshKit

/// A block with all that belongs to it. It never changes once it is in the maps, but for entries of
/// identities and namespaces that no source has yet, or has any more.
struct CompiledBlock: Sendable {
    let definition: BlockDefinition
    let value: AuthzBlockValue
    /// By the numbers of `IdentityTable`.
    private(set) var identities: [UInt32: TermVector] = [:]
    private(set) var namespaces: [UInt32: TermVector] = [:]
    let ports: [PortVectors.Entry]
    let sources: [AddressVectors.Entry]
    let destinations: [AddressVectors.Entry]
    /// The policy of each term, as the maps know it.
    let policyIDs: [UInt32]
    private var vectors: IdentityVectors
    /// Whose entries stay, whether a source has them or not.
    private var pinnedIdentities: Set<UInt32> = []
    private var pinnedNamespaces: Set<UInt32> = []

    /// Compiles a block, and notes in `table` what it mentions.
    /// - Parameter policies: the number of each piece's policy.
    init(_ definition: BlockDefinition, _ table: inout IdentityTable, policies: [UInt32]) {
        self.definition = definition
        let terms = definition.pieces.flatMap { $0.terms() }
        vectors = IdentityVectors(terms.map(\.identity))
        let ports = PortVectors(terms.map(\.port))
        let sources = AddressVectors(terms.map(\.source))
        let destinations = AddressVectors(terms.map(\.destination))
        var dimensions: UInt32 = 0
        if vectors.tellsIdentitiesApart { dimensions |= AuthzDimension.identity.mask }
        if vectors.tellsNamespacesApart { dimensions |= AuthzDimension.namespace.mask }
        if !ports.entries.isEmpty { dimensions |= AuthzDimension.port.mask }
        if !sources.entries.isEmpty { dimensions |= AuthzDimension.source.mask }
        if !destinations.entries.isEmpty { dimensions |= AuthzDimension.destination.mask }
        var value = AuthzBlockValue(
            wordCount: UInt32((terms.count + 63) / 64), dimensions: dimensions)
        (value.identified, value.unidentified) = (vectors.identified, vectors.unidentified)
        (value.port, value.source, value.destination) = (ports.others, sources.outside, destinations.outside)
        var policyIDs: [UInt32] = []
        for (piece, id) in zip(definition.pieces, policies) {
            let path = piece.form.policy.effect
            for _ in 0..<piece.termCount {
                value[keyPath: path][policyIDs.count] = true
                policyIDs.append(id)
            }
        }
        self.value = value
        (self.ports, self.sources, self.destinations) = (
            ports.entries, sources.entries, destinations.entries
        )
        self.policyIDs = policyIDs
        addIdentities(&table)
    }

    private mutating func addIdentities(_ table: inout IdentityTable) {
        for name in vectors.mentionedNamespaces {
            let namespace = table.addMention(namespace: name)
            pinnedNamespaces.insert(namespace.id)
            add(namespace)
        }
        if vectors.hasNamespacePatterns {
            for namespace in table.carriedNamespaces { add(namespace) }
        }
        for identity in vectors.mentionedIdentities {
            let record = table.addMention(identity)
            pinnedIdentities.insert(record.id)
            // What the identity is compared with must not change when somebody comes to its namespace.
            if vectors.hasNamespacePatterns, let namespace = table[namespace: identity.namespace] {
                pinnedNamespaces.insert(namespace.id)
                add(namespace)
            }
            add(record)
        }
        if vectors.hasPrincipalPatterns {
            for identity in table.carried where vectors.distinguishes(identity) { add(identity) }
        }
    }

    private mutating func add(_ namespace: IdentityTable.Namespace) {
        let vector = vectors.vector(of: namespace)
        if vector != value.identified { namespaces[namespace.id] = vector }
    }

    private mutating func add(_ identity: IdentityTable.Identity) {
        let vector = vectors.vector(of: identity)
        if vector != namespaces[identity.namespaceID] ?? value.identified {
            identities[identity.id] = vector
        }
    }

    /// Whether it may say something of identities and namespaces that it does not mention.
    var hasPatterns: Bool { vectors.hasPrincipalPatterns || vectors.hasNamespacePatterns }

    /// Adds what the block says of an identity that a source will have. Returns the entries that are new.
    mutating func admit(
        _ identity: IdentityTable.Identity, _ namespace: IdentityTable.Namespace
    ) -> [AuthzBits] {
        var added: [AuthzBits] = []
        if vectors.hasNamespacePatterns, namespaces[namespace.id] == nil {
            add(namespace)
            if namespaces[namespace.id] != nil { added.append(AuthzBits(.namespace, namespace.id)) }
        }
        if vectors.hasPrincipalPatterns, identities[identity.id] == nil, vectors.distinguishes(identity) {
            add(identity)
            if identities[identity.id] != nil { added.append(AuthzBits(.identity, identity.id)) }
        }
        return added
    }

    /// Whether there is an entry for it only because a source had it.
    func canDismiss(_ bits: AuthzBits) -> Bool {
        switch bits.dimension {
        case .identity: identities[bits.value] != nil && !pinnedIdentities.contains(bits.value)
        case .namespace: namespaces[bits.value] != nil && !pinnedNamespaces.contains(bits.value)
        case .port, .source, .destination: false
        }
    }

    mutating func dismiss(_ bits: AuthzBits) {
        switch bits.dimension {
        case .identity: identities[bits.value] = nil
        case .namespace: namespaces[bits.value] = nil
        case .port, .source, .destination: break
        }
    }

    /// The policies of its pieces, in their order.
    var policySequence: [UInt32] {
        policyIDs.reduce(into: []) { ids, id in
            if ids.last != id { ids.append(id) }
        }
    }

    /// Takes back what it mentions.
    func withdraw(from table: inout IdentityTable) {
        for name in vectors.mentionedNamespaces { table.removeMention(namespace: name) }
        for identity in vectors.mentionedIdentities { table.removeMention(identity) }
    }

    var counts: AuthzCounts {
        AuthzCounts(
            blocks: 1, bits: identities.count + namespaces.count + ports.count,
            prefixes: sources.count + destinations.count, terms: policyIDs.count)
    }
}

/// An entry of `km_authz_bits` within its block.
struct AuthzBits: Hashable, Sendable {
    let dimension: AuthzDimension
    let value: UInt32

    init(_ dimension: AuthzDimension, _ value: UInt32) { (self.dimension, self.value) = (dimension, value) }
}

extension AuthorizationPolicy {
    /// The vector that its terms are in.
    fileprivate var effect: WritableKeyPath<AuthzBlockValue, TermVector> {
        switch (action, isDryRun) {
        case (.deny, false): \.deny
        case (.allow, false): \.allow
        case (.deny, true): \.trialDeny
        case (.allow, true): \.trialAllow
        }
    }

    /// The flags of a view that the policy is in.
    var viewFlags: UInt32 {
        guard action == .allow else { return 0 }
        return isDryRun ? KMESH_AUTHZ_VIEW_TRIAL_ALLOW.rawValue : KMESH_AUTHZ_VIEW_ALLOW.rawValue
    }
}

// MARK: - Entries

extension CompiledBlock {
    func bits(_ block: UInt32) -> [MapEntry<AuthzBitsKey, TermVector>] {
        var entries: [MapEntry<AuthzBitsKey, TermVector>] = []
        entries.reserveCapacity(counts.bits)
        for (id, vector) in identities {
            entries.append(MapEntry(AuthzBitsKey(blockID: block, dimension: .identity, value: id), vector))
        }
        for (id, vector) in namespaces {
            entries.append(MapEntry(AuthzBitsKey(blockID: block, dimension: .namespace, value: id), vector))
        }
        for entry in ports {
            entries.append(
                MapEntry(
                    AuthzBitsKey(blockID: block, dimension: .port, value: UInt32(entry.port)), entry.vector))
        }
        return entries
    }

    /// One that there is.
    func entry(_ bits: AuthzBits, _ block: UInt32) -> MapEntry<AuthzBitsKey, TermVector>? {
        let vector = bits.dimension == .identity ? identities[bits.value] : namespaces[bits.value]
        let key = AuthzBitsKey(blockID: block, dimension: bits.dimension, value: bits.value)
        return vector.map { MapEntry(key, $0) }
    }

    func prefixes(_ block: UInt32) -> [MapEntry<AuthzPrefixKey, TermVector>] {
        let entries = { (dimension: AuthzDimension, list: [AddressVectors.Entry]) in
            list.map {
                MapEntry(
                    AuthzPrefixKey(
                        blockID: block, dimension: dimension, address: $0.address,
                        prefixLength: $0.prefixLength), $0.vector)
            }
        }
        return entries(.source, sources) + entries(.destination, destinations)
    }

    func terms(_ block: UInt32) -> [MapEntry<AuthzTermKey, AuthzTermValue>] {
        policyIDs.enumerated().map {
            MapEntry(AuthzTermKey(blockID: block, bit: UInt32($0)), AuthzTermValue(policyID: $1))
        }
    }
}

// MARK: - Verdicts

extension CompiledBlock {
    /// The terms that a connection satisfies, found as the kernel does.
    func matching(
        _ source: AuthzSourceValue?, from address: IPAddress, to destination: IPAddress, port: UInt16
    ) -> TermVector {
        identity(of: source)
            & (AddressVectors.vector(of: address, in: sources) ?? value.source)
            & (AddressVectors.vector(of: destination, in: destinations) ?? value.destination)
            & (ports.first { $0.port == port }?.vector ?? value.port)
    }

    private func identity(of source: AuthzSourceValue?) -> TermVector {
        guard let source, source.identityID != 0 else { return value.unidentified }
        return identities[source.identityID] ?? namespaces[source.namespaceID] ?? value.identified
    }
}
