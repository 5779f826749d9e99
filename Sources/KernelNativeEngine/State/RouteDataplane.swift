public import KmeshKit

/// Routing in the kernel: keeps listeners, routes and the maps in step. What cannot be in force is refused by
/// name and leaves what ran before it.
///
/// For programs each listener changes in one step. What it will lead to is written first, under ids of its
/// own; then the listener's entry is replaced; what nothing leads to any more is removed with the second
/// `tend` after that, which is a grace period of one second at least.
///
/// Against L4 the order is this: `prepare` notes changes and writes nothing, then L4 adds what `references`
/// ask for, then `refer` turns listeners over to the ids of service ports that are in force, and then L4
/// removes. So no listener ever leads to a service port that is gone, as long as `refer` does not throw.
public struct RouteDataplane: Sendable {
    let maps: NativeMaps
    var units: UnitStore

    // What is wanted.
    var services: [ServiceKey: Service] = [:]
    var listeners: [String: Listener] = [:]
    /// Of those listeners that the kernel can have.
    var plans: [String: ListenerPlan] = [:]
    var routes: [RouteConfigurationKey: WantedRoutes] = [:]
    /// Whether a configuration was applied. Before that nothing is known, and what an earlier run left stays.
    var isConfigured = false

    // What it comes to.
    var tables: [TableKey: Table] = [:]
    var wanted: [FrontendKey: WantedListener] = [:]
    /// Where nothing can be in force as it is wanted, but an earlier run has left something.
    var kept: Set<FrontendKey> = []

    // What is in the map.
    var held: [FrontendKey: HeldListener] = [:]

    // What is not as it is wanted.
    var malformed: [String: String] = [:]
    var unfit: [MeshResourceName: String] = [:]
    var refusedTables: [TableKey: RefusedTable] = [:]
    /// Listeners that wait for the routes that they name, and what for.
    public internal(set) var waiting: [String: String] = [:]
    /// Entries that were removed so far: what found no room is tried again when there are more.
    var freed = 0
    /// Why writes wait.
    public internal(set) var stall: MapError?
    /// Entries that were written or removed so far.
    public internal(set) var writes = 0
    /// How far the look for drift has come.
    var drift = RouteDriftRound()

    struct WantedRoutes: Sendable {
        let configuration: RouteConfiguration
        let backends: Set<BackendReference>
    }

    struct TableKey: Hashable, Sendable {
        let routes: RouteConfigurationKey
        let family: AddressFamily
    }

    /// A route table as it is in force.
    struct Table: Sendable {
        let source: RouteConfiguration
        let root: UInt32
        /// What it was compiled with; 0 for what was not there.
        let ids: [ServicePortReference: UInt32]
    }

    struct RefusedTable: Sendable {
        let source: RouteConfiguration
        let reason: String
        /// What `freed` was; `nil` for what never fits.
        let freed: Int?
    }

    struct WantedListener: Sendable {
        let value: ListenerValue
        /// The unit that it leads to; 0: none.
        let root: UInt32
        let owner: MeshResourceName
        let plan: ListenerPlan
    }

    struct HeldListener: Sendable {
        /// `nil`: it is not known.
        var value: ListenerValue?
        var root: UInt32
        /// `nil`: an earlier run's.
        var owner: MeshResourceName?
    }

    public init(maps: NativeMaps) {
        self.maps = maps
        units = UnitStore(maps: maps)
    }

    /// Notes changes, the first time the whole configuration. Nothing is written yet.
    public mutating func prepare(_ changes: [ResourceChange<MeshResource>]) {
        for change in changes {
            switch change {
            case .upsert(.service(let service)): services[service.key] = service
            case .remove(.service(let key)): services[key] = nil
            case .upsert(.routes(let configuration)):
                // The same as before keeps its storage, so that it is known for the same at once.
                guard routes[configuration.key]?.configuration != configuration else { continue }
                routes[configuration.key] = WantedRoutes(
                    configuration: configuration, backends: configuration.backends)
            case .remove(.routes(let key)): routes[key] = nil
            case .upsert(.listener(let listener)): record(listener)
            case .remove(.listener(let name)):
                (listeners[name], plans[name], malformed[name]) = (nil, nil, nil)
            case .upsert(.workload), .upsert(.node), .upsert(.cluster), .upsert(.policy), .remove(.workload),
                .remove(.node), .remove(.cluster), .remove(.policy):
                break
            }
        }
    }

    private mutating func record(_ listener: Listener) {
        listeners[listener.name] = listener
        do throws(ListenerRefusal) {
            plans[listener.name] = try ListenerPlan(listener)
            malformed[listener.name] = nil
        } catch {
            // The plan that is in force goes on; it is kept with what is wanted.
            plans[listener.name] = nil
            malformed[listener.name] = "\(error)"
        }
    }

