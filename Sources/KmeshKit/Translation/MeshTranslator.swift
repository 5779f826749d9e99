/// Translates Kubernetes objects into the mesh's model, step by step.
///
/// A step costs in proportion to what it changes. It is applied as a whole: when it is refused, nothing has
/// changed. First the objects are put into the indices, which marks what depends on them; then what is marked
/// is translated again and compared with what was emitted before.
public struct MeshTranslator: Sendable {
    let clusterDomain: String
    /// Policies in this namespace are for the whole mesh.
    let rootNamespace: String

    // Objects, and indices over them.
    var slots: [Kubernetes.ObjectKey: Slot] = [:]
    var workloads = SlotTable<WorkloadRecord>()
    var services = SlotTable<ServiceRecord>()
    var slices = SlotTable<SliceRecord>()
    var nodes: [String: NodeRecord] = [:]
    var namespaces: [String: NamespaceRecord] = [:]
    var gateways: [Kubernetes.ObjectKey: GatewayRecord] = [:]
    var grants: [Kubernetes.ObjectKey: GrantRecord] = [:]
    var labels = LabelIndex()
    var servicesByNamespace: [String: [Slot]] = [:]
    /// Services whose labels name a Gateway as waypoint.
    var servicesByGateway: [Kubernetes.ObjectKey: [Slot]] = [:]
    var slicesByService: [Kubernetes.ObjectKey: [Slot]] = [:]
    /// Slices by the pods that they name, once for each endpoint; also pods that are not known.
    var slicesByPod: [Kubernetes.ObjectKey: [Slot]] = [:]
    var routes = SlotTable<RouteRecord>()
    /// Routes by what they refer to, each once; also what is not there.
    var routesByObject: [Kubernetes.ObjectKey: [Slot]] = [:]
    /// Routes by the other namespaces that they need grants of, each once.
    var routesByGrants: [String: [Slot]] = [:]
    var grantsByNamespace: [String: Set<Kubernetes.ObjectKey>] = [:]
    var configurations: [RouteConfigurationKey: RouteConfigurationRecord] = [:]
    var policies = SlotTable<PolicyRecord>()
    /// Policies by the objects that they are for, each once; also what is not there.
    var policiesByTarget: [Kubernetes.ObjectKey: [Slot]] = [:]
    var peersByNamespace: [String: [Slot]] = [:]
    /// What was emitted for all strict peer authentications.
    var emittedStrictPolicy: AuthorizationPolicy?
    /// Whose each frontend is.
    var frontends: [Frontend: Slot] = [:]
    /// Whose each emitted service is.
    var owners: [ServiceKey: Slot] = [:]

    var step = TranslationStep()

    public init(clusterDomain: String = "cluster.local", rootNamespace: String = "istio-system") {
        self.clusterDomain = clusterDomain
        self.rootNamespace = rootNamespace
    }

    public var objectCount: Int {
        slots.count + nodes.values.count { $0.object != nil } + namespaces.count + gateways.count
            + grants.count
    }

    /// Where the object was last read; `nil` when it is not known.
    public func origin(of key: Kubernetes.ObjectKey) -> Kubernetes.Origin? {
        switch key.kind {
        case .node:
            guard let node = nodes[key.name], node.object != nil else { return nil }
            return node.origin
        case .namespace: return namespaces[key.name]?.origin
        case .pod, .workloadEntry: return slots[key].map { workloads[$0].origin }
        case .service, .serviceEntry: return slots[key].map { services[$0].origin }
        case .endpointSlice: return slots[key].map { slices[$0].origin }
        case .gateway: return gateways[key]?.origin
        case .referenceGrant: return grants[key]?.origin
        case .httpRoute: return slots[key].map { routes[$0].origin }
        case .authorizationPolicy, .peerAuthentication: return slots[key].map { policies[$0].origin }
        }
    }

