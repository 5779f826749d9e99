/// An address and port that clients dial, and what becomes of their connections: the model that Envoy's
/// `Listener` is read into. TCP only.
public struct Listener: Hashable, Sendable {
    /// Unique among listeners.
    public var name: String
    /// Unspecified: any address of its family. A listener for the address itself is stronger.
    public var address: IPAddress
    public var port: UInt16
    /// The one whose match is the most specific counts. A connection that none matches is refused.
    public var filterChains: [FilterChain]
    /// How long the first request may take to arrive once it has begun, in milliseconds. `nil`: the engine's
    /// own.
    public var readTimeout: UInt32?
    /// How long a connection may stay without a request, in milliseconds. `nil`: the engine's own.
    public var idleTimeout: UInt32?

    public init(
        name: String, address: IPAddress, port: UInt16, filterChains: [FilterChain],
        readTimeout: UInt32? = nil, idleTimeout: UInt32? = nil
    ) {
        self.name = name
        self.address = address
        self.port = port
        self.filterChains = filterChains
        self.readTimeout = readTimeout
        self.idleTimeout = idleTimeout
    }
}

public struct FilterChain: Hashable, Sendable {
    /// For people; may be empty.
    public var name: String
    public var match: FilterChainMatch
    public var action: FilterChainAction

    public init(name: String = "", match: FilterChainMatch = FilterChainMatch(), action: FilterChainAction) {
        self.name = name
        self.match = match
        self.action = action
    }
}

/// All parts must hold; without any it matches everything. Between several that hold, parts decide in the
/// order in which they are declared here, and what is narrower wins.
public struct FilterChainMatch: Hashable, Sendable {
    /// The port that was dialed; `nil`: any.
    public var destinationPort: UInt16?
    public var transportProtocol: TransportKind
    /// As ALPN or a look at the first bytes tells them: `http/1.1`, `h2c`. Empty: any.
    public var applicationProtocols: [String]
    /// Where the client is. Empty: anywhere.
    public var sourcePrefixes: [IPBlock]

    public enum TransportKind: String, Hashable, Sendable, CaseIterable {
        case any
        /// In clear.
        case rawBuffer = "raw_buffer"
        case tls
    }

    public init(
        destinationPort: UInt16? = nil, transportProtocol: TransportKind = .any,
        applicationProtocols: [String] = [], sourcePrefixes: [IPBlock] = []
    ) {
        self.destinationPort = destinationPort
        self.transportProtocol = transportProtocol
        self.applicationProtocols = applicationProtocols
        self.sourcePrefixes = sourcePrefixes
    }
}

public enum FilterChainAction: Hashable, Sendable {
    /// By the requests: the name of a configuration whose key is `RouteConfigurationKey.named`.
    case http(routeConfiguration: String)
    /// Shares of the connections. Those of weight 0 get none.
    case tcp([WeightedBackend])
}
