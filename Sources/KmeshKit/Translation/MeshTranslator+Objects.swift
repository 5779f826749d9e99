// Objects into the indices, with marks on what depends on them.

extension MeshTranslator {
    // MARK: Workloads

    mutating func stageWorkload(_ object: WorkloadRecord.Object, _ origin: Kubernetes.Origin) {
        let slot = slots[object.key] ?? workloads.insert(WorkloadRecord(object: nil, origin: origin))
        setWorkload(slot, object, origin)
    }

    mutating func setWorkload(_ slot: Slot, _ new: WorkloadRecord.Object?, _ origin: Kubernetes.Origin) {
        let old = workloads[slot].object
        if old != nil, old == new, workloads[slot].origin == origin { return }
        step.log.append(.workload(slot, old, workloads[slot].origin))
        workloads[slot].origin = origin
        guard old != new else {
            if new == nil { step.removedWorkloads.append(slot) }
            return
        }
        if let old { markServices(of: workloads[slot].group, old) }
        regroup(slot, from: old, to: new)
        if old?.node != new?.node {
            if let node = old?.node { nodes[node]?.workloads.removeOne(slot); step.nodes.insert(node) }
            if let node = new?.node { nodes[node, default: NodeRecord()].workloads.append(slot) }
        }
        workloads[slot].object = new
        if let new {
            slots[new.key] = slot
            markServices(of: workloads[slot].group, new)
        } else if let old {
            slots[old.key] = nil
            step.removedWorkloads.append(slot)
            step.removedKeys[slot] = old.key
        }
        step.workloads.insert(slot)
        // Whether a slice's endpoint is this pod depends on the pod's addresses.
        if old?.liveAddresses ?? [] != new?.liveAddresses ?? [], let key = (new ?? old)?.key {
            step.slices.formUnion(slicesByPod[key] ?? [])
        }
    }

    private mutating func regroup(
        _ slot: Slot, from old: WorkloadRecord.Object?, to new: WorkloadRecord.Object?
    ) {
        if let old, let new, old.labels == new.labels { return }
        if old != nil {
            let group = workloads[slot].group
            if let gone = labels.remove(slot, from: group) {
                for service in gone.services { services[service].groups.removeOne(group) }
                for policy in gone.policies { policies[policy].groups.removeOne(group) }
            }
        }
        if let new {
            let (group, isNew) = labels.insert(slot, namespace: new.key.namespace, labels: new.labels)
            workloads[slot].group = group
            if isNew {
                for service in labels[group].services { services[service].groups.append(group) }
                for policy in labels[group].policies { policies[policy].groups.append(group) }
            }
        }
    }

    private mutating func markServices(of group: Slot, _ object: WorkloadRecord.Object) {
        for service in labels[group].services { step.portNames.insert(service) }
    }

    // MARK: Services

    mutating func stageService(_ object: ServiceRecord.Object, _ origin: Kubernetes.Origin) {
        let slot =
            slots[object.key]
            ?? services.insert(ServiceRecord(key: object.key, object: nil, origin: origin))
        setService(slot, object, origin)
    }

    mutating func setService(_ slot: Slot, _ new: ServiceRecord.Object?, _ origin: Kubernetes.Origin) {
        let record = services[slot]
        if record.object != nil, record.object == new, record.origin == origin { return }
        step.log.append(.service(slot, record.object, record.origin))
        services[slot].origin = origin
        if new == nil { step.removedServices.append(slot) }
        guard record.object != new else { return }
        step.services.insert(slot)
        step.upsertedServices.insert(slot)
        markRoutes(to: record.key)
        slots[record.key] = new == nil ? nil : slot
        services[slot].object = new
        indexWaypoint(of: slot, from: record.object, to: new)
        install(new.map { define($0) }, at: slot)
    }

    /// Gives a service another meaning.
    mutating func install(_ definition: ServiceDefinition?, at slot: Slot) {
        let record = services[slot]
        services[slot].definition = definition
        if record.definition?.model?.addresses != definition?.model?.addresses { markUsers(of: slot) }
        if let before = record.definition, let definition, before.hasMembers(as: definition) { return }
        // Members under the old selector lose what members under the new one get.
        markMembers(of: slot)
        labels.remove(service: slot, groups: record.groups)
        services[slot].groups = []
        if let selector = definition?.selector {
            services[slot].groups = labels.insert(
                service: slot, namespace: record.key.namespace, selector: selector)
        }
        markMembers(of: slot)
    }

    func define(_ object: ServiceRecord.Object) -> ServiceDefinition {
        switch object {
        case .service(let service):
            ServiceDefinition(
                service, clusterDomain: clusterDomain, isWaypoint: isWaypointService(object.key))
        case .entry(let entry): ServiceDefinition(entry)
        }
    }

