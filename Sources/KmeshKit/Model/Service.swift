/// Identity of a service: its namespace and host name (`reviews.default.svc.cluster.local`).
public struct ServiceKey: Hashable, Sendable, CustomStringConvertible {
    public let namespace: String
    public let hostname: String

    public init(namespace: String, hostname: String) {
        self.namespace = namespace
        self.hostname = hostname
    }

    public var description: String { cluster.map { "cluster \($0)" } ?? "\(namespace)/\(hostname)" }

    /// No service of a mesh is in this namespace: Kubernetes allows no such name.
    private static let clusters = "<cluster>"

    /// The service that a cluster is to a data plane at L4.
    public init(cluster name: String) { self.init(namespace: Self.clusters, hostname: name) }

    /// The cluster that the service is; `nil`: one of the mesh.
    public var cluster: String? { namespace == Self.clusters ? hostname : nil }
}

extension ServiceKey: Comparable {
    public static func < (left: ServiceKey, right: ServiceKey) -> Bool {
        (left.namespace, left.hostname) < (right.namespace, right.hostname)
    }
}

/// A service that clients dial by address. One without addresses (headless, ExternalName) is never steered.
public struct Service: Hashable, Sendable {
    public var key: ServiceKey
    /// The object's own name, as people call it.
    public var name: String
    public var addresses: [IPAddress]
    /// Those of `addresses` that answer at other ports too: an external address may be a node's own. There,
    /// a port that the service does not declare is left alone.
    public var sharedAddresses: Set<IPAddress> = []
    public var ports: [ServicePort]
    public var policy: LoadBalancingPolicy
    /// `nil`: every endpoint is as good as another.
    public var locality: LocalityPreference?
    /// ClientIP session affinity and its timeout in seconds.
    public var affinityTimeout: UInt32?
    /// Where its traffic goes through; `nil`: straight to the endpoints.
    public var waypoint: WaypointReference?
    /// How a waypoint chooses among the endpoints.
    public var upstreamPolicy = UpstreamPolicy.leastRequest
    /// More connections at a time than this are refused, on each node. `nil`: no limit.
    public var maxConnections: UInt32?
    /// Where the kernel can route HTTP, it does so even if the service has a waypoint.
    public var prefersKernelRouting = false
    /// Where the kernel routes HTTP: how long the first request may take to arrive once it has begun, and
    /// how long a connection may stay without one, in milliseconds. `nil`: the engine's own.
    public var httpReadTimeout: UInt32?
    public var httpIdleTimeout: UInt32?

    public init(
        key: ServiceKey, name: String, addresses: [IPAddress], ports: [ServicePort],
        policy: LoadBalancingPolicy = .random, locality: LocalityPreference? = nil,
        affinityTimeout: UInt32? = nil
    ) {
        self.key = key
        self.name = name
        self.addresses = addresses
        self.ports = ports
        self.policy = policy
        self.locality = locality
        self.affinityTimeout = affinityTimeout
    }

    /// Sorted, each once.
    var ownAddresses: [IPAddress] { Set(addresses).subtracting(sharedAddresses).sorted() }
}

public struct ServicePort: Hashable, Sendable {
    public var port: UInt16
    public var transport: TransportProtocol
    public var name: String
    public var applicationProtocol: ApplicationProtocol

    public init(
        port: UInt16, transport: TransportProtocol, name: String = "",
        applicationProtocol: ApplicationProtocol = .detect
    ) {
        self.port = port
        self.transport = transport
        self.name = name
        self.applicationProtocol = applicationProtocol
    }
}

/// The transport protocols that are steered; raw values are their IP protocol numbers.
public enum TransportProtocol: UInt8, Hashable, Sendable, CaseIterable {
    case tcp = 6
    case udp = 17

    public var name: String {
        switch self {
        case .tcp: "TCP"
        case .udp: "UDP"
        }
    }
}

public enum LoadBalancingPolicy: String, Hashable, Sendable, CaseIterable {
    /// Every endpoint with the same probability.
    case random
    /// In proportion to the workloads' weights.
    case weighted
    /// Consistent hash by the client workload's address.
    case maglev
    /// One after the other.
    case roundRobin = "round-robin"
    /// The one with fewer connections of two that are chosen at random.
    case leastRequest = "least-request"
}
