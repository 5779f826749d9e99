/// What is observed from the start, and how it is shown.
public struct TelemetryOptions: Hashable, Sendable {
    public var isLogging: Bool
    public var logFormat: AccessLogFormat
    public var isMonitoring: Bool
    public var countsPrograms: Bool
    /// How often connections that go on are reported.
    public var reportInterval: Duration
    /// Label sets of workloads, and as many of services, that have series of their own.
    public var seriesLimit: Int
    /// Whether there are series for each workload besides those for each service.
    public var hasWorkloadSeries: Bool
    /// The cluster's name in labels.
    public var cluster: String

    public init(
        isLogging: Bool = false, logFormat: AccessLogFormat = .text, isMonitoring: Bool = true,
        countsPrograms: Bool = false, reportInterval: Duration = .seconds(30), seriesLimit: Int = 2000,
        hasWorkloadSeries: Bool = true, cluster: String = "Kubernetes"
    ) {
        self.isLogging = isLogging
        self.logFormat = logFormat
        self.isMonitoring = isMonitoring
        self.countsPrograms = countsPrograms
        self.reportInterval = reportInterval
        self.seriesLimit = seriesLimit
        self.hasWorkloadSeries = hasWorkloadSeries
        self.cluster = cluster
    }
}

public enum AccessLogFormat: String, Hashable, Sendable, CaseIterable {
    case text, json
}
