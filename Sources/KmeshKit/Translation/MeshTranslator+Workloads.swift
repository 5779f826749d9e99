// What is emitted for pods, workload entries and the endpoints of slices.

extension MeshTranslator {
    mutating func emitWorkloads(into translation: inout Translation) {
        translation.changes.reserveCapacity(translation.changes.count + step.workloads.count)
        for slot in step.workloads.sorted() {
            let record = workloads[slot]
            let new = record.object.flatMap { emission(of: $0, group: record.group) }
            if let object = record.object {
                warn(of: record.group, object, record.origin, into: &translation)
            }
            guard new != record.emitted else { continue }
            workloads[slot].emitted = new
            if let new, let key = record.object?.key {
                var workload = Workload(
                    uid: key.workloadUID, name: key.name, namespace: key.namespace,
                    addresses: new.addresses, locality: new.locality, weight: new.weight,
                    memberships: new.memberships)
                workload.waypoint = new.waypoint
                workload.isWaypoint = new.isWaypoint
                workload.serviceAccount = new.serviceAccount
                workload.names = new.names
                workload.sharesAddresses = new.sharesAddresses
                workload.policies = new.policies
                workload.probePorts = new.probePorts
                translation.changes.append(.upsert(.workload(workload)))
            } else if let key = record.object?.key ?? step.removedKeys[slot] {
                translation.changes.append(.remove(.workload(uid: key.workloadUID)))
            }
        }
    }

    /// `nil` while the workload cannot be reached.
    private mutating func emission(of object: WorkloadRecord.Object, group: Slot) -> WorkloadRecord.Emitted? {
        let addresses = object.liveAddresses
        guard !addresses.isEmpty else { return nil }
        var memberships = selectedMemberships(group, object.membershipCase)
        let isWaypoint = isWaypointInstance(object, group)
        let waypoint = isWaypoint ? nil : waypoint(of: object, group).reference
        var emitted = WorkloadRecord.Emitted(
            addresses: addresses, sharesAddresses: object.sharesAddresses, waypoint: waypoint,
            isWaypoint: isWaypoint, policies: policyKeys(of: group))
        switch object {
        case .pod(let pod):
            if let named = slicesByPod[pod.key] {
                memberships += sliceMemberships(of: pod, in: named)
                memberships.sort { $0.service < $1.service }
            }
            emitted.locality = locality(node: pod.node, zone: "")
            emitted.serviceAccount = pod.serviceAccount
            emitted.probePorts = pod.probePorts
            emitted.names = names(of: group, workload: pod.workload)
        case .entry(let entry):
            emitted.locality = entry.locality
            emitted.weight = entry.weight
            emitted.serviceAccount = entry.serviceAccount
            emitted.names = names(of: group, workload: "")
        }
        emitted.memberships = memberships
        return emitted
    }

    /// Replicas share one.
    private mutating func names(of group: Slot, workload: String) -> WorkloadNames {
        if let known = labels[group].names, known.workload == workload { return known }
        let labelled = labels[group].key.labels
        let names = WorkloadNames(workload: workload) { labelled[$0] }
        labels[group].names = names
        return names
    }

    func locality(node: String, zone: String) -> Locality {
        let place = node.isEmpty ? nil : nodes[node]?.object
        return Locality(
            region: place?.region ?? "", zone: zone.isEmpty ? place?.zone ?? "" : zone, node: node)
    }

    // MARK: By selector

    /// Replicas share one array.
    private mutating func selectedMemberships(
        _ group: Slot, _ conditions: LabelIndex.MembershipCase
    ) -> [Membership] {
        if labels[group].services.isEmpty { return [] }
        if let known = labels[group].memberships[conditions] { return known }
        let found = labels[group].services.compactMap { membership(in: $0, conditions) }
            .sorted { $0.service < $1.service }
        if labels[group].members.count > 1 { labels[group].keep(found, for: conditions) }
        return found
    }

