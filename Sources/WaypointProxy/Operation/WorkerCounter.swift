/// What a worker counts besides its exchanges. Values only rise, but for those that `isGauge` names.
enum WorkerCounter: UInt8, BitwiseCopyable, CaseIterable {
    // Connections of clients.
    case connectionsAccepted = 0
    case connectionsActive
    /// Closed at once: no record or no descriptor was free for it.
    case connectionsRefused
    case acceptFailures
    case descriptorsExhausted
    case idleTimeouts
    case headTimeouts
    case detectionTimeouts
    case sniffedHTTP
    case sniffedOther

    // What a connection's original destination was taken from, and why it was not.
    case metadataFromOption
    case metadataFromTLV
    case metadataFromProxyProtocol
    case metadataMissing
    case metadataMalformed
    case metadataUntrusted
    case metadataUnknownDestination

    // Upstream.
    case upstreamConnects
    case upstreamConnectFailures
    case upstreamConnectTimeouts
    case upstreamActive
    case upstreamIdle
    case poolHits
    case poolEvictions
    case endpointsPassedOver
    case pendingRequests
    case pendingOverflow
    case connectionOverflow
    case retries
    /// Repeated elsewhere, since a pooled connection turned out to be closed.
    case staleRetries

    // Passing through.
    case passthroughActive
    /// Bytes are copied: the kernel gave no pipe, or not one of the wanted size.
    case pipesUnavailable
    case pipesSmall

    // The worker itself.
    case configurationsTaken
    case seriesOverflow
    case accessLogLines
    case accessLogDropped
    case chunksExhausted
    case upgradedConnections

    /// Whether the value also falls.
    var isGauge: Bool {
        switch self {
        case .connectionsActive, .upstreamActive, .upstreamIdle, .pendingRequests, .passthroughActive: true
        default: false
        }
    }
}