    /// Applies `changes` as one step. Of several changes of one object the last one counts.
    public mutating func apply(_ changes: [ObjectChange]) throws(TranslationError) -> Translation {
        step = TranslationStep()
        for change in Self.lastOfEach(changes) { stage(change) }
        do throws(TranslationError) {
            try settleFrontends()
            try checkPortNames()
        } catch {
            rollBack()
            throw error
        }
        var translation = Translation()
        emitServices(into: &translation)
        emitNodes(into: &translation)
        emitSlices(into: &translation)
        emitPolicies(into: &translation)
        emitWorkloads(into: &translation)
        warnOfNamespaces(into: &translation)
        emitRoutes(into: &translation)
        freeRemoved()
        step = TranslationStep()
        return translation
    }

    /// Without removals a later change simply overwrites; with them, an object could be lost and made anew.
    private static func lastOfEach(_ changes: [ObjectChange]) -> [ObjectChange] {
        let hasRemoval = changes.contains { change in
            switch change {
            case .remove: true
            case .upsert: false
            }
        }
        guard hasRemoval, changes.count > 1 else { return changes }
        var last: [Kubernetes.ObjectKey: Int] = [:]
        for (index, change) in changes.enumerated() { last[change.key] = index }
        guard last.count < changes.count else { return changes }
        return changes.enumerated().filter { last[$0.element.key] == $0.offset }.map(\.element)
    }

    private mutating func stage(_ change: ObjectChange) {
        switch change {
        case .upsert(.service(let service), let origin): stageService(.service(service), origin)
        case .upsert(.serviceEntry(let entry), let origin): stageService(.entry(entry), origin)
        case .upsert(.pod(let pod), let origin): stageWorkload(.pod(pod), origin)
        case .upsert(.workloadEntry(let entry), let origin): stageWorkload(.entry(entry), origin)
        case .upsert(.endpointSlice(let slice), let origin): stageSlice(slice, origin)
        case .upsert(.node(let node), let origin): setNode(node.name, node, origin)
        case .upsert(.namespace(let namespace), let origin):
            setNamespace(
                namespace.name,
                NamespaceRecord(origin: origin, waypoint: Kubernetes.WaypointChoice(namespace.labels)))
        case .upsert(.gateway(let gateway), let origin):
            setGateway(gateway.key, GatewayRecord(object: gateway, origin: origin))
        case .upsert(.referenceGrant(let grant), let origin):
            setGrant(grant.key, GrantRecord(object: grant, origin: origin))
        case .upsert(.httpRoute(let route), let origin): stageRoute(route, origin)
        case .upsert(.authorizationPolicy(let policy), let origin):
            stagePolicy(.authorization(policy), origin)
        case .upsert(.peerAuthentication(let peer), let origin): stagePolicy(.peer(peer), origin)
        case .remove(let key): stageRemoval(key)
        }
    }

    private mutating func stageRemoval(_ key: Kubernetes.ObjectKey) {
        switch key.kind {
        case .node: setNode(key.name, nil, Kubernetes.Origin())
        case .namespace: setNamespace(key.name, nil)
        case .pod, .workloadEntry:
            if let slot = slots[key] { setWorkload(slot, nil, workloads[slot].origin) }
        case .service, .serviceEntry:
            if let slot = slots[key] { setService(slot, nil, services[slot].origin) }
        case .endpointSlice:
            if let slot = slots[key] { setSlice(slot, nil, slices[slot].origin) }
        case .gateway: setGateway(key, nil)
        case .referenceGrant: setGrant(key, nil)
        case .httpRoute:
            if let slot = slots[key] { setRoute(slot, nil, routes[slot].origin) }
        case .authorizationPolicy, .peerAuthentication:
            if let slot = slots[key] { setPolicy(slot, nil, policies[slot].origin) }
        }
    }

