/// The names of counters in metrics. Those of one family stand side by side.

struct CounterMetric: Sendable {
    /// Without `kmesh_waypoint_`.
    let name: String
    var label: (String, String)?
    let help: String

    init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }

    init(_ name: String, _ label: (String, String), _ help: String) {
        self.name = name
        self.label = label
        self.help = help
    }
}

extension WorkerCounter {
    var metric: CounterMetric { downstreamMetric ?? upstreamMetric ?? workerMetric }

    private var downstreamMetric: CounterMetric? {
        let metadata = "Where original destinations were taken from."
        let refused = "Connections without an original destination that is taken."
        let timeouts = "Connections of clients that were ended for their silence."
        let sniffed = "Connections whose first bytes decided on the protocol."
        return switch self {
        case .connectionsAccepted: CounterMetric("connections_total", "Connections of clients.")
        case .connectionsActive: CounterMetric("connections_active", "Open connections of clients.")
        case .connectionsRefused:
            CounterMetric("connections_refused_total", "Connections that were closed for want of room.")
        case .acceptFailures:
            CounterMetric("accept_failures_total", "Connections that could not be accepted.")
        case .descriptorsExhausted:
            CounterMetric("descriptors_exhausted_total", "Times that no file descriptor was left.")
        case .idleTimeouts: CounterMetric("client_timeouts_total", ("phase", "idle"), timeouts)
        case .headTimeouts: CounterMetric("client_timeouts_total", ("phase", "head"), timeouts)
        case .detectionTimeouts: CounterMetric("client_timeouts_total", ("phase", "detection"), timeouts)
        case .sniffedHTTP: CounterMetric("sniffed_total", ("protocol", "http"), sniffed)
        case .sniffedOther: CounterMetric("sniffed_total", ("protocol", "other"), sniffed)
        case .metadataFromOption: CounterMetric("metadata_total", ("source", "option"), metadata)
        case .metadataFromTLV: CounterMetric("metadata_total", ("source", "tlv"), metadata)
        case .metadataFromProxyProtocol:
            CounterMetric("metadata_total", ("source", "proxy_protocol"), metadata)
        case .metadataMissing: CounterMetric("metadata_refused_total", ("reason", "missing"), refused)
        case .metadataMalformed: CounterMetric("metadata_refused_total", ("reason", "malformed"), refused)
        case .metadataUntrusted: CounterMetric("metadata_refused_total", ("reason", "untrusted"), refused)
        case .metadataUnknownDestination:
            CounterMetric("metadata_refused_total", ("reason", "unknown_destination"), refused)
        default: nil
        }
    }

    private var upstreamMetric: CounterMetric? {
        let failures = "Connections to endpoints that came to nothing."
        let overflow = "Requests that were refused for a cluster's bounds."
        return switch self {
        case .upstreamConnects: CounterMetric("upstream_connects_total", "Connections to endpoints.")
        case .upstreamConnectFailures:
            CounterMetric("upstream_connect_failures_total", ("reason", "refused"), failures)
        case .upstreamConnectTimeouts:
            CounterMetric("upstream_connect_failures_total", ("reason", "timeout"), failures)
        case .upstreamActive:
            CounterMetric("upstream_connections", ("state", "active"), "Open connections to endpoints.")
        case .upstreamIdle:
            CounterMetric("upstream_connections", ("state", "idle"), "Open connections to endpoints.")
        case .poolHits: CounterMetric("upstream_reuses_total", "Requests on a connection that was there.")
        case .poolEvictions:
            CounterMetric("upstream_evictions_total", "Unused connections that were closed.")
        case .endpointsPassedOver:
            CounterMetric("endpoints_passed_over_total", "Endpoints that were left alone for a while.")
        case .pendingRequests: CounterMetric("pending_requests", "Requests that wait for a connection.")
        case .pendingOverflow: CounterMetric("overflows_total", ("bound", "pending"), overflow)
        case .connectionOverflow: CounterMetric("overflows_total", ("bound", "connections"), overflow)
        case .retries: CounterMetric("retries_total", ("kind", "policy"), "Attempts after the first one.")
        case .staleRetries:
            CounterMetric("retries_total", ("kind", "stale_connection"), "Attempts after the first one.")
        default: nil
        }
    }

    private var workerMetric: CounterMetric {
        let pipes = "Streams whose bytes are copied, or moved in small pieces, for want of pipes."
        return switch self {
        case .passthroughActive: CounterMetric("streams_active", "Connections that are passed through.")
        case .pipesUnavailable: CounterMetric("pipe_fallbacks_total", ("reason", "unavailable"), pipes)
        case .pipesSmall: CounterMetric("pipe_fallbacks_total", ("reason", "small"), pipes)
        case .configurationsTaken:
            CounterMetric("worker_configs_total", "Configurations that workers took up.")
        case .seriesOverflow:
            CounterMetric("series_overflow_total", "Requests that are counted under other.")
        case .accessLogLines: CounterMetric("access_log_lines_total", "Lines for the access log.")
        case .accessLogDropped:
            CounterMetric("access_log_dropped_total", "Lines that the access log's reader was too slow for.")
        case .chunksExhausted:
            CounterMetric("buffers_exhausted_total", "Times that no buffer was left.")
        case .upgradedConnections:
            CounterMetric("upgraded_connections_total", "Connections that changed to another protocol.")
        default: CounterMetric("other_total", "\(self)")
        }
    }
}
