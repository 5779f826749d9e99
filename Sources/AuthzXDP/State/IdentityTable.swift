import KmeshKit

/// Identities and namespaces with their numbers: those of the mesh's workloads, which sources have, and those
/// that blocks mention. What nobody needs any more keeps its number until its entries are gone.
struct IdentityTable: Sendable {
    struct Identity: Sendable {
        let id: UInt32
        let namespaceID: UInt32
        let account: ServiceAccountName
        /// UTF-8 of the names that patterns are compared with, and of what every principal of the namespace
        /// begins with.
        let principal: [UInt8]
        let namespaceText: [UInt8]
        let principalStart: [UInt8]
        fileprivate(set) var workloadCount = 0
        fileprivate(set) var mentionCount = 0
        /// Whether every block has what it says of the identity: only then a source may have it.
        var isReady = false
    }

    struct Namespace: Sendable {
        let id: UInt32
        let text: [UInt8]
        let principalStart: [UInt8]
        /// Identities that workloads have.
        fileprivate(set) var activeCount = 0
        /// Identities of the table, and blocks that mention the namespace.
        fileprivate(set) var referenceCount = 0
    }

    private var identities: [WorkloadIdentity: Identity] = [:]
    private var namespaces: [String: Namespace] = [:]
    private var ids = HashedIDs()
    private var namespaceIDs = HashedIDs()
    private var names: [UInt32: WorkloadIdentity] = [:]
    private var namespaceNames: [UInt32: String] = [:]
    /// Workloads had them, and none has them now; blocks may still have entries for them.
    private(set) var idle: Set<WorkloadIdentity> = []
    private(set) var idleNamespaces: Set<String> = []

    subscript(identity: WorkloadIdentity) -> Identity? { identities[identity] }
    subscript(namespace name: String) -> Namespace? { namespaces[name] }

    func name(of id: UInt32) -> WorkloadIdentity? { names[id] }
    func namespaceName(of id: UInt32) -> String? { namespaceNames[id] }

    func isCarried(_ identity: WorkloadIdentity) -> Bool {
        identities[identity]?.workloadCount ?? 0 > 0 || idle.contains(identity)
    }

    /// Those that sources may have.
    var carried: some Sequence<Identity> {
        identities.lazy.filter { $0.value.workloadCount > 0 || idle.contains($0.key) }.map(\.value)
    }

    /// Namespaces of identities that sources may have.
    var carriedNamespaces: some Sequence<Namespace> {
        namespaces.lazy.filter { $0.value.activeCount > 0 || idleNamespaces.contains($0.key) }.map(\.value)
    }

    /// A workload has the identity.
    mutating func addWorkload(_ identity: WorkloadIdentity) {
        var record = enter(identity)
        record.workloadCount += 1
        identities[identity] = record
        guard record.workloadCount == 1 else { return }
        if idle.remove(identity) == nil { identities[identity]?.isReady = false }
        if namespaces[identity.namespace]?.activeCount == 0 { idleNamespaces.remove(identity.namespace) }
        namespaces[identity.namespace]?.activeCount += 1
    }

    mutating func removeWorkload(_ identity: WorkloadIdentity) {
        guard var record = identities[identity] else { return }
        record.workloadCount -= 1
        identities[identity] = record
        guard record.workloadCount == 0 else { return }
        idle.insert(identity)
        namespaces[identity.namespace]?.activeCount -= 1
        if namespaces[identity.namespace]?.activeCount == 0 { idleNamespaces.insert(identity.namespace) }
    }

    /// A block mentions the identity.
    mutating func addMention(_ identity: WorkloadIdentity) -> Identity {
        var record = enter(identity)
        record.mentionCount += 1
        identities[identity] = record
        return record
    }

    mutating func removeMention(_ identity: WorkloadIdentity) {
        identities[identity]?.mentionCount -= 1
        leave(identity)
    }

    mutating func addMention(namespace name: String) -> Namespace {
        var record = enter(namespace: name)
        record.referenceCount += 1
        namespaces[name] = record
        return record
    }

    mutating func removeMention(namespace name: String) {
        namespaces[name]?.referenceCount -= 1
        leave(namespace: name)
    }

    mutating func setReady(_ identity: WorkloadIdentity) { identities[identity]?.isReady = true }

    /// No block has an entry for what is idle any more, but where it mentions it.
    mutating func retire(_ identity: WorkloadIdentity) {
        idle.remove(identity)
        identities[identity]?.isReady = false
        leave(identity)
    }

    mutating func retire(namespace name: String) {
        idleNamespaces.remove(name)
        leave(namespace: name)
    }

    /// Gives an identity and its namespace the numbers that an earlier run gave them, if it can have been
    /// those.
    mutating func adopt(_ identity: WorkloadIdentity, id: UInt32, namespaceID: UInt32) {
        let name = identity.namespace
        if namespaces[name] == nil, HashedIDs.candidates(Self.hash(ofNamespace: name)).contains(namespaceID),
            namespaceIDs.reserve(namespaceID)
        {
            enter(namespace: name, id: namespaceID)
        }
        guard identities[identity] == nil, HashedIDs.candidates(identity.stableHash).contains(id),
            ids.reserve(id)
        else { return }
        enter(identity, id: id)
    }

    private mutating func enter(_ identity: WorkloadIdentity) -> Identity {
        if let record = identities[identity] { return record }
        return enter(identity, id: ids.allocate(identity.stableHash))
    }

    @discardableResult
    private mutating func enter(_ identity: WorkloadIdentity, id: UInt32) -> Identity {
        var namespace = enter(namespace: identity.namespace)
        namespace.referenceCount += 1
        namespaces[identity.namespace] = namespace
        names[id] = identity
        let record = Identity(
            id: id, namespaceID: namespace.id,
            account: ServiceAccountName(namespace: identity.namespace, name: identity.serviceAccount),
            principal: Array(identity.principal.utf8), namespaceText: namespace.text,
            principalStart: namespace.principalStart)
        identities[identity] = record
        return record
    }

    private mutating func enter(namespace name: String) -> Namespace {
        if let record = namespaces[name] { return record }
        return enter(namespace: name, id: namespaceIDs.allocate(Self.hash(ofNamespace: name)))
    }

    private static func hash(ofNamespace name: String) -> UInt64 {
        var hash = StableHash()
        hash.combine(name)
        return hash.value
    }

    @discardableResult
    private mutating func enter(namespace name: String, id: UInt32) -> Namespace {
        namespaceNames[id] = name
        let start = WorkloadIdentity(namespace: name, serviceAccount: "").principal
        let record = Namespace(id: id, text: Array(name.utf8), principalStart: Array(start.utf8))
        namespaces[name] = record
        return record
    }

    private mutating func leave(_ identity: WorkloadIdentity) {
        guard let record = identities[identity], record.workloadCount == 0, record.mentionCount == 0,
            !idle.contains(identity)
        else { return }
        identities[identity] = nil
        names[record.id] = nil
        ids.release(record.id)
        namespaces[identity.namespace]?.referenceCount -= 1
        leave(namespace: identity.namespace)
    }

    private mutating func leave(namespace name: String) {
        guard let record = namespaces[name], record.referenceCount == 0, record.activeCount == 0,
            !idleNamespaces.contains(name)
        else { return }
        namespaces[name] = nil
        namespaceNames[record.id] = nil
        namespaceIDs.release(record.id)
    }
}

extension WorkloadIdentity {
    /// The same in every run.
    var stableHash: UInt64 {
        var hash = StableHash()
        hash.combine(principal)
        return hash.value
    }
}
