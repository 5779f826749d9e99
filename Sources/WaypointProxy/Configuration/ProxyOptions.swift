/// How the proxy runs: what does not change as long as its process lives.
public import KmeshKit

public struct ProxyOptions: Sendable {
    /// Threads; 0 is one for each core that the process may use.
    public var workers = 0
    /// How long a worker looks for events before it sleeps, in microseconds. It shortens the way of a lonely
    /// request, and keeps a core busy while requests flow.
    public var spinMicroseconds: Int32 = 0
    public var timeouts = ProxyTimeouts()
    public var limits = ProxyLimits()

    public init() {}
}

/// In milliseconds; 0 is without limit.
public struct ProxyTimeouts: Sendable {
    /// For an upstream to accept.
    public var connect: Int64 = 5000
    /// From the first byte of a request's head to its last one.
    public var requestHead: Int64 = 10000
    /// Between two requests of a client.
    public var downstreamIdle: Int64 = 60000
    /// While a request or its response is on its way, without a byte of them in either direction.
    public var exchangeIdle: Int64 = 300_000
    /// A pooled connection that nobody uses. Below what servers wait, so that they rarely close first.
    public var upstreamIdle: Int64 = 55000
    /// Without a byte in either direction, for bytes that are passed through.
    public var streamIdle: Int64 = 3_600_000
    /// For a client's first bytes where they decide on the protocol.
    public var protocolDetection: Int64 = 100
    /// For metadata in front of a connection's first bytes.
    public var metadata: Int64 = 5000
    /// For a client to take an error's answer and close.
    public var linger: Int64 = 2000
    /// For requests on connections that were told to stay, once the process drains.
    public var drainGrace: Int64 = 1000
    /// For a connection to become free, where a cluster has as many as it may have.
    public var pending: Int64 = 5000

    public init() {}

    /// With the long time that stands for no limit.
    var inForce: ProxyTimeouts {
        var timeouts = self
        for path: WritableKeyPath<ProxyTimeouts, Int64> in [
            \.connect, \.requestHead, \.downstreamIdle, \.exchangeIdle, \.upstreamIdle, \.streamIdle,
            \.protocolDetection, \.metadata, \.linger, \.drainGrace, \.pending,
        ] where self[keyPath: path] == 0 {
            timeouts[keyPath: path] = 30 * 24 * 3600 * 1000
        }
        return timeouts
    }
}

public struct ProxyLimits: Sendable {
    /// Bytes of a request line.
    public var line = 8192
    /// Bytes of a head; at most 65536.
    public var head = 65536
    /// Lines of a head.
    public var fields: Int32 = 100
    /// Bytes of a request's body; 0 is without limit.
    public var body: Int64 = 0
    /// Unused connections that are kept for each endpoint and worker.
    public var idleConnectionsPerEndpoint: Int32 = 256
    /// Endpoints that are tried for a request before an answer says that none accepts.
    public var connectAttempts: UInt8 = 3
    /// Pipes of a worker that are kept for reuse.
    public var idlePipes: Int32 = 64
    /// Connections of a worker, whatever the limit on descriptors is.
    public var connections: Int32 = 1 << 20

    public init() {}
}

/// One address that the proxy listens at.
public struct ListenerSpecification: Sendable {
    public enum Kind: Hashable, Sendable {
        /// HTTP by host name: the configuration's plain table.
        case plain
        /// Everything belongs to one service port.
        case servicePort(BackendReference)
        /// The original destination is conveyed, in a TCP option of the SYN or in front of the first bytes.
        case metadata(option: Bool, prefix: Bool)
    }

    /// Port 0 takes a free one.
    public var address: SocketAddress
    public var kind: Kind
    /// Clients in these networks put a PROXY header in front of everything.
    public var acceptsProxyProtocolFrom: [AddressPrefix]
    /// Listening sockets of this address that another process handed over. The proxy owns them.
    public var inherited: [Int32] = []

    public init(address: SocketAddress, kind: Kind, acceptsProxyProtocolFrom: [AddressPrefix] = []) {
        self.address = address
        self.kind = kind
        self.acceptsProxyProtocolFrom = acceptsProxyProtocolFrom
    }
}

/// All addresses with the same first bits.
public struct AddressPrefix: Hashable, Sendable {
    public let address: IPAddress
    /// Bits of the 128; those of IPv4 count from 96.
    public let length: Int

    /// `length` counts the family's own bits: 0 to 32, or 0 to 128. `nil` when it is beyond.
    public init?(_ address: IPAddress, length: Int) {
        let own = address.isV4 ? 32 : 128
        guard (0...own).contains(length) else { return nil }
        self.address = address
        self.length = length + (128 - own)
    }

    public func contains(_ other: IPAddress) -> Bool {
        let highMask = length >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(length))
        let lowMask = length >= 128 ? UInt64.max : length <= 64 ? 0 : ~(UInt64.max >> UInt64(length - 64))
        return (address.high ^ other.high) & highMask == 0 && (address.low ^ other.low) & lowMask == 0
    }
}
