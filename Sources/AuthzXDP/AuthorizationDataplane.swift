public import KmeshKit

/// Authorization at L4: keeps policies and the maps in step. A policy is in force on all workloads that it
/// protects or on none, and what is refused leaves what ran before it.
///
/// For a connection the change of a policy is one step: its destination leads to the old view or to the new
/// one. So is the change of a source's identity. Where one update changes both, the policies change first.
public struct AuthorizationDataplane: Sendable {
    let maps: AuthzMaps
    let grace: any GracePeriod

    // What is wanted.
    var sources = SourceTable()
    var destinations = DestinationTable()
    var policies = PolicyTable()
    /// Policies that the configuration has and that are not in force as it wants them.
    var refusals: [PolicyKey: Refusal] = [:]
    /// Enrolled workloads that are not protected as the configuration wants it, and why.
    var delayed: [LocalWorkload.ID: String] = [:]
    /// Whether a configuration was applied. Before that nothing is known, and what an earlier run left stays.
    private(set) var isConfigured = false

    // What it comes to.
    var identities = IdentityTable()
    var layers: [LayerKey: Layer] = [:]
    var assignments: [LocalWorkload.ID: Assignment] = [:]
    var blocks = BlockTable()
    var views = ViewTable()
    var numbers = PolicyNumbers()

    // What is in the maps, and what still has to be written.
    var held = HeldEntries()
    var leftovers = Leftovers()
    var arrivals: Set<WorkloadIdentity> = []
    var dirtySources: Set<IPAddress> = []
    /// How far the look for drift has come.
    var drift = AuthzDriftRound()
    /// Pods whose probes found no room in their map.
    var withoutProbes: Set<LocalWorkload.ID> = []
    /// Why writes wait.
    public internal(set) var stall: MapError?

    struct Refusal: Sendable {
        /// What was refused, or what could not go.
        let policy: AuthorizationPolicy
        /// What is tried again; `nil` for a policy that cannot be compiled.
        let unit: Unit?
        let reason: String
    }

    struct Layer: Sendable {
        var definitions: [BlockDefinition]
        var blockIDs: [UInt32]
        var flags: UInt32
    }

    /// What protects an enrolled workload.
    struct Assignment: Hashable, Sendable {
        let namespace: String
        let attached: [PolicyKey]
        var viewID: UInt32 = 0

        var layers: [LayerKey] {
            attached.isEmpty
                ? [.mesh, .namespace(namespace)] : [.mesh, .namespace(namespace), .attached(attached)]
        }
    }

    public init(maps: AuthzMaps, grace: any GracePeriod) {
        self.maps = maps
        self.grace = grace
    }

    /// Applies workloads and policies of `changes` as one step; the first call has the whole configuration.
    /// `rejected` are those of them that cannot be in force. What finds no room is tried again when something
    /// went.
    public mutating func apply(_ changes: [ResourceChange<MeshResource>]) -> AuthorizationUpdate {
        if !isConfigured { adoptIdentities(changes) }
        var units = UnitList()
        for change in changes { record(change, &units) }
        if !isConfigured {
            isConfigured = true
            for id in destinations.workloads.keys { units.insert(id) }
            dirtySources.formUnion(held.sources.keys)
            dirtySources.formUnion(sources.nodeAddresses)
            dirtySources.formUnion(destinations.addresses)
        }
        var update = settle(units.list)
        update.rejected = changes.compactMap { change in
            rejection(of: change.name).map { RejectedResource(name: change.name, reason: $0) }
        }
        return update
    }

    /// Protects a workload from now on; until the first configuration is applied, whatever comes to it is
    /// decided by the programs' default. Protecting one again replaces what is known about it.
    @discardableResult
    public mutating func protect(_ workload: LocalWorkload) throws(AuthorizationError) -> AuthorizationUpdate
    {
        // New addresses may find no room, and then must not be counted on.
        let old = destinations[workload.id]
        if old?.addresses != workload.addresses { assignments[workload.id] = nil }
        // An address of an enrolled pod is that pod's, whoever else names it.
        dirtySources.formUnion((old?.addresses ?? []) + workload.addresses)
        destinations.insert(workload)
        guard isConfigured else { return AuthorizationUpdate() }
        let update = settle([.workload(workload.id)])
        if let reason = delayed[workload.id] { throw .noRoom(pod: workload.pod, reason: reason) }
        if let stall { throw .map(stall) }
        return update
    }

    /// The workload is not protected any more. One that is not known is fine.
    @discardableResult
    public mutating func release(_ id: LocalWorkload.ID) throws(AuthorizationError) -> AuthorizationUpdate {
        guard let old = destinations[id] else { return AuthorizationUpdate() }
        dirtySources.formUnion(old.addresses)
        destinations.remove(id)
        delayed[id] = nil
        assignments[id] = nil
        guard isConfigured else { return AuthorizationUpdate() }
        let update = settle([])
        if let stall { throw .map(stall) }
        return update
    }

