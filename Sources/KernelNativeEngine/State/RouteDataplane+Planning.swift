internal import CKmeshABI
internal import KmeshKit

/// Decides what listeners lead to.
extension RouteDataplane {
    /// Replaces `wanted`, and the tables that it leads to.
    mutating func plan(_ ports: some ServicePorts) {
        var round = PlanningRound()
        let ports = PortsBesideWaypoints(ports: ports, services: services)
        planServices(ports, &round)
        planListeners(ports, &round)
        noteWaypoints(round)
        for listener in round.wanted.values { units.retain(listener.root) }
        for listener in wanted.values { units.release(listener.root) }
        (wanted, kept) = (round.wanted, round.kept.subtracting(round.wanted.keys))
        for (key, table) in tables where !round.tables.contains(key) {
            units.release(table.root)
            tables[key] = nil
        }
        refusedTables = refusedTables.filter { round.tables.contains($0.key) }
    }

    /// Each address of a service where L4 has put it in force.
    private mutating func planServices(_ ports: some ServicePorts, _ round: inout PlanningRound) {
        for key in routes.keys.sorted(by: { $0.description < $1.description }) {
            guard case .service(let name, let port) = key, let service = services[name],
                service.isRoutedInKernel, service.hasTCPPort(port)
            else { continue }
            for address in Set(service.addresses).sorted() {
                let plan = ListenerPlan(service, address, port: port)
                let own = ServicePortReference(BackendReference(service: name, port: port), plan.family)
                guard let id = ports.id(of: own), ports.owner(of: plan.key) == id else { continue }
                put(plan, .routes(key), ports, &round)
                // What the kernel cannot do its waypoint can.
                guard service.waypoint != nil, unfit[.routes(key)] != nil else { continue }
                unfit[.routes(key)] = nil
                round.wanted[plan.key] = nil
                round.kept.remove(plan.key)
            }
        }
    }

    /// Routes to what has a waypoint would go around it, so that part of them is refused, and they say so.
    private mutating func noteWaypoints(_ round: PlanningRound) {
        for key in Set(round.tables.map(\.routes)) {
            let backends = routes[key]?.backends ?? []
            guard let name = backends.compactMap(\.servicePort?.key).filter(isBehindWaypoint).min() else {
                continue
            }
            unfit[.routes(key)] =
                unfit[.routes(key)]
                ?? "leads to Service \(name), which has a waypoint: such requests are refused, for the "
                + "kernel would go around it; annotate \(name) with kmesh.net/l7: kernel where it may"
        }
    }

    private func isBehindWaypoint(_ name: ServiceKey) -> Bool {
        services[name].map { !$0.isRoutedInKernel } ?? false
    }

    /// Those that are in force go first, so that they keep their addresses. One that cannot be as it is
    /// wanted goes on as it is.
    private mutating func planListeners(_ ports: some ServicePorts, _ round: inout PlanningRound) {
        var inForce: [String: ListenerPlan] = [:]
        for case (.listener(let name), let plan) in wanted.values.map({ ($0.owner, $0.plan) }) {
            inForce[name] = plan
        }
        let names = listeners.keys.sorted()
        for name in names.filter({ inForce[$0] != nil }) + names.filter({ inForce[$0] == nil }) {
            for case let plan? in [plans[name], inForce[name]] where put(plan, name, ports, &round) { break }
        }
    }

    /// Returns whether it is in force; if not, why is noted.
    private mutating func put(
        _ plan: ListenerPlan, _ name: String, _ ports: some ServicePorts, _ round: inout PlanningRound
    ) -> Bool {
        let place = "\(plan.key.address) port \(plan.key.port)"
        if ports.owner(of: plan.key) != nil {
            note("has \(place), which is a Service's: give one of them another address or port", name)
        } else if let other = round.wanted[plan.key]?.owner {
            note("has \(place), which \(other) has: give one of them another address or port", name)
        } else if let missing = plan.routes.sorted(by: { $0.description < $1.description }).first(where: {
            routes[$0] == nil && tables[TableKey(routes: $0, family: plan.family)] == nil
        }) {
            waiting[name] = waiting[name] ?? "waits for \(missing), which it names"
        } else if put(plan, .listener(name), ports, &round) {
            return true
        }
        return false
    }

    private mutating func note(_ reason: String, _ name: String) {
        unfit[.listener(name)] = unfit[.listener(name)] ?? reason
    }

    @discardableResult
    private mutating func put(
        _ plan: ListenerPlan, _ owner: MeshResourceName, _ ports: some ServicePorts,
        _ round: inout PlanningRound
    ) -> Bool {
        guard let listener = resolve(plan, owner, ports, &round) else {
            keep(plan.key, owner, &round)
            return false
        }
        guard round.wanted.count < maps.listeners.capacity else {
            unfit[owner] =
                "needs an entry in map \(maps.listeners.name), which holds \(maps.listeners.capacity): raise "
                + "--max-listeners, or remove listeners"
            units.discard(listener.root)
            keep(plan.key, owner, &round)
            return false
        }
        round.wanted[plan.key] = listener
        return true
    }

    /// What is refused leaves what it had, or what an earlier run has left there.
    private func keep(_ key: FrontendKey, _ owner: MeshResourceName, _ round: inout PlanningRound) {
        if let held = held[key], held.owner ?? owner == owner { round.kept.insert(key) }
    }

