import KmeshKit

/// Which changes come into force as the configuration wants them, and which are refused.

extension AuthorizationDataplane {
    /// What is brought into force or refused as a whole.
    enum Unit: Sendable {
        /// `nil` removes the policy.
        case policy(PolicyKey, PolicyForm?)
        case workload(LocalWorkload.ID)
    }

    /// Why an attempt failed.
    private struct Shortage: Error {
        let reason: String
    }

    /// How many attempts may fail before what is left is refused together; it is tried again when there is
    /// more room.
    private static var failureLimit: Int { 128 }

    /// Decides which of the changes come into force, and prepares what has to be written. All of them, if
    /// that is possible, also by removing first what nothing leads to; otherwise as many as can be found by
    /// halving.
    mutating func plan(_ units: [Unit], _ update: inout AuthorizationUpdate) {
        var failures = 0
        plan(units[...], &failures, &update)
        prune()
    }

    private mutating func plan(
        _ units: ArraySlice<Unit>, _ failures: inout Int, _ update: inout AuthorizationUpdate
    ) {
        guard !units.isEmpty else { return }
        do throws(Shortage) {
            try attempt(units)
            for unit in units { accept(unit) }
        } catch {
            failures += 1
            if failures == 1, sweep(&update) > 0 { return plan(units, &failures, &update) }
            guard units.count > 1, failures < Self.failureLimit else {
                for unit in units { refuse(unit, error.reason) }
                return
            }
            let middle = units.startIndex + units.count / 2
            plan(units[..<middle], &failures, &update)
            plan(units[middle...], &failures, &update)
        }
    }

    private mutating func accept(_ unit: Unit) {
        switch unit {
        case .policy(let key, _):
            // A later form in the same changes that cannot be compiled stays refused.
            if refusals[key]?.unit != nil { refusals[key] = nil }
        case .workload(let id): delayed[id] = nil
        }
    }

    private mutating func refuse(_ unit: Unit, _ reason: String) {
        switch unit {
        case .policy(let key, let form):
            // One that is to go and cannot, for what is left of its block needs room, is in force still.
            guard let policy = form?.policy ?? policies[key]?.policy else { return }
            refusals[key] = Refusal(policy: policy, unit: unit, reason: reason)
        case .workload(let id):
            delayed[id] = reason
        }
    }

    /// Makes the changes, or none of them.
    private mutating func attempt(_ units: ArraySlice<Unit>) throws(Shortage) {
        let before = (layers: layers, assignments: assignments, counts: counts)
        var replaced: [(PolicyKey, PolicyForm?)] = []
        var touched: Set<LayerKey> = []
        var named: Set<PolicyKey> = []
        for unit in units {
            switch unit {
            case .policy(let key, let form):
                let old = policies.set(key, form)
                replaced.append((key, old))
                guard old?.policy != form?.policy else { continue }
                for scope in [old?.policy.scope, form?.policy.scope] {
                    switch scope {
                    case .mesh: touched.insert(.mesh)
                    case .namespace: touched.insert(.namespace(key.namespace))
                    case .workloads: named.insert(key)
                    case .targets, nil: break
                    }
                }
            case .workload(let id):
                let wanted = destinations[id].map { wantedAssignment(of: $0) }
                assignments[id] = wanted
            }
        }
        for case .attached(let keys) in layers.keys where keys.contains(where: named.contains) {
            touched.insert(.attached(keys))
        }
        do throws(Shortage) {
            try arrange(touched)
            let after = counts
            var added = after
            added -= before.counts
            if let reason = before.counts.shortage(adding: added, capacities: maps.capacities) {
                throw Shortage(reason: reason)
            }
        } catch {
            (layers, assignments) = (before.layers, before.assignments)
            for (key, form) in replaced.reversed() { _ = policies.set(key, form) }
            prune()
            throw error
        }
    }

    private func wantedAssignment(of workload: LocalWorkload) -> Assignment {
        Assignment(namespace: workload.pod.namespace, attached: record(of: workload)?.policies ?? [])
    }

    /// The mesh's workload that the pod is: by its name, or else one of its namespace by an address. What
    /// names the address from another namespace says nothing of the pod.
    func record(of workload: LocalWorkload) -> SourceTable.Record? {
        let namespace = workload.pod.namespace
        return sources[workload.pod.workloadUID]
            ?? workload.addresses.lazy.compactMap { sources.record(at: $0, in: namespace) }.first
    }

