/// The flags of access log and metrics.
public import ArgumentParser
import KmeshDaemon
public import Telemetry

struct TelemetryArguments: ParsableArguments {
    @Flag(
        inversion: .prefixedEnableDisable,
        help: "A line on standard output for each TCP connection of an enrolled pod that ends.")
    var accesslog = false

    @Option(help: "Of the access log; json also reports connections that go on, every --report-interval.")
    var accesslogFormat = AccessLogFormat.text

    @Flag(inversion: .prefixedEnableDisable, help: "Metrics of connections.")
    var monitoring = true

    @Option(help: "Seconds between two reports of connections that go on.")
    var reportInterval = 30

    @Option(
        help: ArgumentHelp(
            "Where Prometheus finds /metrics: ADDRESS:PORT, :PORT for every address, or off.",
            valueName: "address"))
    var metricsAddress = ListenPlace.usualMetrics

    @Option(help: "Label sets of workloads, and as many of services, that have series of their own.")
    var metricsSeriesLimit = 2000

    @Flag(inversion: .prefixedEnableDisable, help: "Series for each workload besides those for services.")
    var workloadMetrics = true

    @Flag(
        inversion: .prefixedEnableDisable,
        help: "Count how often BPF programs run and for how long, which makes each run dearer.")
    var bpfStats = false

    @Option(help: "The cluster's name in metrics.")
    var clusterID = "Kubernetes"

    func validate() throws {
        guard (1...86_400).contains(reportInterval) else {
            throw ValidationError("--report-interval must be from 1 to 86400 seconds")
        }
        guard (1...100_000).contains(metricsSeriesLimit) else {
            throw ValidationError("--metrics-series-limit must be from 1 to 100000")
        }
    }

    var options: TelemetryOptions {
        TelemetryOptions(
            isLogging: accesslog, logFormat: accesslogFormat, isMonitoring: monitoring,
            countsPrograms: bpfStats, reportInterval: .seconds(reportInterval),
            seriesLimit: metricsSeriesLimit, hasWorkloadSeries: workloadMetrics, cluster: clusterID)
    }
}

extension AccessLogFormat: ExpressibleByArgument {}
