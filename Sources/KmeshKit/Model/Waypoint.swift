/// The L7 proxy that a service's or workload's traffic goes through: one port of the waypoint's own service.
public struct WaypointReference: Hashable, Sendable, CustomStringConvertible {
    public var service: ServiceKey
    /// Takes connections with metadata; 15019 unless the waypoint's service says otherwise.
    public var port: UInt16

    public init(service: ServiceKey, port: UInt16 = WaypointReference.metadataPort) {
        self.service = service
        self.port = port
    }

    public static let metadataPort: UInt16 = 15019

    public var description: String { "\(service):\(port)" }
}

/// What a service port's streams are, as far as its declaration says.
public enum ApplicationProtocol: String, Hashable, Sendable, CaseIterable {
    /// HTTP/1.1 from the client's first byte.
    case http
    /// Anything else: bytes that nobody looks into.
    case tcp
    /// Not declared: the first bytes decide.
    case detect
}

/// How the waypoint chooses among a service's endpoints; the kernel's choice is `LoadBalancingPolicy`.
public enum UpstreamPolicy: String, Hashable, Sendable, CaseIterable {
    /// The less busy of two that are chosen at random.
    case leastRequest = "least-request"
    case roundRobin = "round-robin"
    case random
    /// Consistent hash by the client's address.
    case sourceHash = "source-hash"
}
