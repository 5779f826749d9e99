// Which services and workloads go through which waypoint.

/// What a Gateway that is named as waypoint is worth.
private enum WaypointState {
    case usable(Service, WaypointScope)
    case unusable(String)
}

extension MeshTranslator {
    /// Whether a Gateway makes the service of this key a waypoint's.
    func isWaypointService(_ key: Kubernetes.ObjectKey) -> Bool {
        guard key.kind == .service else { return false }
        return gateways[key.waypointGateway]?.object.isWaypoint ?? false
    }

    /// Whether the slice lists instances of a waypoint.
    func servesWaypoint(_ slice: Kubernetes.EndpointSlice) -> Bool {
        guard let key = slice.serviceKey, let slot = slots[key] else { return false }
        return services[slot].definition?.isWaypoint ?? false
    }

    // MARK: Marks

    /// Marks what a Gateway means when it becomes a waypoint, or another, or none.
    mutating func waypointChanged(from old: Kubernetes.Gateway?, to new: Kubernetes.Gateway?) {
        let scopes = [old, new].map { $0.flatMap { $0.isWaypoint ? $0.scope : nil } }
        guard scopes[0] != scopes[1], let gateway = new ?? old else { return }
        if let slot = slots[gateway.serviceKey], let object = services[slot].object {
            step.services.insert(slot)
            markRoutes(to: gateway.serviceKey)
            install(define(object), at: slot)
        }
        markUsers(of: gateway.key)
    }

    /// Marks what goes through a waypoint whose service has changed.
    mutating func markUsers(of service: Slot) {
        let key = services[service].key
        if isWaypointService(key) { markUsers(of: key.waypointGateway) }
    }

    private mutating func markUsers(of gateway: Kubernetes.ObjectKey) {
        step.services.formUnion(servicesByGateway[gateway] ?? [])
        for group in labels.groups(naming: gateway) { step.workloads.formUnion(labels[group].members) }
        for (name, record) in namespaces where record.waypoint?.gateway(in: name) == gateway {
            markNamespace(name)
        }
    }

    /// Marks what takes its waypoint from the namespace.
    mutating func markNamespace(_ name: String) {
        step.namespaces.insert(name)
        for slot in servicesByNamespace[name] ?? [] where services[slot].object?.waypoint == nil {
            step.services.insert(slot)
        }
        for group in labels.groupsWithoutWaypoint(in: name) {
            step.workloads.formUnion(labels[group].members)
        }
    }

    mutating func indexWaypoint(
        of slot: Slot, from old: ServiceRecord.Object?, to new: ServiceRecord.Object?
    ) {
        let namespace = services[slot].key.namespace
        if old == nil, new != nil { servicesByNamespace.append(slot, to: namespace) }
        if old != nil, new == nil { servicesByNamespace.removeOne(slot, from: namespace) }
        if let gateway = old?.waypoint?.gateway(in: namespace) {
            servicesByGateway.removeOne(slot, from: gateway)
        }
        if let gateway = new?.waypoint?.gateway(in: namespace) {
            servicesByGateway.append(slot, to: gateway)
        }
    }

    // MARK: Resolution

    /// What an object with a choice of its own, or without, goes through. A problem is one of its own choice.
    private func waypoint(
        _ choice: Kubernetes.WaypointChoice?, in namespace: String, for scope: WaypointScope
    ) -> (reference: WaypointReference?, service: Service?, problem: String?) {
        guard let gateway = (choice ?? namespaces[namespace]?.waypoint)?.gateway(in: namespace) else {
            return (nil, nil, nil)
        }
        let problem: String
        switch state(of: gateway) {
        case .usable(let service, let allowed) where allowed.contains(scope):
            return (WaypointReference(service: service.key), service, nil)
        case .usable:
            let what = scope == .services ? "services" : "workloads"
            problem = "\(gateway) is not for \(what): label it istio.io/waypoint-for=all"
        case .unusable(let reason):
            problem = reason
        }
        return (nil, nil, choice == nil ? nil : problem.asLabelProblem)
    }

