// What the translator keeps of each object: itself, its place in the indices, what was emitted for it.

/// A pod or workload entry; `object` is `nil` from its removal to the end of the step.
struct WorkloadRecord: Sendable {
    enum Object: Hashable, Sendable {
        case pod(Kubernetes.Pod)
        indirect case entry(Kubernetes.WorkloadEntry)
    }

    /// What of the emitted workload can change while its object's name stays.
    struct Emitted: Hashable, Sendable {
        var addresses: [IPAddress]
        var locality = Locality()
        var weight: UInt32 = 1
        var memberships: [Membership] = []
        var sharesAddresses: Bool
        var waypoint: WaypointReference?
        var isWaypoint: Bool
        var serviceAccount = ""
        var names: WorkloadNames?
        var policies: [PolicyKey]
        var probePorts: [UInt16] = []
    }

    var object: Object?
    var origin: Kubernetes.Origin
    var group: Slot = 0
    var emitted: Emitted?
}

extension WorkloadRecord.Object {
    var key: Kubernetes.ObjectKey {
        switch self {
        case .pod(let pod): pod.key
        case .entry(let entry): entry.key
        }
    }

    var labels: Kubernetes.Labels {
        switch self {
        case .pod(let pod): pod.labels
        case .entry(let entry): entry.labels
        }
    }

    /// The node whose place is the workload's place; `nil` when it has a place of its own or none.
    var node: String? {
        switch self {
        case .pod(let pod): pod.node.isEmpty ? nil : pod.node
        case .entry: nil
        }
    }

    /// Whether its addresses are others' too, so that traffic to them is not its own.
    var sharesAddresses: Bool {
        switch self {
        case .pod(let pod): pod.usesHostNetwork
        case .entry: false
        }
    }

    /// The addresses that it can be reached at now.
    var liveAddresses: [IPAddress] {
        switch self {
        case .pod(let pod): pod.isFinished ? [] : pod.addresses
        case .entry(let entry): [entry.address]
        }
    }

    var membershipCase: LabelIndex.MembershipCase {
        switch self {
        case .pod(let pod):
            LabelIndex.MembershipCase(
                isEntry: false, isReady: pod.isReady, isTerminating: pod.isTerminating, ports: pod.ports)
        case .entry(let entry):
            LabelIndex.MembershipCase(isEntry: true, isReady: true, isTerminating: false, ports: entry.ports)
        }
    }
}

struct ServiceRecord: Sendable {
    enum Object: Hashable, Sendable {
        case service(Kubernetes.Service)
        indirect case entry(Kubernetes.ServiceEntry)

        var waypoint: Kubernetes.WaypointChoice? {
            switch self {
            case .service(let service): service.waypoint
            case .entry(let entry): entry.waypoint
            }
        }

        var key: Kubernetes.ObjectKey {
            switch self {
            case .service(let service):
                Kubernetes.ObjectKey(.service, namespace: service.namespace, name: service.name)
            case .entry(let entry):
                Kubernetes.ObjectKey(.serviceEntry, namespace: entry.namespace, name: entry.name)
            }
        }
    }

    /// Stays after the object's removal, to the end of the step.
    let key: Kubernetes.ObjectKey
    var object: Object?
    var origin: Kubernetes.Origin
    var definition: ServiceDefinition?
    /// The groups of workloads that the selector picks.
    var groups: [Slot] = []
    var emitted: Service?
    /// What is wrong with its choice of a waypoint.
    var waypointProblem: String?
    /// Workloads of the endpoints that the object itself lists.
    var emittedEndpoints: [Workload] = []
}

struct SliceRecord: Sendable {
    var object: Kubernetes.EndpointSlice?
    var origin: Kubernetes.Origin
    /// Workloads of the endpoints that are no pod we know.
    var emitted: [Workload] = []
}

/// A node, or the name of one that workloads are on.
struct NodeRecord: Sendable {
    var object: Kubernetes.Node?
    var origin = Kubernetes.Origin()
    var workloads: [Slot] = []
    /// Slices with endpoints on this node, once for each endpoint.
    var slices: [Slot] = []
    var emitted: Kubernetes.Node?

    var isUnused: Bool { object == nil && emitted == nil && workloads.isEmpty && slices.isEmpty }
}

struct NamespaceRecord: Sendable {
    var origin: Kubernetes.Origin
    var waypoint: Kubernetes.WaypointChoice?
    /// What is wrong with its choice of a waypoint.
    var waypointProblem: String?
}

struct GatewayRecord: Sendable {
    var object: Kubernetes.Gateway
    var origin: Kubernetes.Origin
}

struct GrantRecord: Sendable {
    var object: Kubernetes.ReferenceGrant
    var origin: Kubernetes.Origin
}

/// An HTTPRoute; `object` is `nil` from its removal to the end of the step.
struct RouteRecord: Sendable {
    let key: Kubernetes.ObjectKey
    var object: Kubernetes.HTTPRoute?
    var origin: Kubernetes.Origin
    /// What it meant at the end of the last step.
    var resolution = RouteCompiler.Resolution()
}

struct RouteConfigurationRecord: Sendable {
    /// The routes that are attached, each once.
    var routes: [Slot] = []
    var emitted: RouteConfiguration?
}

/// A policy of either kind; `object` is `nil` from its removal to the end of the step.
struct PolicyRecord: Sendable {
    enum Object: Hashable, Sendable {
        indirect case authorization(Kubernetes.AuthorizationPolicy)
        indirect case peer(Kubernetes.PeerAuthentication)
    }

    let key: Kubernetes.ObjectKey
    var object: Object?
    var origin: Kubernetes.Origin
    /// The groups of workloads that the selector picks.
    var groups: [Slot] = []
    var emitted: AuthorizationPolicy?
    /// What was wrong with it at the end of the last step.
    var problems: [String] = []
}

extension PolicyRecord.Object {
    var key: Kubernetes.ObjectKey {
        switch self {
        case .authorization(let policy): policy.key
        case .peer(let peer): peer.key
        }
    }

    var peer: Kubernetes.PeerAuthentication? {
        switch self {
        case .authorization: nil
        case .peer(let peer): peer
        }
    }

    var selector: Kubernetes.Labels? {
        switch self {
        case .authorization(let policy): policy.selector
        case .peer(let peer): peer.selector
        }
    }

    /// The objects that it is for, each once.
    var targets: [Kubernetes.ObjectKey] {
        guard case .authorization(let policy) = self else { return [] }
        return policy.targets.compactMap { target in
            switch target {
            case .object(let key): key
            case .gatewayClass: nil
            }
        }
    }
}

/// What clients dial: the key under which two services must not meet.
struct Frontend: Hashable, Sendable {
    var address: IPAddress
    var port: UInt16
    var transport: TransportProtocol
}
