/// What an engine has in force, as plain values for people and tools to read.
public struct EngineSnapshot: Hashable, Sendable {
    public var mode: EngineMode
    public var services: [ServiceSnapshot]
    public var frontends: [FrontendSnapshot]
    public var enrolled: [LocalWorkload]
    public var reasons: [ReasonCount]
    public var maps: [MapSnapshot]

    public init(
        mode: EngineMode, services: [ServiceSnapshot] = [], frontends: [FrontendSnapshot] = [],
        enrolled: [LocalWorkload] = [], reasons: [ReasonCount] = [], maps: [MapSnapshot] = []
    ) {
        self.mode = mode
        self.services = services
        self.frontends = frontends
        self.enrolled = enrolled
        self.reasons = reasons
        self.maps = maps
    }
}

/// One port of one service in one address family: what the maps call a service.
public struct ServiceSnapshot: Hashable, Sendable {
    /// The id in the maps.
    public var id: UInt32
    /// `namespace/hostname`.
    public var service: String
    public var port: UInt16
    public var transport: TransportProtocol
    public var family: AddressFamily
    public var policy: LoadBalancingPolicy
    /// The tier that is chosen from: 0 is the best.
    public var tier: UInt32
    /// ClientIP affinity, in seconds.
    public var affinityTimeout: UInt32?
    /// The service port that connections go through.
    public var waypoint: String?
    /// Whether it is there to take them; if not, they are refused.
    public var isWaypointInForce = true
    public var endpoints: [EndpointSnapshot]
    /// Endpoints of all tiers, also where the list itself was left out.
    public var endpointCount: UInt64

    public init(
        id: UInt32, service: String, port: UInt16, transport: TransportProtocol, family: AddressFamily,
        policy: LoadBalancingPolicy, tier: UInt32, affinityTimeout: UInt32? = nil,
        waypoint: String? = nil, endpoints: [EndpointSnapshot],
        endpointCount: UInt64? = nil
    ) {
        self.id = id
        self.service = service
        self.port = port
        self.transport = transport
        self.family = family
        self.policy = policy
        self.tier = tier
        self.affinityTimeout = affinityTimeout
        self.waypoint = waypoint
        self.endpoints = endpoints
        self.endpointCount = endpointCount ?? UInt64(endpoints.count)
    }
}

public struct EndpointSnapshot: Hashable, Sendable {
    /// Unique in its service port.
    public var id: UInt32
    public var address: IPAddress
    public var port: UInt16
    public var tier: UInt32
    /// Its place among the endpoints of its tier.
    public var slot: UInt32

    public init(id: UInt32, address: IPAddress, port: UInt16, tier: UInt32, slot: UInt32) {
        self.id = id
        self.address = address
        self.port = port
        self.tier = tier
        self.slot = slot
    }
}

public struct FrontendSnapshot: Hashable, Sendable {
    public var address: IPAddress
    /// 0 with no transport: the mark of an address. A service's lets undeclared ports be refused; a
    /// workload's sends TCP connections through a waypoint.
    public var port: UInt16
    public var transport: TransportProtocol?
    /// The service port's id; for the mark of an address 0, or a waypoint's.
    public var serviceID: UInt32
    /// The service port's name; nil where connections are refused.
    public var service: String?

    public init(
        address: IPAddress, port: UInt16, transport: TransportProtocol?, serviceID: UInt32,
        service: String? = nil
    ) {
        self.address = address
        self.port = port
        self.transport = transport
        self.serviceID = serviceID
        self.service = service
    }
}

/// How often programs decided for one reason.
public struct ReasonCount: Hashable, Sendable {
    public var number: UInt32
    public var name: String
    public var count: UInt64

    public init(number: UInt32, name: String, count: UInt64) {
        self.number = number
        self.name = name
        self.count = count
    }
}

public struct MapSnapshot: Hashable, Sendable {
    public var name: String
    public var capacity: UInt64
    /// `nil` where the kernel does not tell: storage of sockets, counters.
    public var entries: UInt64?
    /// Entries that a full map dropped for newer ones; `nil` for a map that never does.
    public var evictions: UInt64?
    /// Kernel memory in use.
    public var bytes: UInt64

    public init(name: String, capacity: UInt64, entries: UInt64?, evictions: UInt64? = nil, bytes: UInt64) {
        self.name = name
        self.capacity = capacity
        self.entries = entries
        self.evictions = evictions
        self.bytes = bytes
    }
}
