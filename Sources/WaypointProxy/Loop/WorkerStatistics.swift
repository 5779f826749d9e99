/// What a worker says of itself when it is asked.

struct WorkerStatistics: Sendable {
    /// Connections of clients that are open now, those passed through included.
    var connections = 0
    /// Requests that are under way now.
    var exchanges = 0
    /// Connections to upstreams: all, and those that wait for use.
    var upstreamConnections = 0
    var idleUpstreamConnections = 0
    /// Pairs of connections whose bytes are passed through.
    var streams = 0
    /// Buffers that hold bytes.
    var buffers = 0
    /// The configuration that new requests go by.
    var version: UInt64 = 0
    var telemetry = TelemetrySnapshot()
}