    /// Divides the layers in use into blocks, of which those in `touched` have changed, and gives each
    /// workload its view.
    private mutating func arrange(_ touched: Set<LayerKey>) throws(Shortage) {
        var inUse: Set<LayerKey> = []
        for assignment in assignments.values { inUse.formUnion(assignment.layers) }
        for key in inUse where layers[key] == nil || touched.contains(key) {
            let forms = policies.forms(of: key)
            let old = layers[key]?.definitions ?? foundDefinitions(of: key, forms)
            layers[key] = layer(of: forms, LayerPacking.pack(forms, into: old))
        }
        for assignment in assignments.values where blockCount(of: assignment) > AuthzViewValue.blockLimit {
            try compact(assignment)
        }
        for (id, assignment) in assignments {
            let parts = assignment.layers.compactMap { layers[$0] }
            let view = AuthzViewValue(
                flags: parts.reduce(0) { $0 | $1.flags }, blockIDs: parts.flatMap(\.blockIDs))
            let viewID = viewID(of: view)
            assignments[id]?.viewID = viewID
        }
    }

    private func blockCount(of assignment: Assignment) -> Int {
        assignment.layers.reduce(0) { $0 + (layers[$1]?.blockIDs.count ?? 0) }
    }

    /// Divides the layers of a workload that has too many blocks anew, as tightly as possible.
    private mutating func compact(_ assignment: Assignment) throws(Shortage) {
        for key in assignment.layers {
            let forms = policies.forms(of: key)
            layers[key] = layer(of: forms, LayerPacking.pack(forms, into: []))
        }
        let count = blockCount(of: assignment), limit = AuthzViewValue.blockLimit
        guard count > limit else { return }
        throw Shortage(
            reason: "makes the policies that protect a workload of namespace \(assignment.namespace) take "
                + "\(count) blocks of \(TermVector.capacity) terms, of which one can have \(limit): remove "
                + "policies, or write rules with fewer alternatives")
    }

    private mutating func layer(of forms: [PolicyForm], _ definitions: [BlockDefinition]) -> Layer {
        Layer(
            definitions: definitions, blockIDs: definitions.map { blockID(of: $0) },
            flags: forms.reduce(0) { $0 | $1.policy.viewFlags })
    }

    private mutating func blockID(of definition: BlockDefinition) -> UInt32 {
        if let id = blocks.id(of: definition) { return id }
        let ids = definition.pieces.map { numbers.retain($0.form.key) }
        let compiled = CompiledBlock(definition, &identities, policies: ids)
        if let id = claim(compiled) { return id }
        return blocks.insert(
            HeldBlock(compiled: compiled, state: .planned), where: { leftovers.blocks[$0] == nil })
    }

    private mutating func viewID(of view: AuthzViewValue) -> UInt32 {
        if let id = views.id(of: view) { return id }
        for id in HashedIDs.candidates(view.stableHash) where leftovers.views[id] == view {
            guard views.insert(view, found: id) else { continue }
            leftovers.views[id] = nil
            return id
        }
        return views.insert(view, where: { leftovers.views[$0] == nil })
    }

    /// Forgets what was planned and is not needed; nothing of it is in the maps.
    private mutating func prune() {
        var inUse: Set<LayerKey> = []
        for assignment in assignments.values { inUse.formUnion(assignment.layers) }
        layers = layers.filter { inUse.contains($0.key) }
        let wanted = wantedBlockIDs
        for (id, block) in blocks.blocks where block.state == .planned && !wanted.contains(id) {
            forget(block: id)
        }
        let wantedViews = Set(assignments.values.map(\.viewID))
        for (id, view) in views.views where view.state == .planned && !wantedViews.contains(id) {
            views.remove(id)
        }
    }

    var wantedBlockIDs: Set<UInt32> { Set(layers.values.flatMap(\.blockIDs)) }

    /// Forgets a block that is not in the maps any more.
    mutating func forget(block id: UInt32) {
        guard let compiled = blocks.remove(id) else { return }
        compiled.withdraw(from: &identities)
        for piece in compiled.definition.pieces { numbers.release(piece.form.key) }
    }

    /// Entries in the maps, or on their way there.
    var counts: AuthzCounts {
        let new = destinations.addresses.count { held.destinations[$0] == nil && wantedView($0) != nil }
        let own = AuthzCounts(
            sources: held.sources.count, destinations: held.destinations.count + new,
            views: views.views.count, policies: numbers.count, probes: held.probes.count)
        return own + blocks.counts + leftovers.counts
    }
}

/// Changes, each thing once and the later one of two.
struct UnitList {
    private var policies: [PolicyKey: PolicyForm?] = [:]
    private var workloads: Set<LocalWorkload.ID> = []

    mutating func insert(_ key: PolicyKey, _ form: PolicyForm?) { policies[key] = .some(form) }
    mutating func remove(_ key: PolicyKey) { policies.removeValue(forKey: key) }
    mutating func insert(_ id: LocalWorkload.ID) { workloads.insert(id) }

    /// Equal changes lead to equal blocks, in whatever order they come.
    var list: [AuthorizationDataplane.Unit] {
        policies.sorted { $0.key < $1.key }.map { .policy($0.key, $0.value) }
            + workloads.sorted().map { .workload($0) }
    }
}