    private func state(of gateway: Kubernetes.ObjectKey) -> WaypointState {
        guard let object = gateways[gateway]?.object, object.isWaypoint else {
            let classes = Kubernetes.Gateway.waypointClasses.sorted().joined(separator: " or ")
            return .unusable("there is no \(gateway) of class \(classes): make it")
        }
        guard let slot = slots[object.serviceKey], let model = services[slot].definition?.model,
            !model.addresses.isEmpty
        else { return .unusable("there is no \(object.serviceKey) with an address: make it") }
        return .usable(model, object.scope)
    }

    /// What a service means, with its waypoint.
    mutating func modelWithWaypoint(of slot: Slot, into translation: inout Translation) -> Service? {
        let record = services[slot]
        guard let object = record.object, var model = record.definition?.model else { return nil }
        var problem: String?
        if record.definition?.isWaypoint != true {
            let found = waypoint(object.waypoint, in: record.key.namespace, for: .services)
            model.waypoint = found.reference
            problem = found.problem ?? found.service.flatMap { Self.missingFamily(of: model, $0) }
        }
        if let problem, problem != record.waypointProblem || step.upsertedServices.contains(slot) {
            translation.warnings.append(
                ObjectWarning(object: record.key, origin: record.origin, message: problem))
        }
        services[slot].waypointProblem = problem
        return model
    }

    private static func missingFamily(of service: Service, _ waypoint: Service) -> String? {
        let missing = Set(service.addresses.map(\.family)).subtracting(waypoint.addresses.map(\.family))
        guard let family = missing.first else { return nil }
        return "has an IPv\(family.rawValue) address, but its waypoint \(waypoint.key) has none: "
            + "connections to it are refused; give the waypoint's Service one"
    }

    func waypoint(
        of object: WorkloadRecord.Object, _ group: Slot
    ) -> (reference: WaypointReference?, problem: String?) {
        if object.sharesAddresses { return (nil, nil) }
        let found = waypoint(labels[group].waypoint, in: object.key.namespace, for: .workloads)
        return (found.reference, found.problem)
    }

    /// Whether the workload is one that a waypoint's service selects, be it ready or not.
    func isWaypointInstance(_ object: WorkloadRecord.Object, _ group: Slot) -> Bool {
        let isSelected = labels[group].services.contains { services[$0].definition?.isWaypoint == true }
        if isSelected { return true }
        return (slicesByPod[object.key] ?? []).contains { slice in
            slices[slice].object.map(servesWaypoint) ?? false
        }
    }

    // MARK: Warnings

    /// Warns of the choice that the labels of a group make, in the name of one of its workloads.
    mutating func warn(
        of group: Slot, _ object: WorkloadRecord.Object, _ origin: Kubernetes.Origin,
        into translation: inout Translation
    ) {
        guard labels[group].waypoint != nil else { return }
        let problem = waypoint(of: object, group).problem
        guard problem != labels[group].waypointProblem else { return }
        labels[group].waypointProblem = problem
        guard let problem else { return }
        translation.warnings.append(ObjectWarning(object: object.key, origin: origin, message: problem))
    }

    mutating func warnOfNamespaces(into translation: inout Translation) {
        for name in step.namespaces.sorted() {
            guard let record = namespaces[name], let gateway = record.waypoint?.gateway(in: name) else {
                continue
            }
            var problem: String?
            if case .unusable(let reason) = state(of: gateway) { problem = reason.asLabelProblem }
            if let problem, problem != record.waypointProblem {
                translation.warnings.append(
                    ObjectWarning(
                        object: Kubernetes.ObjectKey(.namespace, name: name), origin: record.origin,
                        message: problem))
            }
            namespaces[name]?.waypointProblem = problem
        }
    }
}

extension Kubernetes.ObjectKey {
    /// The Gateway that makes a service of this name a waypoint's.
    fileprivate var waypointGateway: Kubernetes.ObjectKey {
        Kubernetes.ObjectKey(.gateway, namespace: namespace, name: name)
    }
}

extension String {
    fileprivate var asLabelProblem: String {
        "has the label istio.io/use-waypoint, which is without effect: \(self), or remove the label"
    }
}
