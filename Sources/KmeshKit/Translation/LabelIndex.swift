/// Finds the workloads that a selector picks and the services that pick a workload, without a walk of the
/// mesh.
///
/// Workloads of a namespace with the same labels form a group, as replicas do; services pick groups.
struct LabelIndex: Sendable {
    struct Group: Sendable {
        var key: GroupKey
        var members: [Slot] = []
        /// Services whose selector picks this group.
        var services: [Slot] = []
        /// What the labels say of a waypoint, and what is wrong with that.
        var waypoint: Kubernetes.WaypointChoice?
        var waypointProblem: String?
        /// Memberships of the members by what else they depend on. Few, as replicas are alike.
        var memberships: [MembershipCase: [Membership]] = [:]

        mutating func keep(_ found: [Membership], for conditions: MembershipCase) {
            if memberships.count >= 16 { memberships = [:] }
            memberships[conditions] = found
        }
    }

    struct GroupKey: Hashable, Sendable {
        var namespace: String
        var labels: Kubernetes.Labels
    }

    /// What the memberships of a group's member depend on besides the group's services.
    struct MembershipCase: Hashable, Sendable {
        var isEntry: Bool
        var isReady: Bool
        var isTerminating: Bool
        var ports: [Kubernetes.NamedPort]
    }

    private struct Pair: Hashable {
        var namespace: String
        var label: Kubernetes.Label
    }

    private(set) var groups = SlotTable<Group>()
    private var slots: [GroupKey: Slot] = [:]
    private var groupsByPair: [Pair: [Slot]] = [:]
    private var groupsByNamespace: [String: [Slot]] = [:]
    /// Groups whose labels name a Gateway as waypoint.
    private var groupsByGateway: [Kubernetes.ObjectKey: [Slot]] = [:]
    /// Services by one pair of their selector, the one that fewest services had.
    private var servicesByPair: [Pair: [Slot]] = [:]
    private var anchors: [Slot: Pair] = [:]
    private var selectors: [Slot: Kubernetes.Labels] = [:]

    subscript(group: Slot) -> Group {
        _read { yield groups[group] }
        _modify { yield &groups[group] }
    }

    // MARK: Workloads

    /// Puts a workload into its group. `isNew` groups have found their services already.
    mutating func insert(
        _ workload: Slot, namespace: String, labels: Kubernetes.Labels
    ) -> (group: Slot, isNew: Bool) {
        let key = GroupKey(namespace: namespace, labels: labels)
        if let group = slots[key] {
            groups[group].members.append(workload)
            return (group, false)
        }
        let waypoint = Kubernetes.WaypointChoice(labels)
        let group = groups.insert(Group(key: key, members: [workload], waypoint: waypoint))
        slots[key] = group
        groupsByNamespace.append(group, to: namespace)
        if let gateway = waypoint?.gateway(in: namespace) { groupsByGateway.append(group, to: gateway) }
        for label in labels.pairs {
            let pair = Pair(namespace: namespace, label: label)
            groupsByPair.append(group, to: pair)
            for service in servicesByPair[pair] ?? [] {
                if let selector = selectors[service], labels.contains(selector) {
                    groups[group].services.append(service)
                }
            }
        }
        return (group, true)
    }

    /// Takes a workload out of its group; returns the group's services when it was the last member.
    mutating func remove(_ workload: Slot, from group: Slot) -> [Slot] {
        groups[group].members.removeOne(workload)
        guard groups[group].members.isEmpty else { return [] }
        let gone = groups[group]
        slots[gone.key] = nil
        groupsByNamespace.removeOne(group, from: gone.key.namespace)
        if let gateway = gone.waypoint?.gateway(in: gone.key.namespace) {
            groupsByGateway.removeOne(group, from: gateway)
        }
        for label in gone.key.labels.pairs {
            groupsByPair.removeOne(group, from: Pair(namespace: gone.key.namespace, label: label))
        }
        groups.remove(group)
        return gone.services
    }

    /// Groups whose labels name the Gateway as waypoint.
    func groups(naming gateway: Kubernetes.ObjectKey) -> [Slot] { groupsByGateway[gateway] ?? [] }

    /// Groups of the namespace whose labels say nothing of a waypoint.
    func groupsWithoutWaypoint(in namespace: String) -> [Slot] {
        (groupsByNamespace[namespace] ?? []).filter { groups[$0].waypoint == nil }
    }

    // MARK: Services

    /// Registers a service's selector; returns the groups that it picks. An empty selector picks none.
    mutating func insert(service: Slot, namespace: String, selector: Kubernetes.Labels) -> [Slot] {
        let pairs = selector.pairs.map { Pair(namespace: namespace, label: $0) }
        guard let anchor = pairs.min(by: { count(servicesByPair[$0]) < count(servicesByPair[$1]) }),
            let rarest = pairs.min(by: { count(groupsByPair[$0]) < count(groupsByPair[$1]) })
        else { return [] }
        servicesByPair.append(service, to: anchor)
        anchors[service] = anchor
        selectors[service] = selector
        let picked = (groupsByPair[rarest] ?? []).filter { groups[$0].key.labels.contains(selector) }
        for group in picked { groups[group].services.append(service) }
        return picked
    }

    mutating func remove(service: Slot, groups picked: [Slot]) {
        for group in picked { groups[group].services.removeOne(service) }
        if let anchor = anchors.removeValue(forKey: service) {
            servicesByPair.removeOne(service, from: anchor)
        }
        selectors[service] = nil
    }

    private func count(_ slots: [Slot]?) -> Int { slots?.count ?? 0 }
}
