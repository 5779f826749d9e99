/// Who the ends of a connection are, in terms of the mesh.
public struct ConnectionParties: Hashable, Sendable {
    /// `nil` for what is no workload of the mesh.
    public var source: Workload?
    public var destination: Workload?
    /// The service that was dialed; of an inbound connection, one that the destination serves at its port.
    public var service: Service?

    public init(source: Workload? = nil, destination: Workload? = nil, service: Service? = nil) {
        self.source = source
        self.destination = destination
        self.service = service
    }
}

/// What the parties of a connection depend on. Connections that are alike in it have the same.
public struct ConnectionQuestion: Hashable, Sendable {
    public var direction: ConnectionRecord.Direction
    public var namespaceCookie: UInt64
    public var remote: IPAddress
    public var dialed: SocketAddress?
    /// Of an inbound connection; its clients' ports tell nothing.
    public var localPort: UInt16

    public init(_ record: ConnectionRecord) {
        direction = record.direction
        namespaceCookie = record.namespaceCookie
        remote = record.remote.address
        dialed = record.dialed
        localPort = record.direction == .inbound ? record.local.port : 0
    }
}
