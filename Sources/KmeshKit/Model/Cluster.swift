/// Endpoints that routes and listeners name together: the model that Envoy's `Cluster` is read into.
public struct Cluster: Hashable, Sendable {
    /// Unique among clusters.
    public var name: String
    public var policy: LoadBalancingPolicy
    /// None: connections to the cluster are refused.
    public var endpoints: [ClusterEndpoint]
    /// More connections at a time than this are refused, on each node. `nil`: no limit.
    public var maxConnections: UInt32?
    /// For people: the kernel's own limit is in force, as it is the client that connects. In milliseconds.
    public var connectTimeout: UInt32?

    public init(
        name: String, policy: LoadBalancingPolicy = .roundRobin, endpoints: [ClusterEndpoint] = [],
        maxConnections: UInt32? = nil, connectTimeout: UInt32? = nil
    ) {
        self.name = name
        self.policy = policy
        self.endpoints = endpoints
        self.maxConnections = maxConnections
        self.connectTimeout = connectTimeout
    }
}

/// Each address and port is at most once in a cluster.
public struct ClusterEndpoint: Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16
    /// Its share among those of its priority; 1 unless configured, and never 0.
    public var weight: UInt32
    /// 0 is the best. Others serve only while nobody of a lower number does.
    public var priority: UInt32
    public var health: EndpointHealth
    public var locality: Locality

    public init(
        address: IPAddress, port: UInt16, weight: UInt32 = 1, priority: UInt32 = 0,
        health: EndpointHealth = .ready, locality: Locality = Locality()
    ) {
        self.address = address
        self.port = port
        self.weight = weight
        self.priority = priority
        self.health = health
        self.locality = locality
    }
}
