/// Finds the workloads that a selector picks, and the services and policies that pick a workload, without a
/// walk of the mesh.
///
/// Workloads of a namespace with the same labels form a group, as replicas do; services and policies pick
/// groups.
struct LabelIndex: Sendable {
    struct Group: Sendable {
        var key: GroupKey
        var members: [Slot] = []
        /// Services whose selector picks this group.
        var services: [Slot] = []
        /// Policies whose selector picks this group.
        var policies: [Slot] = []
        /// What the policies come to for the members; `nil` until it is asked for.
        var policyKeys: [PolicyKey]?
        /// What the labels say of a waypoint, and what is wrong with that.
        var waypoint: Kubernetes.WaypointChoice?
        var waypointProblem: String?
        /// What the member that was asked for last is called; replicas are called the same.
        var names: WorkloadNames?
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

    private(set) var groups = SlotTable<Group>()
    private var slots: [GroupKey: Slot] = [:]
    private var groupsByPair: [SelectorIndex.Pair: [Slot]] = [:]
    private var groupsByNamespace: [String: [Slot]] = [:]
    /// Groups whose labels name a Gateway as waypoint.
    private var groupsByGateway: [Kubernetes.ObjectKey: [Slot]] = [:]
    private var services = SelectorIndex()
    private var policies = SelectorIndex()

    /// In the place of a namespace: that a policy picks groups of all of them.
    static let everyNamespace = ""

    subscript(group: Slot) -> Group {
        _read { yield groups[group] }
        _modify { yield &groups[group] }
    }

    // MARK: Workloads

    /// Puts a workload into its group. `isNew` groups have found their services and policies already.
    mutating func insert(
        _ workload: Slot, namespace: String, labels: Kubernetes.Labels
    ) -> (group: Slot, isNew: Bool) {
        let key = GroupKey(namespace: namespace, labels: labels)
        if let group = slots[key] {
            groups[group].members.append(workload)
            return (group, false)
        }
        let waypoint = Kubernetes.WaypointChoice(labels)
        let group = groups.insert(
            Group(
                key: key, members: [workload], services: services.picking(labels, in: namespace),
                policies: policies.picking(labels, in: namespace)
                    + policies.picking(labels, in: Self.everyNamespace),
                waypoint: waypoint))
        slots[key] = group
        groupsByNamespace.append(group, to: namespace)
        if let gateway = waypoint?.gateway(in: namespace) { groupsByGateway.append(group, to: gateway) }
        for label in labels.pairs {
            groupsByPair.append(group, to: SelectorIndex.Pair(namespace: namespace, label: label))
        }
        return (group, true)
    }

    /// Takes a workload out of its group; returns the group when it was the last member.
    mutating func remove(_ workload: Slot, from group: Slot) -> Group? {
        groups[group].members.removeOne(workload)
        guard groups[group].members.isEmpty else { return nil }
        let gone = groups[group]
        slots[gone.key] = nil
        groupsByNamespace.removeOne(group, from: gone.key.namespace)
        if let gateway = gone.waypoint?.gateway(in: gone.key.namespace) {
            groupsByGateway.removeOne(group, from: gateway)
        }
        for label in gone.key.labels.pairs {
            groupsByPair.removeOne(
                group, from: SelectorIndex.Pair(namespace: gone.key.namespace, label: label))
        }
        groups.remove(group)
        return gone
    }

    /// Groups whose labels name the Gateway as waypoint.
    func groups(naming gateway: Kubernetes.ObjectKey) -> [Slot] { groupsByGateway[gateway] ?? [] }

    /// Groups of the namespace whose labels say nothing of a waypoint.
    func groupsWithoutWaypoint(in namespace: String) -> [Slot] {
        (groupsByNamespace[namespace] ?? []).filter { groups[$0].waypoint == nil }
    }

    /// Namespaces that have workloads.
    var namespaces: some Collection<String> { groupsByNamespace.keys }

    func groups(in namespace: String) -> [Slot] { groupsByNamespace[namespace] ?? [] }

    // MARK: Selectors

    /// Registers a service's selector; returns the groups that it picks. An empty selector picks none.
    mutating func insert(service: Slot, namespace: String, selector: Kubernetes.Labels) -> [Slot] {
        services.insert(service, namespace: namespace, selector: selector)
        let picked = groups(in: namespace, withAll: selector)
        for group in picked { groups[group].services.append(service) }
        return picked
    }

    mutating func remove(service: Slot, groups picked: [Slot]) {
        for group in picked { groups[group].services.removeOne(service) }
        services.remove(service)
    }

    /// Registers a policy's selector; returns the groups that it picks.
    mutating func insert(policy: Slot, namespace: String, selector: Kubernetes.Labels) -> [Slot] {
        policies.insert(policy, namespace: namespace, selector: selector)
        let namespaces = namespace == Self.everyNamespace ? Array(groupsByNamespace.keys) : [namespace]
        let picked = namespaces.flatMap { groups(in: $0, withAll: selector) }
        for group in picked { groups[group].policies.append(policy) }
        return picked
    }

    mutating func remove(policy: Slot, groups picked: [Slot]) {
        for group in picked { groups[group].policies.removeOne(policy) }
        policies.remove(policy)
    }

    /// The groups with all labels of a selector; none for an empty one.
    private func groups(in namespace: String, withAll selector: Kubernetes.Labels) -> [Slot] {
        let candidates = selector.pairs.map {
            groupsByPair[SelectorIndex.Pair(namespace: namespace, label: $0)] ?? []
        }
        guard let fewest = candidates.min(by: { $0.count < $1.count }) else { return [] }
        return fewest.filter { groups[$0].key.labels.contains(selector) }
    }
}