    /// Puts back what the step replaced, newest first. The marks that this makes are dropped, too.
    private mutating func rollBack() {
        restoreFrontends()
        let log = step.log
        step = TranslationStep()
        for entry in log.reversed() {
            switch entry {
            case .workload(let slot, let object, let origin): setWorkload(slot, object, origin)
            case .service(let slot, let object, let origin): setService(slot, object, origin)
            case .slice(let slot, let object, let origin): setSlice(slot, object, origin)
            case .node(let name, let node, let origin): setNode(name, node, origin)
            case .namespace(let name, let record): setNamespace(name, record)
            case .gateway(let key, let record): setGateway(key, record)
            case .grant(let key, let record): setGrant(key, record)
            case .route(let slot, let object, let origin): setRoute(slot, object, origin)
            case .policy(let slot, let object, let origin): setPolicy(slot, object, origin)
            }
        }
        freeRemoved()
        step = TranslationStep()
    }

    /// Gives back the slots of objects that are gone at the end of a step.
    private mutating func freeRemoved() {
        for slot in step.removedWorkloads where workloads.isUsed(slot) && workloads[slot].object == nil {
            workloads.remove(slot)
        }
        for slot in step.removedServices where services.isUsed(slot) && services[slot].object == nil {
            services.remove(slot)
        }
        for slot in step.removedSlices where slices.isUsed(slot) && slices[slot].object == nil {
            slices.remove(slot)
        }
        for slot in step.removedRoutes where routes.isUsed(slot) && routes[slot].object == nil {
            routes.remove(slot)
        }
        for slot in step.removedPolicies where policies.isUsed(slot) && policies[slot].object == nil {
            policies.remove(slot)
        }
        for name in step.nodes where nodes[name]?.isUnused == true { nodes[name] = nil }
    }
}

/// What one step has touched: what to translate again, and how to undo it.
struct TranslationStep: Sendable {
    enum LogEntry: Sendable {
        case workload(Slot, WorkloadRecord.Object?, Kubernetes.Origin)
        case service(Slot, ServiceRecord.Object?, Kubernetes.Origin)
        case slice(Slot, Kubernetes.EndpointSlice?, Kubernetes.Origin)
        case node(String, Kubernetes.Node?, Kubernetes.Origin)
        case namespace(String, NamespaceRecord?)
        case gateway(Kubernetes.ObjectKey, GatewayRecord?)
        case grant(Kubernetes.ObjectKey, GrantRecord?)
        case route(Slot, Kubernetes.HTTPRoute?, Kubernetes.Origin)
        case policy(Slot, PolicyRecord.Object?, Kubernetes.Origin)
    }

    var log: [LogEntry] = []
    var workloads: Set<Slot> = []
    var services: Set<Slot> = []
    /// Services whose objects are new or changed, and so worth a warning.
    var upsertedServices: Set<Slot> = []
    var slices: Set<Slot> = []
    var nodes: Set<String> = []
    var gateways: Set<Kubernetes.ObjectKey> = []
    /// Namespaces whose choice of a waypoint must be looked at again.
    var namespaces: Set<String> = []
    /// Routes that are changed, or that refer to what is.
    var routes: Set<Slot> = []
    /// Routes whose objects are new or changed, and so worth a warning again.
    var upsertedRoutes: Set<Slot> = []
    /// Policies that are changed, or that depend on what is.
    var policies: Set<Slot> = []
    /// Policies whose objects are new or changed, and so worth a warning again.
    var upsertedPolicies: Set<Slot> = []
    /// Services whose named target ports must be looked for again.
    var portNames: Set<Slot> = []
    var removedWorkloads: [Slot] = []
    /// The names of removed workloads.
    var removedKeys: [Slot: Kubernetes.ObjectKey] = [:]
    var removedServices: [Slot] = []
    var removedSlices: [Slot] = []
    var removedRoutes: [Slot] = []
    var removedPolicies: [Slot] = []
    /// What `frontends` and `owners` held before the step.
    var replacedFrontends: [(Frontend, Slot?)] = []
    var replacedOwners: [(ServiceKey, Slot?)] = []
}