    private func membership(in slot: Slot, _ conditions: LabelIndex.MembershipCase) -> Membership? {
        let record = services[slot]
        guard let definition = record.definition, let model = definition.model,
            definition.selectsEntries || !conditions.isEntry, slicesByService[record.key] == nil
        else { return nil }
        let health: EndpointHealth
        if definition.publishesNotReady {
            health = .ready
        } else if conditions.isReady {
            health = conditions.isTerminating ? .terminating : .ready
        } else {
            return nil
        }
        let ports = PortMapping.list(definition.ports) { port in
            conditions.isEntry
                ? port.target(overriddenBy: conditions.ports) : port.target(inPodWith: conditions.ports)
        }
        return ports.isEmpty ? nil : Membership(service: model.key, ports: ports, health: health)
    }

    // MARK: By slice

    /// One membership for each service, as a dual-stack pod is in a slice for each family.
    private func sliceMemberships(of pod: Kubernetes.Pod, in named: [Slot]) -> [Membership] {
        var memberships: [Membership] = []
        for slot in Set(named).sorted() {
            guard let slice = slices[slot].object, let (service, ports) = target(of: slice) else { continue }
            for endpoint in slice.endpoints where endpoint.pod == pod.key {
                guard let health = endpoint.health, isPod(endpoint) else { continue }
                if let index = memberships.firstIndex(where: { $0.service == service }) {
                    memberships[index].merge(ports: ports, health: health, addresses: endpoint.addresses)
                } else {
                    memberships.append(
                        Membership(
                            service: service, ports: ports, health: health, addresses: endpoint.addresses))
                }
            }
        }
        for index in memberships.indices where Set(memberships[index].addresses) == Set(pod.addresses) {
            memberships[index].addresses = []
        }
        return memberships
    }

    /// The service of a slice and where its ports lead; `nil` while there is no such service or port.
    private func target(of slice: Kubernetes.EndpointSlice) -> (ServiceKey, [PortMapping])? {
        guard let key = slice.serviceKey, let slot = slots[key], let definition = services[slot].definition,
            let model = definition.model
        else { return nil }
        let ports = PortMapping.list(definition.ports) { port in
            if port.isImplied { return port.port }
            return slice.ports.first {
                $0.name == port.name && ($0.transport == nil || $0.transport == port.transport)
            }?.number
        }
        return ports.isEmpty ? nil : (model.key, ports)
    }

    /// Whether the endpoint is a pod that we know at the addresses that we know.
    private func isPod(_ endpoint: Kubernetes.EndpointSlice.Endpoint) -> Bool {
        guard let key = endpoint.pod, let slot = slots[key], let object = workloads[slot].object else {
            return false
        }
        let live = object.liveAddresses
        return endpoint.addresses.allSatisfy { live.contains($0) }
    }

    mutating func emitSlices(into translation: inout Translation) {
        for slot in step.slices.sorted() {
            let record = slices[slot]
            let workloads = record.object.map { ownWorkloads(of: $0) } ?? []
            translation.replace(record.emitted, with: workloads)
            slices[slot].emitted = workloads
        }
    }

    private func ownWorkloads(of slice: Kubernetes.EndpointSlice) -> [Workload] {
        guard let (service, ports) = target(of: slice) else { return [] }
        let isWaypoint = servesWaypoint(slice)
        var seen: Set<IPAddress> = []
        return slice.endpoints.compactMap { endpoint in
            guard let health = endpoint.health, let address = endpoint.addresses.first, !isPod(endpoint),
                seen.insert(address).inserted
            else { return nil }
            var workload = Workload(
                uid: "EndpointSlice/\(slice.namespace)/\(slice.name)/\(address)", name: slice.name,
                namespace: slice.namespace, addresses: endpoint.addresses,
                locality: locality(node: endpoint.node, zone: endpoint.zone),
                memberships: [Membership(service: service, ports: ports, health: health)])
            workload.isWaypoint = isWaypoint
            return workload
        }
    }
}

extension Membership {
    fileprivate mutating func merge(
        ports more: [PortMapping], health other: EndpointHealth, addresses: [IPAddress]
    ) {
        ports += more.filter { !ports.contains($0) }
        health = min(health, other)
        self.addresses += addresses.filter { !self.addresses.contains($0) }
    }
}

extension Kubernetes.ObjectKey {
    var workloadUID: String { "\(kind.name)/\(namespace)/\(name)" }
}
