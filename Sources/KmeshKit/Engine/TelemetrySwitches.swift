/// What is observed can be switched on and off while the daemon runs.
public enum TelemetryPart: String, Hashable, Sendable, CaseIterable {
    /// A line for each connection that ends.
    case accessLog = "accesslog"
    /// Metrics of connections.
    case monitoring
    /// How often BPF programs run, and for how long.
    case programStatistics = "bpf-stats"
}

public protocol TelemetrySwitches: Sendable {
    func isEnabled(_ part: TelemetryPart) async -> Bool
    func setEnabled(_ part: TelemetryPart, _ isEnabled: Bool) async throws(EngineError)
}