    /// Marks the workloads that a service's selector picks and those that its slices name.
    mutating func markMembers(of service: Slot) {
        step.portNames.insert(service)
        for group in services[service].groups {
            labels[group].memberships = [:]
            step.workloads.formUnion(labels[group].members)
        }
        for slice in slicesByService[services[service].key] ?? [] {
            step.slices.insert(slice)
            if let endpoints = slices[slice].object?.endpoints { markPods(of: endpoints[...]) }
        }
    }

    private mutating func markPods(of endpoints: ArraySlice<Kubernetes.EndpointSlice.Endpoint>) {
        for endpoint in endpoints {
            if let pod = endpoint.pod, let slot = slots[pod] { step.workloads.insert(slot) }
        }
    }

    // MARK: Slices

    mutating func stageSlice(_ slice: Kubernetes.EndpointSlice, _ origin: Kubernetes.Origin) {
        let key = Kubernetes.ObjectKey(.endpointSlice, namespace: slice.namespace, name: slice.name)
        let slot = slots[key] ?? slices.insert(SliceRecord(object: nil, origin: origin))
        slots[key] = slot
        setSlice(slot, slice, origin)
    }

    mutating func setSlice(_ slot: Slot, _ new: Kubernetes.EndpointSlice?, _ origin: Kubernetes.Origin) {
        let old = slices[slot].object
        if old != nil, old == new, slices[slot].origin == origin { return }
        step.log.append(.slice(slot, old, slices[slot].origin))
        slices[slot].origin = origin
        if new == nil { step.removedSlices.append(slot) }
        guard old != new else { return }
        slices[slot].object = new
        step.slices.insert(slot)
        if let key = new.map({ Kubernetes.Object.endpointSlice($0).key }) {
            slots[key] = slot
        } else if let old {
            slots[Kubernetes.Object.endpointSlice(old).key] = nil
        }
        if old?.serviceKey != new?.serviceKey {
            if let key = old?.serviceKey { assign(slot, to: key, isMember: false) }
            if let key = new?.serviceKey { assign(slot, to: key, isMember: true) }
        }
        let isSame = old?.ports == new?.ports && old?.serviceKey == new?.serviceKey
        replaceEndpoints(of: slot, old?.endpoints ?? [], with: new?.endpoints ?? [], keepsOthers: isSame)
    }

    /// A service's first slice ends the rule of its selector, and its last one brings it back.
    private mutating func assign(_ slice: Slot, to service: Kubernetes.ObjectKey, isMember: Bool) {
        let had = slicesByService[service] != nil
        if isMember {
            slicesByService.append(slice, to: service)
        } else {
            slicesByService.removeOne(slice, from: service)
        }
        if had != (slicesByService[service] != nil), let slot = slots[service] { markMembers(of: slot) }
    }

    /// Updates the indices for the endpoints that differ; equal ones at both ends are left alone.
    private mutating func replaceEndpoints(
        of slice: Slot, _ old: [Kubernetes.EndpointSlice.Endpoint],
        with new: [Kubernetes.EndpointSlice.Endpoint], keepsOthers: Bool
    ) {
        var head = 0
        while head < min(old.count, new.count), old[head] == new[head] { head += 1 }
        var tail = 0
        while tail < min(old.count, new.count) - head, old[old.count - 1 - tail] == new[new.count - 1 - tail]
        {
            tail += 1
        }
        let gone = old[head..<(old.count - tail)]
        let come = new[head..<(new.count - tail)]
        for endpoint in gone {
            if let pod = endpoint.pod { slicesByPod.removeOne(slice, from: pod) }
            if !endpoint.node.isEmpty {
                nodes[endpoint.node]?.slices.removeOne(slice)
                step.nodes.insert(endpoint.node)
            }
        }
        for endpoint in come {
            if let pod = endpoint.pod { slicesByPod.append(slice, to: pod) }
            if !endpoint.node.isEmpty { nodes[endpoint.node, default: NodeRecord()].slices.append(slice) }
        }
        markPods(of: keepsOthers ? gone : old[...])
        markPods(of: keepsOthers ? come : new[...])
    }

    // MARK: Nodes and namespaces

    mutating func setNode(_ name: String, _ new: Kubernetes.Node?, _ origin: Kubernetes.Origin) {
        let old = nodes[name, default: NodeRecord()]
        step.log.append(.node(name, old.object, old.origin))
        step.nodes.insert(name)
        nodes[name, default: NodeRecord()].origin = origin
        guard old.object != new else { return }
        nodes[name]?.object = new
        step.workloads.formUnion(old.workloads)
        step.slices.formUnion(old.slices)
    }

    mutating func setNamespace(_ name: String, _ new: NamespaceRecord?) {
        let old = namespaces[name]
        step.log.append(.namespace(name, old))
        namespaces[name] = new
        namespaces[name]?.waypointProblem = old?.waypoint == new?.waypoint ? old?.waypointProblem : nil
        if old?.waypoint != new?.waypoint { markNamespace(name) }
    }
}

extension Kubernetes.EndpointSlice {
    var serviceKey: Kubernetes.ObjectKey? {
        service.isEmpty ? nil : Kubernetes.ObjectKey(.service, namespace: namespace, name: service)
    }
}