    /// The addresses of this node, where kubelet's probes come from.
    @discardableResult
    public mutating func setNodeAddresses(_ addresses: [IPAddress]) -> AuthorizationUpdate {
        let changed = sources.setNodeAddresses(Set(addresses))
        dirtySources.formUnion(changed)
        guard isConfigured, !changed.isEmpty else { return AuthorizationUpdate() }
        return settle([])
    }

    /// Writes again what a map refused for the moment, and removes what nothing leads to any more. Called
    /// about once a second.
    @discardableResult
    public mutating func tend() -> AuthorizationUpdate {
        var update = AuthorizationUpdate()
        guard isConfigured else { return update }
        let hasFreed = flush(&update)
        if sweep(&update) > 0 || hasFreed { update.add(settle(waiting)) }
        return update
    }

    /// Whether something waits for the next `tend`: writes, or what has to be removed.
    public var hasPendingWrites: Bool { stall != nil || !victims.isEmpty }

    /// Entries in the maps, or on their way there.
    public var entryCounts: AuthzCounts { counts }

    /// The policy that the maps know by the number.
    public func policy(numbered id: UInt32) -> PolicyKey? { numbers.name(of: id) }

    /// Brings changes into force, then those that did not fit as long as others make room for them.
    private mutating func settle(_ units: [Unit]) -> AuthorizationUpdate {
        var update = AuthorizationUpdate()
        var units = units
        var isTriedAgain: Bool
        repeat {
            plan(units, &update)
            let hasFreed = flush(&update)
            units = waiting
            let waits = !units.isEmpty || !arrivals.isEmpty || !dirtySources.isEmpty
            isTriedAgain = waits && (sweep(&update) > 0 || hasFreed)
        } while isTriedAgain
        return update
    }

    private var waiting: [Unit] {
        refusals.sorted { $0.key < $1.key }.compactMap { _, refusal in
            refusal.unit
        } + delayed.keys.sorted().map { .workload($0) }
    }

    private mutating func record(_ change: ResourceChange<MeshResource>, _ units: inout UnitList) {
        switch change {
        case .upsert(.policy(let policy)): record(policy.key, policy, &units)
        case .remove(.policy(let key)): record(key, nil, &units)
        case .upsert(.workload(let workload)):
            record(workload.uid, SourceTable.Record(workload), &units)
        case .remove(.workload(let uid)): record(uid, nil, &units)
        case .upsert(.service), .upsert(.node), .upsert(.routes), .remove(.service), .remove(.node),
            .remove(.routes), .upsert(.listener), .upsert(.cluster), .remove(.listener), .remove(.cluster):
            break
        }
    }

    private mutating func record(
        _ key: PolicyKey, _ policy: AuthorizationPolicy?, _ units: inout UnitList
    ) {
        refusals[key] = nil
        var form: PolicyForm?
        if let policy, !policy.scope.isOfTargets {
            do throws(PolicyFormError) {
                form = try PolicyForm(policy)
            } catch {
                refusals[key] = Refusal(policy: policy, unit: nil, reason: "\(error)")
                units.remove(key)
                return
            }
        }
        // As it is in force already, there is nothing to do.
        if policies[key]?.policy == form?.policy { units.remove(key) } else { units.insert(key, form) }
    }

    private mutating func record(_ uid: String, _ record: SourceTable.Record?, _ units: inout UnitList) {
        let old = sources.set(uid, record)
        guard old != record else { return }
        if old?.identity != record?.identity {
            if let identity = record?.identity {
                identities.addWorkload(identity)
                if identities[identity]?.isReady == false { arrivals.insert(identity) }
            }
            if let identity = old?.identity { identities.removeWorkload(identity) }
        }
        let addresses = (old?.addresses ?? []) + (record?.addresses ?? [])
        dirtySources.formUnion(addresses + destinations.addresses(ofPod: uid))
        for id in destinations.candidates(uid, addresses) { units.insert(id) }
    }

    private func rejection(of name: MeshResourceName) -> String? {
        switch name {
        case .policy(let key): return refusals[key]?.reason ?? waitingReason(of: key)
        case .workload(let uid):
            guard let record = sources[uid] else { return nil }
            for id in destinations.candidates(uid, record.addresses).sorted() {
                if let reason = delayed[id] { return reason }
                if withoutProbes.contains(id) {
                    return "has ports that kubelet probes and for which map \(maps.probes.name) has no room: "
                        + "give the map more capacity"
                }
            }
            if stall == nil, let address = record.addresses.first(where: dirtySources.contains) {
                return "is not known by its address \(address): map \(maps.sources.name) or "
                    + "\(maps.bits.name) has no room; give it more capacity, or remove workloads"
            }
            return nil
        case .service, .node, .routes, .listener, .cluster: return nil
        }
    }
}

extension PolicyScope {
    fileprivate var isOfTargets: Bool {
        if case .targets = self { return true }
        return false
    }
}

extension AuthorizationUpdate {
    fileprivate mutating func add(_ other: AuthorizationUpdate) {
        writes += other.writes
        destinations += other.destinations
        sources += other.sources
    }
}
