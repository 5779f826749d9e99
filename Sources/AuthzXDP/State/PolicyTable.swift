import KmeshKit

/// The policies in force, by what they protect.
struct PolicyTable: Sendable {
    private(set) var forms: [PolicyKey: PolicyForm] = [:]
    private var mesh: Set<PolicyKey> = []
    private var namespaces: [String: Set<PolicyKey>] = [:]
    /// Those that workloads have to name, by their namespace.
    private var selecting: [String: Set<PolicyKey>] = [:]

    subscript(key: PolicyKey) -> PolicyForm? { forms[key] }

    /// `nil` removes the policy. Returns what it was.
    mutating func set(_ key: PolicyKey, _ form: PolicyForm?) -> PolicyForm? {
        let old = forms.removeValue(forKey: key)
        switch old?.policy.scope {
        case .mesh: mesh.remove(key)
        case .namespace:
            namespaces[key.namespace]?.remove(key)
            if namespaces[key.namespace]?.isEmpty == true { namespaces[key.namespace] = nil }
        case .workloads:
            selecting[key.namespace]?.remove(key)
            if selecting[key.namespace]?.isEmpty == true { selecting[key.namespace] = nil }
        case .targets, nil: break
        }
        forms[key] = form
        switch form?.policy.scope {
        case .mesh: mesh.insert(key)
        case .namespace: namespaces[key.namespace, default: []].insert(key)
        case .workloads: selecting[key.namespace, default: []].insert(key)
        case .targets, nil: break
        }
        return old
    }

    /// Whether the namespace has policies for some of its workloads.
    func hasSelecting(in namespace: String) -> Bool { selecting[namespace] != nil }

    /// Sorted by name. Of the policies that workloads name only those that are there, and mean to be named.
    func forms(of layer: LayerKey) -> [PolicyForm] {
        switch layer {
        case .mesh: mesh.sorted().compactMap { forms[$0] }
        case .namespace(let name): namespaces[name]?.sorted().compactMap { forms[$0] } ?? []
        case .attached(let keys):
            keys.compactMap { forms[$0] }.filter { $0.policy.scope == .workloads }
        }
    }
}

extension AuthorizationPolicy {
    /// Whether `layer` has policies that protect what the policy protects.
    func protects(_ layer: LayerKey) -> Bool {
        switch (scope, layer) {
        case (.mesh, .mesh): true
        case (.namespace, .namespace(let name)): key.namespace == name
        case (.workloads, .attached(let keys)): keys.contains(key)
        case (.mesh, _), (.namespace, _), (.workloads, _), (.targets, _): false
        }
    }
}

/// The numbers of policies in the maps. A policy keeps its number, and so what it has counted, for as long
/// as a block has terms of it.
struct PolicyNumbers: Sendable {
    private var ids: [PolicyKey: UInt32] = [:]
    private var names: [UInt32: PolicyKey] = [:]
    private var uses: [PolicyKey: Int] = [:]
    private var numbers = HashedIDs()
    /// Entries that are in the map, or may be.
    private(set) var present: Set<UInt32> = []
    /// Those of them that are.
    private var written: Set<UInt32> = []
    /// Entries that have to be written.
    private(set) var missing: Set<UInt32> = []

    init(present: Set<UInt32> = []) { (self.present, written) = (present, present) }

    func id(of key: PolicyKey) -> UInt32? { ids[key] }
    func name(of id: UInt32) -> PolicyKey? { names[id] }

    /// Entries, with those that have to be written.
    var count: Int { present.count + missing.count { !present.contains($0) } }

    /// Those that blocks use.
    var wanted: [UInt32] { uses.keys.compactMap { ids[$0] } }

    /// A block has terms of the policy.
    mutating func retain(_ key: PolicyKey) -> UInt32 {
        uses[key, default: 0] += 1
        let id = ids[key] ?? numbers.allocate(key.stableHash)
        ids[key] = id
        names[id] = key
        if !written.contains(id) { missing.insert(id) }
        return id
    }

    mutating func release(_ key: PolicyKey) {
        guard let count = uses[key], let id = ids[key] else { return }
        uses[key] = count > 1 ? count - 1 : nil
        guard count == 1 else { return }
        missing.remove(id)
        // What may be in the map keeps its number until it is removed.
        if !present.contains(id) { free(id) }
    }

    mutating func beginWriting(_ ids: Set<UInt32>) { present.formUnion(ids) }

    mutating func endWriting(_ ids: Set<UInt32>) {
        missing.subtract(ids)
        written.formUnion(ids)
    }

    /// Entries that no block uses, but for those that `isKept`.
    func unused(besides isKept: (UInt32) -> Bool) -> [UInt32] {
        present.filter { id in
            let isUsed = names[id].map { uses[$0] != nil } ?? false
            return !isUsed && !isKept(id)
        }.sorted()
    }

    mutating func removed(_ removed: [UInt32]) {
        for id in removed {
            present.remove(id)
            written.remove(id)
            free(id)
        }
    }

    private mutating func free(_ id: UInt32) {
        guard let name = names.removeValue(forKey: id) else { return }
        ids[name] = nil
        numbers.release(id)
    }
}

extension PolicyKey {
    /// The same in every run.
    var stableHash: UInt64 {
        var hash = StableHash()
        hash.combine(self)
        return hash.value
    }
}
