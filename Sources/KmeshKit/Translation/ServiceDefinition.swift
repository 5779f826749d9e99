/// What a `Service` or `ServiceEntry` means to the mesh: the service that clients dial, and who serves it.
struct ServiceDefinition: Sendable {
    /// `nil`: left out of the mesh, so that its traffic stays untouched.
    var model: Service?
    var selector: Kubernetes.Labels?
    /// Whether the selector picks workload entries besides pods.
    var selectsEntries: Bool
    /// The ports that are steered.
    var ports: [Kubernetes.Port]
    var publishesNotReady: Bool
    var endpoints: [Kubernetes.ServiceEntry.Endpoint]
    var warnings: [String]
    /// Whether it is the service of a waypoint.
    var isWaypoint = false

    /// Whether members of `other` would be the same members, on the same ports, of this one.
    func hasMembers(as other: ServiceDefinition) -> Bool {
        selector == other.selector && ports == other.ports && publishesNotReady == other.publishesNotReady
            && selectsEntries == other.selectsEntries && model?.key == other.model?.key
            && isWaypoint == other.isWaypoint
    }

    var hasNamedTargets: Bool {
        ports.contains { port in
            switch port.target {
            case .name: true
            case .number: false
            }
        }
    }
}

extension ServiceDefinition {
    init(_ service: Kubernetes.Service, clusterDomain: String, isWaypoint: Bool) {
        var warnings = Self.unsteered(service.ports)
        if service.form == .clusterIP, service.addresses.isEmpty {
            warnings.append("has no clusterIP, so no address leads to it: give it one")
        }
        if service.hidesLoadBalancer {
            warnings.append("has loadBalancerSourceRanges: its load balancer's addresses are not steered")
        }
        var ports = service.ports.filter { $0.transport != nil }
        if isWaypoint, !ports.contains(where: \.takesMetadata) { ports.append(.metadata) }
        self.init(
            model: Service(
                key: ServiceKey(
                    namespace: service.namespace,
                    hostname: "\(service.name).\(service.namespace).svc.\(clusterDomain)"),
                name: service.name, addresses: service.form == .clusterIP ? service.addresses : [],
                ports: Self.servicePorts(ports), policy: service.policy, locality: Self.locality(of: service),
                affinityTimeout: service.affinityTimeout),
            selector: service.form == .externalName ? nil : service.selector, selectsEntries: false,
            ports: ports,
            publishesNotReady: service.publishesNotReady, endpoints: [], warnings: warnings,
            isWaypoint: isWaypoint)
        model?.sharedAddresses = service.outerAddresses
        model?.maxConnections = service.maxConnections
        model?.prefersKernelRouting = service.prefersKernelRouting
        model?.httpReadTimeout = service.httpReadTimeout
        model?.httpIdleTimeout = service.httpIdleTimeout
        if let policy = service.upstreamPolicy {
            model?.upstreamPolicy = policy
        } else if service.affinityTimeout != nil {
            model?.upstreamPolicy = .sourceHash
        }
    }

    init(_ entry: Kubernetes.ServiceEntry) {
        let ports = entry.ports.filter { $0.transport != nil }
        var warnings = Self.unsteered(entry.ports)
        let isSteered = entry.resolution == .fixed
        if !isSteered {
            warnings.append("has resolution \(entry.resolution.rawValue) and is not steered: use STATIC")
        } else if entry.addresses.isEmpty {
            warnings.append("has no addresses and is not steered: give it some")
        }
        let model = Service(
            key: ServiceKey(namespace: entry.namespace, hostname: entry.hosts.first ?? entry.name),
            name: entry.name, addresses: entry.addresses, ports: Self.servicePorts(ports),
            // The weights of entries would mean nothing under the random policy.
            policy: Self.hasWeights(entry) ? .weighted : .random)
        self.init(
            model: isSteered ? model : nil, selector: isSteered ? entry.selector : nil, selectsEntries: true,
            ports: ports, publishesNotReady: false, endpoints: isSteered ? entry.endpoints : [],
            warnings: warnings)
    }

    private static func hasWeights(_ entry: Kubernetes.ServiceEntry) -> Bool {
        entry.endpoints.contains { $0.weight != 1 } || entry.selector != nil
    }

    private static func servicePorts(_ ports: [Kubernetes.Port]) -> [ServicePort] {
        ports.compactMap { port in
            port.transport.map {
                ServicePort(
                    port: port.port, transport: $0, name: port.name,
                    applicationProtocol: port.applicationProtocol)
            }
        }
    }

    private static func unsteered(_ ports: [Kubernetes.Port]) -> [String] {
        ports.filter { $0.transport == nil }.map { "port \($0.port) is SCTP and is not steered" }
    }

    /// `internalTrafficPolicy: Local` is strict about the node, whatever is preferred besides.
    private static func locality(of service: Kubernetes.Service) -> LocalityPreference? {
        if service.isNodeLocal { return LocalityPreference(mode: .strict, scopes: [.node]) }
        guard service.distribution != nil || service.localityMode != nil else { return nil }
        let scopes: [LocalityScope] =
            switch service.distribution {
            case .preferSameNode: [.region, .zone, .node]
            case .preferClose, .preferSameZone, nil: [.region, .zone]
            }
        return LocalityPreference(mode: service.localityMode ?? .failover, scopes: scopes)
    }
}

extension Kubernetes.Port {
    /// Where a waypoint is told what was dialed; its Service need not declare it.
    static var metadata: Kubernetes.Port {
        var port = Kubernetes.Port(port: WaypointReference.metadataPort, name: "kmesh-metadata")
        port.isImplied = true
        return port
    }

    var takesMetadata: Bool { port == WaypointReference.metadataPort && transport == .tcp }

    /// The port that a pod serves this port on; `nil` when it has no port of the wanted name and protocol.
    func target(inPodWith ports: [Kubernetes.NamedPort]) -> UInt16? {
        switch target {
        case .number(let number): number
        case .name(let name): ports.first { $0.name == name && $0.transport == transport }?.number
        }
    }

    /// The port that an entry or endpoint serves this port on, given its target ports by service port.
    func target(overriddenBy ports: [Kubernetes.NamedPort]) -> UInt16? {
        if let own = ports.first(where: { $0.name == name }) { return own.number }
        switch target {
        case .number(let number): return number
        case .name: return nil
        }
    }
}
