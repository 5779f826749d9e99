/// What is known of one request, or of one passed-through connection, when it has ended.
struct ExchangeRecord: BitwiseCopyable {
    /// The route's `statistic`; -1 without a route.
    var route: Int32 = -1
    /// The cluster's number; -1 when none was chosen.
    var cluster: Int32 = -1
    /// What the client got; 0 when it got nothing, and for bytes passed through.
    var status: UInt16 = 0
    var reason = ExchangeReason.completed
    /// Whether the bytes were passed through untouched.
    var isPassthrough = false
    /// Attempts at an upstream, the first included.
    var attempts: UInt8 = 0
    /// Microseconds of the monotonic clock.
    var start: Int64 = 0
    /// Microseconds from the request's first byte to the response's last one.
    var duration: Int64 = 0
    /// Microseconds from the last attempt's start to the head of its response.
    var upstreamDuration: Int64 = 0
    /// Bytes of bodies, or of the stream, from and to the client.
    var bytesReceived: Int64 = 0
    var bytesSent: Int64 = 0
}

/// How an exchange came to its end. Each is counted; the access log shows `flag`, as Envoy's does.
enum ExchangeReason: UInt8, BitwiseCopyable, CaseIterable {
    case completed = 0
    /// Answered by the route itself: a redirect, a fixed response.
    case answered
    case badRequest
    case noRoute
    /// The route's backend leads nowhere.
    case noCluster
    case noEndpoint
    case connectFailed
    case upstreamReset
    /// The upstream's answer is no HTTP that we take.
    case badResponse
    case requestTimeout
    case backendTimeout
    /// The client sends too slowly, or nothing.
    case clientTimeout
    case retriesExhausted
    /// Too many connections or waiting requests for the cluster.
    case overflow
    case clientClosed
    /// A destination that is no frontend of the mesh.
    case unknownDestination
    case badMetadata
    /// Authorization policies refuse it.
    case policyDenied
    case draining
    case internalFault

    var flag: StaticString {
        switch self {
        // Envoy has no flag for policies either: the details name them.
        case .completed, .answered, .policyDenied: "-"
        case .badRequest: "DPE"
        case .noRoute: "NR"
        case .noCluster: "NC"
        case .noEndpoint: "UH"
        case .connectFailed: "UF"
        case .upstreamReset: "UC"
        case .badResponse: "UPE"
        case .requestTimeout, .backendTimeout: "UT"
        case .clientTimeout: "DT"
        case .retriesExhausted: "URX"
        case .overflow: "UO"
        case .clientClosed: "DC"
        case .unknownDestination, .badMetadata: "NR"
        case .draining: "DO"
        case .internalFault: "SI"
        }
    }
}
