/// Which services come into force as the configuration wants them, and which are refused.

extension L4Dataplane {
    /// A service on its way from one form to the next.
    private struct Transition {
        let key: ServiceKey
        let old: AppliedService?
        let new: AppliedService
        /// All but those of frontends.
        let changes: MapChanges
        /// Ids that were given out for it.
        let newIDs: [UInt32]
        var movesFrontends: Bool { !new.hasSameFrontends(as: old ?? AppliedService()) }
    }

    /// Decides which of the services come into force as the configuration wants them, and queues their
    /// writes.
    mutating func plan(_ keys: [ServiceKey]) {
        var transitions: [Transition] = []
        for key in keys {
            do throws(ProjectionError) {
                transitions.append(try transition(of: key))
            } catch {
                rejections[key] = "\(error)"
            }
        }
        let refused = commit(transitions, settle(transitions))
        // Who was refused for the sake of one that is refused itself may be possible alone.
        var left = refused.map { transitions[$0.key] }.sorted { $0.key < $1.key }
        var before = Int.max
        while left.count < before {
            before = left.count
            left.removeAll { commit([$0], settle([$0])).isEmpty }
        }
        for transition in left {
            for id in transition.newIDs { forget(id) }
        }
    }

    private mutating func transition(of key: ServiceKey) throws(ProjectionError) -> Transition {
        let old = inForce[key]
        guard let service = services[key] else {
            var changes = MapChanges()
            for port in old?.ports ?? [] { changes.append(port.removal()) }
            return Transition(key: key, old: old, new: AppliedService(), changes: changes, newIDs: [])
        }
        let wanted = try ServiceProjection(locality: locality, counts: counts).project(
            service, workloads: workloads, clusters: clusters[key])
        var new = AppliedService(addresses: service.ownAddresses, ports: [], waypoint: service.waypoint)
        var changes = MapChanges()
        var newIDs: [UInt32] = []
        for port in wanted {
            var state: ServicePortState
            if let present = old?.port(port.key) {
                state = present
            } else {
                state = ServicePortState(id: ids.allocate(), key: port.key)
                newIDs.append(state.id)
                names[state.id] = key
            }
            changes.append(state.update(to: port))
            new.ports.append(state)
        }
        for port in old?.ports ?? [] where new.port(port.key) == nil { changes.append(port.removal()) }
        return Transition(key: key, old: old, new: new, changes: changes, newIDs: newIDs)
    }

    private struct Settlement {
        var claims = FrontendClaims()
        /// Transitions that cannot be made, by their index.
        var refused: [Int: String] = [:]
    }

    /// Finds transitions that can be made together. A service in force that is refused keeps its frontends,
    /// which may refuse others: so it is tried again without it. When that does not come to an end soon, all
    /// that remain are refused: they can still be made one by one.
    private func settle(_ transitions: [Transition]) -> Settlement {
        var staying: [Int: String] = [:]
        // Each round finds the next of a chain; as many as cost no more than a large update itself.
        for _ in 0..<max(8, 200_000 / max(1, transitions.count)) {
            var settlement = Settlement(refused: staying)
            for (index, transition) in transitions.enumerated() where staying[index] == nil {
                guard transition.movesFrontends, let old = transition.old else { continue }
                settlement.claims.release(old, for: transition.new)
            }
            var added = MapCounts()
            for (index, transition) in transitions.enumerated() where staying[index] == nil {
                if let reason = claim(transition, &settlement.claims, &added) {
                    settlement.refused[index] = reason
                }
            }
            let inForce = settlement.refused.filter { transitions[$0.key].old != nil }
            if inForce.count == staying.count { return settlement }
            staying = inForce
        }
        let all = transitions.indices.map { ($0, "exchanges addresses with too many services at once") }
        return Settlement(refused: Dictionary(uniqueKeysWithValues: all))
    }

    /// Claims frontends and room, or says why that is not possible.
    private func claim(
        _ transition: Transition, _ claims: inout FrontendClaims, _ added: inout MapCounts
    ) -> String? {
        var additions = transition.changes.insertions
        if transition.movesFrontends {
            if let (key, id) = claims.conflict(of: transition.new, in: frontends) {
                let owner = names[id].map { "Service \($0)" } ?? "another service"
                return "wants address \(key.address) with port \(key.port), which belongs to "
                    + "\(owner): give each its own"
            }
            additions.frontends = claims.insertions(of: transition.new, in: frontends)
        }
        let held = reconciler.occupancy + added
        if let reason = held.shortage(adding: additions, capacities: reconciler.capacities) { return reason }
        added += additions
        if transition.movesFrontends { claims.claim(transition.new) }
        return nil
    }

    /// Puts in force what can be made; returns what cannot, by its index.
    private mutating func commit(_ transitions: [Transition], _ settlement: Settlement) -> [Int: String] {
        var changes = MapChanges()
        for (index, transition) in transitions.enumerated() {
            rejections[transition.key] = settlement.refused[index]
            guard settlement.refused[index] == nil else { continue }
            inForce[transition.key] = transition.new.isEmpty ? nil : transition.new
            noteIDs(transition)
            for port in transition.old?.ports ?? [] where transition.new.port(port.key) == nil {
                forget(port.id)
            }
            changes.append(transition.changes)
        }
        changes.frontends = settlement.claims.commit(to: &frontends)
        reconciler.enqueue(changes)
        return settlement.refused
    }

    /// What a service goes through, and what goes through it, may have to be found again.
    private mutating func noteIDs(_ transition: Transition) {
        waypoints.assign(
            transition.key, from: transition.old?.waypoint, to: inForce[transition.key]?.waypoint)
        let ids = { (service: AppliedService?) in service?.ports.map(\.id) ?? [] }
        guard ids(transition.old) != ids(transition.new) else { return }
        waypoints.touchDependents(of: transition.key)
        clusters.renumber(transition.key)
    }

    private mutating func forget(_ serviceID: UInt32) {
        ids.release(serviceID)
        names[serviceID] = nil
    }
}
