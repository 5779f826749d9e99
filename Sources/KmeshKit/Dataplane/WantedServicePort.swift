/// What the configuration asks of one port of one service in one address family.
struct WantedServicePort: Hashable, Sendable {
    var key: ServicePortKey
    /// The addresses that clients dial, sorted, each once. A cluster may have none.
    var frontends: [IPAddress]
    var policy: LoadBalancingPolicy
    /// Seconds.
    var affinityTimeout: UInt32?
    /// The service has endpoints, but none where its strict locality asks for one.
    var isStrictlyUnmatched = false
    /// How many connections it may have is limited.
    var isLimited = false
    /// Sorted by identity, each once.
    var endpoints: [WantedEndpoint]
}

/// Identity of a service port within its service. A dual-stack port is two of them.
struct ServicePortKey: Hashable, Sendable {
    let port: UInt16
    let transport: TransportProtocol
    let family: AddressFamily
}

/// Identity of an endpoint within a service port.
struct EndpointIdentity: Hashable, Sendable, Comparable {
    let address: IPAddress
    let port: UInt16

    static func < (left: EndpointIdentity, right: EndpointIdentity) -> Bool {
        (left.address, left.port) < (right.address, right.port)
    }
}

struct WantedEndpoint: Hashable, Sendable {
    let identity: EndpointIdentity
    /// Lower is better: see `EndpointTier`.
    let tier: UInt8
    let weight: UInt32
}
