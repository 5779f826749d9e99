/// Steering at L4 for both engines: keeps the configuration and the maps in step, service by service. A
/// service is in force with all of its ports or not at all, and what is refused leaves what ran before it.
public struct L4Dataplane: Sendable {
    private let localNode: String
    /// Whether the engine counts connections, which limits and some policies need.
    let counts: Bool
    var locality: Locality
    var services = ServiceStore()
    var workloads = WorkloadStore()
    var inForce: [ServiceKey: AppliedService] = [:]
    var frontends = FrontendTable()
    var waypoints = WaypointTable()
    var clusters = ClusterTable()
    var reconciler: MapReconciler
    var ids = NumericIDs()
    var names: [UInt32: ServiceKey] = [:]
    /// What an earlier run left; until the first configuration is applied.
    private var adopted: AdoptedMaps?
    /// How far the look for drift has come.
    var drift = DriftRound()
    /// Services of the configuration that are not in force as it wants them, and why.
    public internal(set) var rejections: [ServiceKey: String] = [:]

    /// - Parameters:
    ///   - localNode: this node's name, from which near and far are seen; may be empty.
    ///   - counts: whether the engine's programs count connections.
    public init(maps: L4Maps, localNode: String, counts: Bool = false) {
        self.localNode = localNode
        self.counts = counts
        locality = Locality(node: localNode)
        reconciler = MapReconciler(maps: maps, occupancy: MapCounts())
    }

    /// Reads the maps as an earlier run left them. The first configuration that is applied takes over what
    /// fits to it; the rest is removed then.
    /// - Parameter clusters: the ids of clusters, as far as they are known: no frontend may lead to one, so
    ///   that it is not found without. Those that are not known get new ids.
    public mutating func adopt(clusters: [ClusterDigest: UInt32] = [:]) throws(MapError) {
        let found = try AdoptedMaps(reading: reconciler.maps, clusters: clusters)
        for id in found.serviceIDs { ids.reserve(id) }
        reconciler = MapReconciler(maps: reconciler.maps, occupancy: found.occupancy)
        adopted = found
    }

    /// Applies `changes` as one step. `rejected` are the services that they concern and that cannot be in
    /// force; each leaves what ran before it. A service that finds no room or whose address another one has
    /// is tried again when something went.
    public mutating func apply(
        _ changes: [ResourceChange<MeshResource>]
    ) -> (rejected: [RejectedResource], writes: Int) {
        apply(changes) { $0.reconciler.flush() }
    }

    mutating func apply(
        _ changes: [ResourceChange<MeshResource>], by flush: Flush
    ) -> (rejected: [RejectedResource], writes: Int) {
        var affected = ServiceKeyList()
        var uids: [String] = []
        for change in changes {
            record(change, &affected)
            if case .upsert(.workload(let workload)) = change { uids.append(workload.uid) }
        }
        for key in clusters.takeTouched() where services[key] != nil { affected.insert(key) }
        let found = takeOver()
        let order = planningOrder(affected.keys, withWaiting: changes.contains(where: \.concernsServices))
        let writes = reconcile(order, found: found, by: flush)
        let rejected = affected.keys.compactMap { key in
            rejections[key].map { RejectedResource(name: .service(key), reason: $0) }
        }
        return (rejected + unplacedWorkloads(uids), writes)
    }

    /// Writes again what a map refused for the moment. Returns the number of writes.
    public mutating func retryPending() -> Int {
        reconcile([], found: []) { $0.reconciler.flush() }
    }

    /// Writes that wait for the next `apply` or `retryPending`.
    public var pendingWrites: Int { reconciler.pendingWrites }

    /// Why writes wait.
    public var stall: MapError? { reconciler.stall }

    /// Whether the maps are to hold what is in force, and not what an earlier run left.
    var isConfigured: Bool { adopted == nil }

    /// Entries in the maps, or on their way there.
    public var entryCounts: MapCounts { reconciler.occupancy }

    public var workloadCount: Int { workloads.count }

    /// How what waits is written.
    typealias Flush = (inout L4Dataplane) -> MapReconciler.Tally

