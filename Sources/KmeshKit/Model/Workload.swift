/// Something with addresses that serves: a pod, a WorkloadEntry, or an endpoint that only a slice names.
public struct Workload: Hashable, Sendable {
    /// Unique in the mesh: `Pod/default/reviews-v1-0`, `WorkloadEntry/…`, `EndpointSlice/…`.
    public var uid: String
    public var name: String
    public var namespace: String
    public var addresses: [IPAddress]
    public var locality: Locality
    /// Relative share under the weighted and Maglev policies; 1 unless configured.
    public var weight: UInt32
    public var memberships: [Membership]
    /// Where traffic to its own addresses goes through.
    public var waypoint: WaypointReference?
    /// Whether it is an instance of a waypoint: its own traffic goes through none.
    public var isWaypoint = false
    /// Empty for what runs as none, such as an endpoint that only a slice names: it has no identity.
    public var serviceAccount = ""
    /// `nil`: it is called by its name alone.
    public var names: WorkloadNames?
    /// Whether its addresses are the node's or others' too: traffic from them has no identity.
    public var sharesAddresses = false
    /// The policies of scope `workloads` that protect it, sorted.
    public var policies: [PolicyKey] = []
    /// Ports that kubelet probes, sorted.
    public var probePorts: [UInt16] = []

    public init(
        uid: String, name: String, namespace: String, addresses: [IPAddress], locality: Locality = Locality(),
        weight: UInt32 = 1, memberships: [Membership] = []
    ) {
        self.uid = uid
        self.name = name
        self.namespace = namespace
        self.addresses = addresses
        self.locality = locality
        self.weight = weight
        self.memberships = memberships
    }

    public var identity: WorkloadIdentity? {
        serviceAccount.isEmpty ? nil : WorkloadIdentity(namespace: namespace, serviceAccount: serviceAccount)
    }
}

/// That a workload serves a service, and on which of its ports. A workload that must not receive new
/// connections has no membership.
public struct Membership: Hashable, Sendable {
    public var service: ServiceKey
    public var ports: [PortMapping]
    public var health: EndpointHealth
    /// Those of a higher number serve only while nobody of a lower one does, wherever they are.
    public var priority: UInt8 = 0
    /// The workload's addresses that serve; empty means all of them.
    public var addresses: [IPAddress]

    public init(
        service: ServiceKey, ports: [PortMapping], health: EndpointHealth = .ready,
        addresses: [IPAddress] = []
    ) {
        self.service = service
        self.ports = ports
        self.health = health
        self.addresses = addresses
    }
}

public struct PortMapping: Hashable, Sendable {
    public var servicePort: UInt16
    public var transport: TransportProtocol
    public var targetPort: UInt16

    public init(servicePort: UInt16, transport: TransportProtocol, targetPort: UInt16) {
        self.servicePort = servicePort
        self.transport = transport
        self.targetPort = targetPort
    }
}

public enum EndpointHealth: UInt8, Hashable, Sendable, Comparable {
    case ready = 0
    /// Terminating but still serving: used only while the service has no ready endpoint.
    case terminating = 1

    public static func < (left: EndpointHealth, right: EndpointHealth) -> Bool {
        left.rawValue < right.rawValue
    }
}
