internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit
internal import Steering

/// What the kernel-native engine adds to L4: listeners, routes and clusters, and limits of connections.
struct RoutingLayer: SteeringLayer {
    private var routes: RouteDataplane
    private var clusters = ClusterLowering()
    private var limits: ConnectionLimits
    /// By it a later run knows the clusters again.
    private var digests: ServicePortTable<ClusterValue>
    private var areDigestsStale = true
    /// What L4 keeps in force for routes.
    private var referenced: Set<ClusterKey> = [] {
        didSet { if referenced != oldValue { areDigestsStale = true } }
    }
    /// Whether routes or ids have changed since they were put in force.
    private var isStale = true
    private let fallback: L7Fallback
    /// Why requests cannot be read; `nil`: they can.
    private var fault: String?
    private let watchesModule: Bool
    private var writes = 0

    /// - Parameter fault: why the programs that read requests were left out.
    init(_ object: borrowing BPFObject, _ options: EngineOptions, fault: String?) throws(BPFError) {
        routes = RouteDataplane(maps: try NativeMaps(of: object))
        limits = ConnectionLimits(
            try BPFMap(try object.map(KMESH_MAP_LIMIT), name: KMESH_MAP_LIMIT))
        digests = ServicePortTable(
            try BPFMap(try object.map(KMESH_MAP_CLUSTER), name: KMESH_MAP_CLUSTER)
        ) { value in
            let digits = [value.digest.high, value.digest.low].map { String($0, radix: 16) }
            return [.init("digest", .string(digits.joined(separator: "-")))]
        }
        (fallback, self.fault) = (options.l7Fallback, fault)
        watchesModule = fault != nil
        do throws(MapError) {
            try routes.adopt()
            try limits.table.adopt()
            try digests.adopt()
        } catch {
            throw .failed("read the map \(error.map)", error.errno)
        }
    }

    // MARK: The kernel module

    var notes: [String] { readinessNote.map { [$0] } ?? [] }

    var readinessNote: String? {
        guard let fault else { return nil }
        return "no HTTP routing: \(fault); services whose routes need it \(consequence)"
    }

    private var consequence: String {
        switch fallback {
        case .refuse: "are refused (--l7-fallback=refuse)"
        case .default: "go to their own endpoints, whatever their routes say (--l7-fallback=default)"
        case .waypoint: "go through their waypoints, and without one are refused (--l7-fallback=waypoint)"
        }
    }

    /// The module may come later.
    var wantsReload: Bool { watchesModule && fault != nil && KernelModule.fault == nil }

    mutating func adapt(to fresh: any SteeringLayer) {
        guard let fresh = fresh as? RoutingLayer else { return }
        fault = fresh.fault
    }

    // MARK: Configuration

    var adoptedClusters: [ClusterDigest: UInt32] {
        // Of two ids the later one is wanted: what a crash left behind is older.
        Dictionary(
            digests.held.compactMap { key, value in value.map { ($0.digest, key.serviceID) } },
            uniquingKeysWith: max)
    }

    mutating func prepare(
        _ changes: [ResourceChange<MeshResource>], _ dataplane: inout L4Dataplane
    ) -> [ResourceChange<MeshResource>] {
        let lowered = clusters.lower(changes)
        limits.note(changes)
        limits.note(lowered)
        guard isStale || changes.contains(where: \.concernsRouting) else { return lowered }
        isStale = true
        routes.prepare(changes)
        let wanted = Set(routes.references.map(ClusterKey.init))
        dataplane.changeClusters(
            adding: wanted.subtracting(referenced), removing: referenced.subtracting(wanted))
        referenced = wanted
        return lowered
    }

    mutating func refer(to dataplane: L4Dataplane, renumbered: Set<ServiceKey>) throws(MapError) {
        try limits.write(dataplane, &writes)
        guard isStale || !renumbered.isEmpty || routes.pendingWrites > 0 else { return }
        isStale = true
        areDigestsStale = areDigestsStale || !renumbered.isEmpty
        let wanted = areDigestsStale ? digests(dataplane) : [:]
        // A start after a crash must not take what routes lead to for something else: so they are there
        // before routes lead to a service port, and as long as they do.
        if areDigestsStale { try digests.add(wanted, &writes) }
        try routes.refer(to: PortsInForce(dataplane: dataplane))
        if areDigestsStale, routes.isSettled {
            try digests.removeOthers(than: wanted, &writes)
            areDigestsStale = false
        }
        isStale = false
    }

    private func digests(_ dataplane: L4Dataplane) -> [ServiceMapKey: ClusterValue] {
        let entries = referenced.compactMap { cluster in
            dataplane.serviceID(of: cluster).map {
                (ServiceMapKey(serviceID: $0), ClusterValue(cluster.digest))
            }
        }
        return Dictionary(entries, uniquingKeysWith: { $1 })
    }

    func origin(of name: MeshResourceName) -> MeshResourceName {
        if case .service(let key) = name, let cluster = key.cluster { return .cluster(cluster) }
        return name
    }

