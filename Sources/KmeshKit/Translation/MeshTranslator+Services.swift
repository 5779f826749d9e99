// Services that must not meet, port names that must exist, and what is emitted for services and nodes.

extension MeshTranslator {
    /// Moves frontends and host names to their new owners. Two owners of one are an error.
    mutating func settleFrontends() throws(TranslationError) {
        let changed = step.services.sorted()
        for slot in changed {
            guard let before = services[slot].emitted else { continue }
            for frontend in before.frontends where frontends[frontend] == slot { own(frontend, nil) }
            if owners[before.key] == slot { own(before.key, nil) }
        }
        for slot in changed {
            guard let model = services[slot].definition?.model else { continue }
            if let other = owners[model.key] {
                throw conflict(slot, with: other, "has the host \(model.key.hostname)")
            }
            own(model.key, slot)
            for frontend in model.frontends {
                if let other = frontends[frontend] { throw conflict(slot, with: other, "uses \(frontend)") }
                own(frontend, slot)
            }
        }
    }

    mutating func restoreFrontends() {
        for (frontend, slot) in step.replacedFrontends.reversed() { frontends[frontend] = slot }
        for (key, slot) in step.replacedOwners.reversed() { owners[key] = slot }
    }

    private mutating func own(_ frontend: Frontend, _ slot: Slot?) {
        step.replacedFrontends.append((frontend, frontends[frontend]))
        frontends[frontend] = slot
    }

    private mutating func own(_ key: ServiceKey, _ slot: Slot?) {
        step.replacedOwners.append((key, owners[key]))
        owners[key] = slot
    }

    private func conflict(_ slot: Slot, with other: Slot, _ what: String) -> TranslationError {
        let message =
            slot == other
            ? "\(what) twice: remove one" : "\(what), as \(services[other].key) does: change one of them"
        return TranslationError(object: services[slot].key, origin: services[slot].origin, message: message)
    }

    /// A named target port that no selected pod declares is a mistake in the name.
    func checkPortNames() throws(TranslationError) {
        for slot in step.portNames.sorted() {
            let record = services[slot]
            guard let definition = record.definition, definition.hasNamedTargets,
                slicesByService[record.key] == nil
            else { continue }
            for port in definition.ports {
                guard case .name(let name) = port.target else { continue }
                guard let pod = podWithout(port, in: record.groups) else { continue }
                throw TranslationError(
                    object: record.key, origin: record.origin,
                    message:
                        "port \(port.port): unknown port name \"\(name)\": no container of a selected pod, "
                        + "such as \(pod), has a \(port.transport?.name ?? "") port of that name")
            }
        }
    }

    /// A live pod of the groups, when none of them has the named port.
    private func podWithout(_ port: Kubernetes.Port, in groups: [Slot]) -> Kubernetes.ObjectKey? {
        var found: Kubernetes.ObjectKey?
        for group in groups {
            for member in labels[group].members {
                guard case .pod(let pod) = workloads[member].object, !pod.isFinished else { continue }
                if port.target(inPodWith: pod.ports) != nil { return nil }
                found = found ?? pod.key
            }
        }
        return found
    }

    mutating func emitServices(into translation: inout Translation) {
        for slot in step.services.sorted() {
            let record = services[slot]
            let model = modelWithWaypoint(of: slot, into: &translation)
            // A host that another object took over in this step is not gone.
            if let before = record.emitted, before.key != model?.key, owners[before.key] == nil {
                translation.changes.append(.remove(.service(before.key)))
            }
            if let model, model != record.emitted { translation.changes.append(.upsert(.service(model))) }
            if model != record.emitted { markPolicies(for: record.key) }
            services[slot].emitted = model
            let endpoints = record.definition.map { self.endpoints(of: record.key, $0) } ?? []
            translation.replace(record.emittedEndpoints, with: endpoints)
            services[slot].emittedEndpoints = endpoints
            guard step.upsertedServices.contains(slot) else { continue }
            translation.warnings += (record.definition?.warnings ?? []).map {
                ObjectWarning(object: record.key, origin: record.origin, message: $0)
            }
        }
    }

    private func endpoints(of key: Kubernetes.ObjectKey, _ definition: ServiceDefinition) -> [Workload] {
        guard let model = definition.model else { return [] }
        var occurrences: [IPAddress: Int] = [:]
        return definition.endpoints.compactMap { endpoint in
            let number = occurrences[endpoint.address, default: 0]
            occurrences[endpoint.address] = number + 1
            let ports = PortMapping.list(definition.ports) { $0.target(overriddenBy: endpoint.ports) }
            guard !ports.isEmpty else { return nil }
            // The same address may be listed again with other ports.
            let suffix = number == 0 ? "" : "#\(number)"
            var workload = Workload(
                uid: "ServiceEntry/\(key.namespace)/\(key.name)/\(endpoint.address)\(suffix)", name: key.name,
                namespace: key.namespace, addresses: [endpoint.address], locality: endpoint.locality,
                weight: endpoint.weight, memberships: [Membership(service: model.key, ports: ports)])
            workload.serviceAccount = endpoint.serviceAccount
            return workload
        }
    }

    mutating func emitNodes(into translation: inout Translation) {
        for name in step.nodes.sorted() {
            guard let record = nodes[name], record.object != record.emitted else { continue }
            if let node = record.object {
                translation.changes.append(.upsert(.node(node)))
            } else {
                translation.changes.append(.remove(.node(name)))
            }
            nodes[name]?.emitted = record.object
        }
    }
}

extension Service {
    var frontends: [Frontend] {
        addresses.flatMap { address in
            ports.map { Frontend(address: address, port: $0.port, transport: $0.transport) }
        }
    }
}

extension Frontend: CustomStringConvertible {
    var description: String {
        "\(address.isV4 ? "\(address)" : "[\(address)]"):\(port)/\(transport.name)"
    }
}

extension PortMapping {
    /// The mappings of those `ports` that `target` finds a port for.
    static func list(_ ports: [Kubernetes.Port], target: (Kubernetes.Port) -> UInt16?) -> [PortMapping] {
        ports.compactMap { port in
            guard let transport = port.transport, let number = target(port) else { return nil }
            return PortMapping(servicePort: port.port, transport: transport, targetPort: number)
        }
    }
}

extension Translation {
    /// Changes that lead from the workloads `old` to `new`. Uids are unique in each.
    mutating func replace(_ old: [Workload], with new: [Workload]) {
        guard old != new else { return }
        var left: [String: Workload] = [:]
        for workload in old { left[workload.uid] = workload }
        for workload in new where left.removeValue(forKey: workload.uid) != workload {
            changes.append(.upsert(.workload(workload)))
        }
        for uid in left.keys.sorted() { changes.append(.remove(.workload(uid: uid))) }
    }
}
