/// Keeps what sources say, and makes of each change the configuration that workers go by. What a change does
/// not concern is the same object as before, and costs nothing.
internal import KmeshKit

struct ConfigurationBuilder: Sendable {
    struct Options: Sendable {
        /// Where this proxy runs, from which near and far are seen; may be empty.
        var nodeName = ""
        /// Where short names of services are known.
        var namespace = "default"
        var clusterDomain = "cluster.local"
        /// Conveyed destinations are restricted to those that ask for this waypoint; `nil`: every frontend.
        var waypoint: ServiceKey?
        var limits = ClusterLimits()
    }

    /// Compiles routes; knows the number of a cluster, and gives numbers for statistics to names.
    typealias Compile =
        @Sendable (RouteConfiguration, (BackendReference) -> Int32?, (String) -> Int32) -> RouteTable

    let options: Options
    let names: StatisticNames
    private let compile: Compile
    private(set) var version: UInt64 = 0
    /// Routes of the last step that can never match, in words.
    private(set) var faults: [String] = []

    private(set) var services: [ServiceKey: Service] = [:]
    private(set) var workloads = WorkloadStore()
    private var authorization: AuthorizationBuilder
    private var routes: [RouteConfigurationKey: RouteConfiguration] = [:]
    private var clusterBuilder: ClusterBuilder

    private var clusterNumbers = StableNumbers<BackendReference>()
    private var clusters: [ClusterConfiguration?] = []
    /// The backends that each service has clusters for.
    private var ports: [ServiceKey: [BackendReference]] = [:]
    private var tableNumbers = StableNumbers<RouteConfigurationKey>(rest: 0)
    private var tables: [RouteTable] = []
    private var tableBackends: [RouteConfigurationKey: Set<BackendReference>] = [:]
    private var targets: TargetPlacement

    init(_ options: Options, names: StatisticNames = StatisticNames(), compile: @escaping Compile) {
        self.options = options
        self.names = names
        self.compile = compile
        clusterBuilder = ClusterBuilder(
            locality: Locality(node: options.nodeName), limits: options.limits)
        targets = TargetPlacement(scope: options.waypoint)
        authorization = AuthorizationBuilder(waypoint: options.waypoint, names: names)
    }

    /// Takes `changes` as one step. Everything that a source hands out is taken.
    mutating func apply(_ changes: [ResourceChange<MeshResource>]) -> WaypointConfiguration {
        var step = Step()
        faults = []
        for change in changes { note(change, in: &step) }
        for key in step.services.sorted() { rebuildClusters(of: key, &step) }
        rebuildTables(&step)
        authorization.prepare(workloads)
        place(step)
        if !step.backends.isEmpty { names.set(clusters: clusterNumbers.keys) }
        version += 1
        return WaypointConfiguration(
            version: version, clusters: clusters, tables: tables, targets: targets.index,
            plainTable: tableNumbers[HostTable.key],
            authorization: authorization.configuration())
    }

    /// What a step concerns.
    private struct Step {
        /// Whose clusters to build.
        var services: Set<ServiceKey> = []
        /// That came, went or changed themselves.
        var changedServices: Set<ServiceKey> = []
        /// By uid.
        var workloads: [String] = []
        /// That came or went.
        var backends: Set<BackendReference> = []
        var routes: Set<RouteConfigurationKey> = []
        /// The names or ports of services changed.
        var touchesHosts = false
        /// Policies that waypoints enforce changed.
        var touchesPolicies = false
    }

    private mutating func note(_ change: ResourceChange<MeshResource>, in step: inout Step) {
        switch change {
        case .upsert(.service(let service)): note(services[service.key], service, service.key, &step)
        case .remove(.service(let key)): note(services[key], nil, key, &step)
        case .upsert(.workload(let workload)):
            let old = workloads[workload.uid]
            targets.note(waypointOf: old?.waypoint, becomes: workload.waypoint)
            authorization.note(old, becomes: workload)
            step.workloads.append(workload.uid)
            step.services.formUnion(workloads.upsert(workload))
        case .remove(.workload(let uid)):
            targets.note(waypointOf: workloads[uid]?.waypoint, becomes: nil)
            authorization.note(workloads[uid], becomes: nil)
            step.workloads.append(uid)
            step.services.formUnion(workloads.remove(uid: uid))
        case .upsert(.node(let node)) where node.name == options.nodeName:
            move(to: Locality(region: node.region, zone: node.zone, node: node.name), &step)
        case .remove(.node(let name)) where name == options.nodeName:
            move(to: Locality(node: name), &step)
        case .upsert(.node), .remove(.node), .upsert(.listener), .remove(.listener), .upsert(.cluster),
            .remove(.cluster):
            break
        case .upsert(.policy(let policy)):
            if authorization.set(policy, for: policy.key) { step.touchesPolicies = true }
        case .remove(.policy(let key)):
            if authorization.set(nil, for: key) { step.touchesPolicies = true }
        case .upsert(.routes(let configuration)):
            guard routes.updateValue(configuration, forKey: configuration.key) != configuration else {
                return
            }
            step.routes.insert(configuration.key)
        case .remove(.routes(let key)):
            if routes.removeValue(forKey: key) != nil { step.routes.insert(key) }
        }
    }