    func rejections(of changes: [ResourceChange<MeshResource>]) -> [RejectedResource] {
        routes.rejections(of: changes)
    }

    var configuration: [MeshResource] { routes.configuration + clusters.all.map { .cluster($0) } }

    // MARK: Once a second

    mutating func tend(_ dataplane: L4Dataplane) { routes.tend(PortsInForce(dataplane: dataplane)) }

    mutating func repairDrift(_ dataplane: L4Dataplane) -> DriftReport {
        let (pace, names) = (DriftPace(), Self.names(dataplane))
        var report = routes.repairDrift(pace, names)
        report.add(limits.table.repairDrift(pace, names))
        report.add(digests.repairDrift(pace, names))
        return report
    }

    var activity: EngineActivity {
        EngineActivity(
            writes: UInt64(writes + routes.writes),
            pendingWrites: UInt64(routes.pendingWrites), stall: routes.stall.map { "\($0)" })
    }

    // MARK: For people

    func verify(_ dataplane: L4Dataplane) throws(MapError) -> [Difference] {
        let names = Self.names(dataplane)
        return try routes.verify(names) + limits.table.verify(names) + digests.verify(names)
    }

    func dumpableMaps(_ dataplane: L4Dataplane) -> [DumpableMap] {
        routes.dumpableMaps(Self.names(dataplane)) + [
            limits.table.dump(Self.names(dataplane)), digests.dump(Self.names(dataplane)),
            .hidden(KMESH_MAP_CURSOR, "how far round robin has come, by service port"),
            .hidden(KMESH_MAP_ACTIVE, "connections that are counted, by service port and endpoint"),
            .hidden(KMESH_MAP_COUNTED, "where sockets count hangs on the sockets themselves"),
            .hidden(KMESH_MAP_STEP4, "the program that routes IPv4 connections by their requests"),
            .hidden(KMESH_MAP_STEP6, "the program that routes IPv6 connections by their requests"),
        ]
    }

    var entriesByMap: [String: Int] {
        let tables = [limits.table.entryCount, digests.entryCount]
        return routes.entriesByMap.merging(tables.map { ($0.map, $0.count) }) { $1 }
    }

    private static func names(_ dataplane: L4Dataplane) -> @Sendable (UInt32) -> String {
        { dataplane.service(numbered: $0).map { "\($0)" } ?? "unknown" }
    }
}

/// The service ports that L4 has in force.
private struct PortsInForce: ServicePorts {
    let dataplane: L4Dataplane

    func id(of reference: ServicePortReference) -> UInt32? {
        dataplane.serviceID(of: ClusterKey(reference))
    }

    func owner(of frontend: FrontendKey) -> UInt32? { dataplane.serviceID(answering: frontend) }
}

extension ClusterKey {
    fileprivate init(_ reference: ServicePortReference) {
        switch reference.backend {
        case .service(let key, let port): self.init(key, port: port, family: reference.family)
        case .cluster(let name):
            self.init(
                ServiceKey(cluster: name), port: ClusterLowering.port, family: reference.family)
        }
    }
}

extension ResourceChange<MeshResource> {
    fileprivate var concernsRouting: Bool {
        switch name {
        case .service, .routes, .listener: true
        case .workload, .node, .policy, .cluster: false
        }
    }
}

extension NativeMaps {
    init(of object: borrowing BPFObject) throws(BPFError) {
        self.init(
            listeners: try BPFMap(try object.map(KMESH_MAP_LISTENER), name: KMESH_MAP_LISTENER),
            chains: try BPFMap(try object.map(KMESH_MAP_CHAIN), name: KMESH_MAP_CHAIN),
            tables: try BPFMap(try object.map(KMESH_MAP_ROUTE_TABLE), name: KMESH_MAP_ROUTE_TABLE),
            hosts: try BPFMap(try object.map(KMESH_MAP_HOST), name: KMESH_MAP_HOST),
            found: try BPFMap(try object.map(KMESH_MAP_FOUND), name: KMESH_MAP_FOUND),
            routes: try BPFMap(try object.map(KMESH_MAP_ROUTE), name: KMESH_MAP_ROUTE),
            conditions: try BPFMap(try object.map(KMESH_MAP_CONDITION), name: KMESH_MAP_CONDITION),
            texts64: try BPFMap(try object.map(KMESH_MAP_TEXT_64), name: KMESH_MAP_TEXT_64),
            texts256: try BPFMap(try object.map(KMESH_MAP_TEXT_256), name: KMESH_MAP_TEXT_256),
            texts4096: try BPFMap(try object.map(KMESH_MAP_TEXT_4096), name: KMESH_MAP_TEXT_4096),
            splits: try BPFMap(try object.map(KMESH_MAP_SPLIT), name: KMESH_MAP_SPLIT),
            shares: try BPFMap(try object.map(KMESH_MAP_SHARE), name: KMESH_MAP_SHARE))
    }
}