    /// Brings services into force, then those that did not fit as long as others make room for them.
    /// `found` are those that an earlier run left.
    mutating func reconcile(_ keys: [ServiceKey], found: [ServiceKey], by flush: Flush) -> Int {
        var keys = keys
        var writes = 0
        var isTriedAgain: Bool
        repeat {
            plan(keys)
            consolidate(found)
            settleWaypoints()
            let tally = flush(&self)
            writes += tally.writes
            keys = rejections.keys.sorted()
            isTriedAgain = tally.removals.total > 0 && (!keys.isEmpty || waypoints.waitsForRoom)
        } while isTriedAgain
        return writes
    }

    private mutating func record(_ change: ResourceChange<MeshResource>, _ affected: inout ServiceKeyList) {
        switch change {
        case .upsert(.service(let service)):
            if services.upsert(service) { affected.insert(service.key) }
        case .upsert(.workload(let workload)):
            waypoints.replace(workloads[workload.uid], with: workload)
            for key in workloads.upsert(workload) where services[key] != nil { affected.insert(key) }
        case .upsert(.node(let node)):
            move(node.name, to: Locality(region: node.region, zone: node.zone, node: localNode), &affected)
        case .remove(.service(let key)):
            if services.remove(key) { affected.insert(key) }
        case .remove(.workload(let uid)):
            waypoints.replace(workloads[uid], with: nil)
            for key in workloads.remove(uid: uid) where services[key] != nil { affected.insert(key) }
        case .remove(.node(let name)):
            move(name, to: Locality(node: localNode), &affected)
        case .upsert(.routes), .remove(.routes), .upsert(.policy), .remove(.policy), .upsert(.listener),
            .remove(.listener), .upsert(.cluster), .remove(.cluster):
            break
        }
    }

    private mutating func move(_ node: String, to place: Locality, _ affected: inout ServiceKeyList) {
        guard node == localNode, place != locality else { return }
        locality = place
        for key in services.keysWithLocality { affected.insert(key) }
    }

    /// Lets services take over what is theirs in the maps, and queues the removal of the rest. Returns those
    /// that found something.
    private mutating func takeOver() -> [ServiceKey] {
        guard var found = adopted else { return [] }
        adopted = nil
        var changes = MapChanges()
        var taken: [ServiceKey] = []
        let named = waypoints.named(by: services.keys.compactMap { services[$0]?.waypoint })
        for key in services.keys.sorted() {
            guard let service = services[key],
                let applied = found.claim(
                    service, isWaypoint: named.contains(key), repairs: &changes)
            else { continue }
            inForce[key] = applied
            frontends.adopt(applied)
            waypoints.assign(key, from: nil, to: applied.waypoint)
            for port in applied.ports { names[port.id] = key }
            clusters.renumber(key)
            taken.append(key)
        }
        frontends.adopt(redirects: found.redirects)
        waypoints.adopt(found, taken)
        for id in found.serviceIDs where names[id] == nil { ids.release(id) }
        changes.append(found.garbage(besides: frontends))
        reconciler.enqueue(changes)
        return taken
    }

    /// A service that was found and cannot become what is wanted stays as it was found. The earlier run may
    /// have died while it changed it, so its entries are made to fit together; that takes no room.
    private mutating func consolidate(_ found: [ServiceKey]) {
        for key in found where rejections[key] != nil {
            guard var service = inForce[key] else { continue }
            var changes = MapChanges()
            for index in service.ports.indices { changes.append(service.ports[index].consolidate()) }
            inForce[key] = service
            reconciler.enqueue(changes)
        }
    }

    /// Services in force go first, so that they keep their room; then those that wait, then the new ones.
    /// Those that wait are left out where no address can have become free; room that does lets them be tried
    /// again.
    private func planningOrder(_ affected: [ServiceKey], withWaiting: Bool) -> [ServiceKey] {
        guard !affected.isEmpty else { return [] }
        let waiting = withWaiting ? Set(rejections.keys).subtracting(affected).sorted() : []
        return affected.filter { inForce[$0] != nil } + waiting.filter { inForce[$0] != nil }
            + waiting.filter { inForce[$0] == nil } + affected.filter { inForce[$0] == nil }
    }
}

extension ResourceChange<MeshResource> {
    fileprivate var concernsServices: Bool {
        if case .service = name { return true }
        return false
    }
}

/// Services in the order of their first mention.
private struct ServiceKeyList {
    private(set) var keys: [ServiceKey] = []
    private var known: Set<ServiceKey> = []

    mutating func insert(_ key: ServiceKey) {
        if known.insert(key).inserted { keys.append(key) }
    }
}