    private mutating func note(_ old: Service?, _ new: Service?, _ key: ServiceKey, _ step: inout Step) {
        guard old != new else { return }
        services[key] = new
        step.services.insert(key)
        step.changedServices.insert(key)
        if old?.ports != new?.ports || old?.name != new?.name { step.touchesHosts = true }
        targets.note(waypointOf: old?.waypoint, becomes: new?.waypoint)
    }

    private mutating func move(to locality: Locality, _ step: inout Step) {
        guard clusterBuilder.locality != locality else { return }
        clusterBuilder.locality = locality
        for service in services.values where service.locality != nil { step.services.insert(service.key) }
    }

    private mutating func rebuildClusters(of key: ServiceKey, _ step: inout Step) {
        guard let service = services[key] else {
            // Ports are known only by their clusters now.
            if step.changedServices.contains(key) { retireClusters(of: key, keeping: [], &step) }
            return
        }
        var fresh: [BackendReference] = []
        let built = clusterBuilder.clusters(of: service, workloads: workloads) { backend in
            if clusterNumbers[backend] == nil { fresh.append(backend) }
            return clusterNumbers.number(of: backend)
        }
        step.backends.formUnion(fresh)
        if clusters.count < clusterNumbers.limit {
            clusters += [ClusterConfiguration?](repeating: nil, count: clusterNumbers.limit - clusters.count)
        }
        for cluster in built {
            let place = Int(cluster.number)
            if let old = clusters[place], old.isSame(as: cluster) { continue }
            clusters[place] = cluster
        }
        if step.changedServices.contains(key) {
            retireClusters(of: key, keeping: Set(built.map(\.backend)), &step)
        }
        ports[key] = built.isEmpty ? nil : built.map(\.backend)
    }

    private mutating func retireClusters(
        of key: ServiceKey, keeping kept: Set<BackendReference>, _ step: inout Step
    ) {
        for backend in ports[key] ?? [] where !kept.contains(backend) {
            if let number = clusterNumbers[backend] { clusters[Int(number)] = nil }
            clusterNumbers.retire(backend)
            step.backends.insert(backend)
        }
        if kept.isEmpty { ports[key] = nil }
    }
}

// Tables.
extension ConfigurationBuilder {
    /// A service's own routes are a table each; all hosts are one.
    private mutating func rebuildTables(_ step: inout Step) {
        var keys = step.routes.filter(\.isOfService)
        if !step.backends.isEmpty {
            for (key, backends) in tableBackends where !backends.isDisjoint(with: step.backends) {
                keys.insert(key)
            }
        }
        keys.remove(HostTable.key)
        for key in keys {
            if let configuration = routes[key] { install(configuration) } else { remove(key) }
            step.routes.insert(key)
        }
        let hosts = HostTable(namespace: options.namespace, clusterDomain: options.clusterDomain)
        if step.touchesHosts || !step.routes.isEmpty || !step.backends.isEmpty {
            let (configuration, owners) = hosts.hosts(services: services, routes: routes)
            if configuration.virtualHosts.isEmpty { remove(HostTable.key) } else { install(configuration) }
            authorization.setOwners(ofHosts: owners)
        }
    }

    private mutating func install(_ configuration: RouteConfiguration) {
        let numbers = clusterNumbers
        let names = names
        let table = compile(
            configuration, { backend in numbers[backend] }, { name in names.number(ofRoute: name) })
        faults += table.faults
        let number = Int(tableNumbers.number(of: configuration.key))
        if number == tables.count { tables.append(table) } else { tables[number] = table }
        tableBackends[configuration.key] = configuration.backends
    }

    private mutating func remove(_ key: RouteConfigurationKey) {
        guard let number = tableNumbers[key] else { return }
        tables[Int(number)] = RouteTable(source: RouteConfiguration(key: key), routes: [])
        tableNumbers.retire(key)
        tableBackends[key] = nil
    }

    private mutating func place(_ step: Step) {
        var keys = step.changedServices
        for case .service(let key, _) in step.routes { keys.insert(key) }
        keys.formUnion(targets.takeTurnedServices())
        var uids = step.workloads
        if step.touchesPolicies {
            // Numbers of sets are new.
            keys.formUnion(services.keys)
            uids += targets.placedWorkloads
        }
        // Sorted: of two with one address the same comes first each time.
        for key in keys.sorted() {
            let policies = authorization.policies(of: services[key])
            targets.place(services[key], key, policies: policies) { backend in
                TargetPlacement.Numbers(
                    cluster: clusterNumbers[backend],
                    table: backend.ownRoutes.flatMap { tableNumbers[$0] })
            }
        }
        for uid in uids {
            targets.place(
                workloads[uid], uid: uid, policies: authorization.policies(of: workloads[uid]))
        }
        if step.touchesPolicies || !keys.isEmpty || authorization.hasNewHosts {
            authorization.protectHosts(of: services) { backend in clusterNumbers[backend] }
        }
    }
}