    /// `nil` when something that it needs cannot be in force.
    private mutating func resolve(
        _ plan: ListenerPlan, _ owner: MeshResourceName, _ ports: some ServicePorts,
        _ round: inout PlanningRound
    ) -> WantedListener? {
        units.prefer(below: held[plan.key]?.root ?? 0)
        var roots: [RouteConfigurationKey: UInt32] = [:]
        for key in plan.routes {
            guard let root = table(TableKey(routes: key, family: plan.family), ports, &round) else {
                if case .listener = owner, unfit[owner] == nil {
                    unfit[owner] = "names \(key), which is refused: see there"
                }
                return nil
            }
            roots[key] = root
        }
        let ids: ServicePortIDs = { ports.id(of: ServicePortReference($0, plan.family)) ?? 0 }
        var chains: [ChainValue] = []
        for (index, chain) in plan.chains.enumerated() {
            let action: (action: UInt16, target: UInt32) =
                switch chain.action {
                case .route(let key): (UInt16(NativeAction.route.rawValue), roots[key] ?? 0)
                case .share(let backends):
                    units.intern(
                        CompiledAction(backends, ids), name: "\(owner) at \(plan.key.address) chain \(index)")
                }
            chains.append(
                ChainValue(
                    source: chain.source?.address ?? IPAddress(high: 0, low: 0),
                    sourceBits: UInt32(chain.source?.prefixLength ?? 0), action: action.action,
                    target: action.target))
        }
        var value = ListenerValue()
        (value.readTimeout, value.idleTimeout) = (plan.readTimeout, plan.idleTimeout)
        value.serviceID = (plan.streams ?? lastResort(plan)).map(ids) ?? 0
        if chains.isEmpty {
            (value.action, value.target) = (NativeAction.refuse.rawValue, KMESH_REASON_NO_CHAIN.rawValue)
        } else if chains.count == 1, chains[0].sourceBits == 0, plan.chains[0].source == nil {
            (value.action, value.target) = (UInt32(chains[0].action), chains[0].target)
        } else {
            value.chainsID = units.intern(chains, name: "\(owner) at \(plan.key.address)")
            value.chainCount = UInt32(chains.count)
        }
        if let shortage = units.shortage() {
            unfit[owner] = shortage
            units.discard(value.root)
            return nil
        }
        return WantedListener(value: value, root: value.root, owner: owner, plan: plan)
    }

    /// Where the widest filter chain that routes leads what no other route takes.
    private func lastResort(_ plan: ListenerPlan) -> BackendReference? {
        for case .route(let key) in plan.chains.reversed().map(\.action) {
            return tables[TableKey(routes: key, family: plan.family)]?.source.lastResort
        }
        return nil
    }

    /// The id of the table as it is wanted, else as it was before.
    private mutating func table(
        _ key: TableKey, _ ports: some ServicePorts, _ round: inout PlanningRound
    ) -> UInt32? {
        guard round.tables.insert(key).inserted else { return tables[key]?.root }
        let old = tables[key]
        let isStale = old?.ids.contains { (ports.id(of: $0.key) ?? 0) != $0.value } ?? true
        let wanted = routes[key.routes]?.configuration
        let isBuilt = wanted.map { (isStale || $0 != old?.source) && build($0, key, ports) } ?? false
        if !isBuilt, isStale, let old, old.source != wanted { _ = build(old.source, key, ports) }
        return tables[key]?.root
    }

    private mutating func build(
        _ source: RouteConfiguration, _ key: TableKey, _ ports: some ServicePorts
    ) -> Bool {
        if let refused = refusedTables[key], refused.source == source, refused.freed ?? freed == freed {
            unfit[.routes(key.routes)] = refused.reason
            return false
        }
        var ids: [ServicePortReference: UInt32] = [:]
        let compiled: CompiledTable
        do throws(RouteRefusal) {
            compiled = try TableCompiler.compile(source, family: key.family) { backend in
                let reference = ServicePortReference(backend, key.family)
                let id = ports.id(of: reference) ?? 0
                ids[reference] = id
                return id
            }
        } catch {
            refuse(source, key, error.reason(for: key.routes), freed: nil)
            return false
        }
        let root = units.intern(compiled)
        units.retain(root)
        if let shortage = units.shortage() {
            units.release(root)
            refuse(source, key, shortage, freed: freed)
            return false
        }
        if let old = tables[key] { units.release(old.root) }
        tables[key] = Table(source: source, root: root, ids: ids)
        refusedTables[key] = nil
        return true
    }

    private mutating func refuse(
        _ source: RouteConfiguration, _ key: TableKey, _ reason: String, freed: Int?
    ) {
        refusedTables[key] = RefusedTable(source: source, reason: reason, freed: freed)
        unfit[.routes(key.routes)] = reason
    }
}

/// Service ports as far as routes may lead to them: not around a waypoint.
private struct PortsBesideWaypoints<Ports: ServicePorts>: ServicePorts {
    let ports: Ports
    let services: [ServiceKey: Service]

    func id(of reference: ServicePortReference) -> UInt32? {
        if let (key, _) = reference.backend.servicePort, services[key]?.isRoutedInKernel == false {
            return nil
        }
        return ports.id(of: reference)
    }

    func owner(of frontend: FrontendKey) -> UInt32? { ports.owner(of: frontend) }
}

/// What one planning has come to.
private struct PlanningRound {
    var wanted: [FrontendKey: RouteDataplane.WantedListener] = [:]
    var kept: Set<FrontendKey> = []
    /// Tables that were looked at: those that something leads to.
    var tables: Set<RouteDataplane.TableKey> = []
}
