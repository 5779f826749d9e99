/// A service port as routes lead to it: by its id, and not by an address that clients dial. Its service may
/// have none.
public struct ClusterKey: Hashable, Sendable {
    public let service: ServiceKey
    let port: ServicePortKey

    public init(
        _ service: ServiceKey, port: UInt16, transport: TransportProtocol = .tcp, family: AddressFamily
    ) {
        self.service = service
        self.port = ServicePortKey(port: port, transport: transport, family: family)
    }

    init(_ service: ServiceKey, _ port: ServicePortKey) {
        self.service = service
        self.port = port
    }
}

/// A name of a cluster that an entry of a map has room for: a hash, and not for adversaries.
public struct ClusterDigest: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }
}

extension ClusterKey {
    public var digest: ClusterDigest {
        let halves = [UInt64(0), 1].map { half in
            var hash = StableHash()
            hash.combine(half)
            hash.combine(service.namespace)
            hash.combine(service.hostname)
            hash.combine(
                UInt64(port.port) << 16 | UInt64(port.transport.rawValue) << 8 | UInt64(port.family.rawValue))
            return hash.value
        }
        return ClusterDigest(high: halves[0], low: halves[1])
    }
}

/// The clusters that are wanted, and what those who lead to them have not been told yet.
struct ClusterTable: Sendable {
    private var wanted: [ServiceKey: Set<ServicePortKey>] = [:]
    private var touched: Set<ServiceKey> = []
    /// Services that have clusters, or had, and whose ids are others than those that were told last.
    private(set) var renumbered: Set<ServiceKey> = []

    subscript(service: ServiceKey) -> Set<ServicePortKey> { wanted[service] ?? [] }

    mutating func insert(_ cluster: ClusterKey) {
        if wanted[cluster.service, default: []].insert(cluster.port).inserted {
            touched.insert(cluster.service)
        }
    }

    mutating func remove(_ cluster: ClusterKey) {
        guard wanted[cluster.service]?.remove(cluster.port) != nil else { return }
        if wanted[cluster.service]?.isEmpty == true { wanted[cluster.service] = nil }
        touched.insert(cluster.service)
    }

    /// Services to bring in line, sorted; they do not come again.
    mutating func takeTouched() -> [ServiceKey] {
        defer { touched = [] }
        return touched.sorted()
    }

    mutating func renumber(_ service: ServiceKey) {
        if wanted[service] != nil { renumbered.insert(service) }
    }

    mutating func told() { renumbered = [] }
}
