/// Switches of the telemetry that every connection pays for.
public protocol TelemetrySwitches: Sendable {
    func isEnabled(_ part: TelemetryPart) async -> Bool
    func setEnabled(_ part: TelemetryPart, _ on: Bool) async throws(EngineError)
}

/// The raw value is what people call it.
public enum TelemetryPart: String, Hashable, Sendable, CaseIterable {
    /// A line for each connection that has ended.
    case accessLog = "accesslog"
    /// Counters for metrics.
    case monitoring
}
