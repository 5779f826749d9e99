// Routes, gateways and grants: into the indices, and what is emitted for them.

extension MeshTranslator {
    // MARK: Objects

    mutating func setGateway(_ key: Kubernetes.ObjectKey, _ new: GatewayRecord?) {
        let old = gateways[key]
        step.log.append(.gateway(key, old))
        gateways[key] = new
        guard old?.object != new?.object else { return }
        step.gateways.insert(key)
        markRoutes(to: key)
        markPolicies(for: key)
        waypointChanged(from: old?.object, to: new?.object)
    }

    mutating func setGrant(_ key: Kubernetes.ObjectKey, _ new: GrantRecord?) {
        let old = grants[key]
        step.log.append(.grant(key, old))
        grants[key] = new
        guard old?.object != new?.object else { return }
        if new == nil {
            grantsByNamespace[key.namespace]?.remove(key)
            if grantsByNamespace[key.namespace]?.isEmpty == true { grantsByNamespace[key.namespace] = nil }
        } else {
            grantsByNamespace[key.namespace, default: []].insert(key)
        }
        step.routes.formUnion(routesByGrants[key.namespace] ?? [])
    }

    mutating func stageRoute(_ route: Kubernetes.HTTPRoute, _ origin: Kubernetes.Origin) {
        let slot =
            slots[route.key] ?? routes.insert(RouteRecord(key: route.key, object: nil, origin: origin))
        setRoute(slot, route, origin)
    }

    mutating func setRoute(_ slot: Slot, _ new: Kubernetes.HTTPRoute?, _ origin: Kubernetes.Origin) {
        let record = routes[slot]
        if record.object != nil, record.object == new, record.origin == origin { return }
        step.log.append(.route(slot, record.object, record.origin))
        routes[slot].origin = origin
        if new == nil { step.removedRoutes.append(slot) }
        guard record.object != new else { return }
        step.routes.insert(slot)
        step.upsertedRoutes.insert(slot)
        slots[record.key] = new == nil ? nil : slot
        routes[slot].object = new
        for key in record.object?.referredObjects ?? [] { routesByObject.removeOne(slot, from: key) }
        for key in new?.referredObjects ?? [] { routesByObject.append(slot, to: key) }
        for namespace in record.object?.foreignNamespaces ?? [] {
            routesByGrants.removeOne(slot, from: namespace)
        }
        for namespace in new?.foreignNamespaces ?? [] { routesByGrants.append(slot, to: namespace) }
    }

    /// Marks the routes that have the object for a parent or a backend.
    mutating func markRoutes(to key: Kubernetes.ObjectKey) {
        step.routes.formUnion(routesByObject[key] ?? [])
    }

    // MARK: Emission

    /// Services must have been settled.
    mutating func emitRoutes(into translation: inout Translation) {
        var touched: Set<RouteConfigurationKey> = []
        for slot in step.routes.sorted() { resolve(slot, &touched, into: &translation) }
        for key in touched.sorted(by: { $0.description < $1.description }) {
            emit(key, into: &translation)
        }
    }

    private mutating func resolve(
        _ slot: Slot, _ touched: inout Set<RouteConfigurationKey>, into translation: inout Translation
    ) {
        let record = routes[slot]
        let new = record.object.map { RouteCompiler(view: view).resolve($0) } ?? RouteCompiler.Resolution()
        let old = record.resolution
        routes[slot].resolution = new
        if step.upsertedRoutes.contains(slot) || new.warnings != old.warnings {
            translation.warnings += new.warnings.map {
                ObjectWarning(object: record.key, origin: record.origin, message: $0)
            }
        }
        guard new.attachments != old.attachments || new.candidates != old.candidates else { return }
        for attachment in old.attachments {
            touched.insert(attachment.configuration)
            configurations[attachment.configuration]?.routes.removeOne(slot)
        }
        for attachment in new.attachments {
            touched.insert(attachment.configuration)
            configurations[attachment.configuration, default: RouteConfigurationRecord()].routes.append(slot)
        }
    }

    private mutating func emit(_ key: RouteConfigurationKey, into translation: inout Translation) {
        guard let record = configurations[key] else { return }
        guard !record.routes.isEmpty else {
            configurations[key] = nil
            if record.emitted != nil { translation.changes.append(.remove(.routes(key))) }
            return
        }
        let parts = record.routes.sorted().compactMap { slot in
            let resolution = routes[slot].resolution
            return resolution.attachments.first { $0.configuration == key }
                .map { (domains: $0.domains, candidates: resolution.candidates) }
        }
        let new = RouteConfiguration(key: key, virtualHosts: RouteCompiler.virtualHosts(parts))
        guard new != record.emitted else { return }
        configurations[key]?.emitted = new
        translation.changes.append(.upsert(.routes(new)))
    }

    private var view: RouteCompiler.View {
        RouteCompiler.View(
            service: { key in slots[key].flatMap { services[$0].definition?.model } },
            gateway: { key in gateways[key]?.object },
            grants: { namespace in
                (grantsByNamespace[namespace] ?? []).compactMap { grants[$0]?.object }
            })
    }
}

extension Kubernetes.HTTPRoute {
    /// The services and gateways that parents and backends name.
    fileprivate var referredObjects: Set<Kubernetes.ObjectKey> {
        Set(
            parents.compactMap(\.reference.object)
                + rules.flatMap { $0.backends.compactMap(\.reference.object) })
    }

    fileprivate var foreignNamespaces: Set<String> {
        Set(
            rules.flatMap { rule in
                rule.backends.map(\.reference.namespace).filter { $0 != namespace }
            })
    }
}