    /// What L4 has to keep in force: all that is wanted, and all that tables lead to until they are replaced.
    public var references: Set<ServicePortReference> {
        var references: Set<ServicePortReference> = []
        func add(_ backends: some Sequence<BackendReference>, _ family: AddressFamily) {
            for backend in backends { references.insert(ServicePortReference(backend, family)) }
        }
        for (key, wanted) in routes {
            guard case .service(let service, let port) = key, let service = services[service],
                service.isRoutedInKernel
            else { continue }
            for family in Set(service.addresses.map(\.family)) {
                add(wanted.backends.union([BackendReference(service: service.key, port: port)]), family)
            }
        }
        for plan in Array(plans.values) + wanted.values.map(\.plan) {
            if let streams = plan.streams { add([streams], plan.family) }
            for chain in plan.chains {
                switch chain.action {
                case .route(let key): add(routes[key]?.backends ?? [], plan.family)
                case .share(let parts): add(parts.filter { $0.weight > 0 }.compactMap(\.backend), plan.family)
                }
            }
        }
        for table in tables.values { references.formUnion(table.ids.keys) }
        return references
    }

    /// Puts in force what was noted, with the ids of `ports`. What finds no room is refused; what a map does
    /// not take for the moment is thrown, and waits for the next call.
    public mutating func refer(to ports: some ServicePorts) throws(MapError) {
        isConfigured = true
        (unfit, waiting) = ([:], [:])
        plan(ports)
        write()
        if let stall { throw stall }
    }

    /// Removes what nothing leads to any more, and tries again what found no room before. Called about once a
    /// second.
    public mutating func tend(_ ports: some ServicePorts) {
        guard isConfigured else { return }
        if pendingWrites == 0 { units.forgetAdopted() }
        guard units.hasIdle else { return }
        var writer = MapWriter()
        defer { writes += writer.writes }
        do throws(MapError) {
            let removed = try units.sweep(&writer)
            freed += removed
            guard removed > 0, !unfit.isEmpty else { return }
            try refer(to: ports)
        } catch {
            stall = error
        }
    }

    /// Why resources are not in force as they are wanted.
    public var refusals: [MeshResourceName: String] {
        unfit.merging(malformed.map { (.listener($0), $1) }) { $1 }
    }

    /// Of the resources that `changes` name, those that are refused.
    public func rejections(of changes: [ResourceChange<MeshResource>]) -> [RejectedResource] {
        let refusals = refusals
        return changes.compactMap { change in
            refusals[change.name].map { RejectedResource(name: change.name, reason: $0) }
        }
    }

    /// Whether listeners lead to what is wanted, and to nothing of before.
    var isSettled: Bool { pendingWrites == 0 && kept.isEmpty }

    /// Entries that still have to be written or removed.
    public var pendingWrites: Int {
        guard isConfigured else { return 0 }
        return units.pendingWrites + wanted.count { held[$0.key]?.value != $0.value.value } + departing.count
    }

    var departing: [FrontendKey] { held.keys.filter { wanted[$0] == nil && !kept.contains($0) } }

    /// Entries in each of the maps, or on their way there.
    public var entriesByMap: [String: Int] {
        let counts = units.counts.byMap(maps).map { ($0.map, $0.count) } + [(maps.listeners.name, held.count)]
        return Dictionary(uniqueKeysWithValues: counts)
    }

    /// The resources that this keeps, as they were given, in no order.
    public var configuration: [MeshResource] {
        routes.values.map { .routes($0.configuration) } + listeners.values.map { .listener($0) }
    }

    // MARK: Earlier runs

    /// Reads the maps as an earlier run left them. Listeners stay as they are until they are replaced, and so
    /// does what they lead to.
    public mutating func adopt() throws(MapError) {
        let found = try maps.listeners.contents()
        try units.adopt(roots: found.entries.values.map(\.root))
        for (key, value) in found.entries {
            // One that leads to nothing is written anew, or goes.
            let isWhole = value.root == 0 || units[value.root] != nil
            held[key] = HeldListener(value: isWhole ? value : nil, root: isWhole ? value.root : 0)
            if isWhole { units.retain(value.root) }
        }
        for key in found.damaged { held[key] = HeldListener(value: nil, root: 0) }
    }
}

extension ListenerValue {
    /// The unit that it leads to; 0: none.
    var root: UInt32 {
        if chainCount > 0 { return chainsID }
        let action = NativeAction(rawValue: action)
        return action == .route || action == .split ? target : 0
    }
}
