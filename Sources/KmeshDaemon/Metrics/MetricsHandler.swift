/// Answers Prometheus.
internal import KmeshKit
internal import Telemetry
internal import WaypointProxy

struct MetricsHandler: Sendable {
    let engine: any DataplaneEngine
    let enrollment: Enrollment
    let observer: ConnectionTelemetry?
    let record: DaemonRecord
    let counters: @Sendable () -> AdminCounters

    func answer(_ request: StatusRequest) async -> StatusResponse {
        guard ["/metrics", "/status/metric"].contains(request.path) else {
            return StatusResponse(404, "metrics are at /metrics\n")
        }
        guard request.isReading else { return StatusResponse(allowing: "GET, HEAD", "use GET or HEAD\n") }
        return StatusResponse(
            "text/plain; version=0.0.4; charset=utf-8", WholeBody(bytes: await page().text()))
    }

    private func page() async -> MetricsPage {
        var meters = await engine.meters()
        if let observer { meters.add(await observer.meters()) }
        let status = record.status(
            enrolled: await enrollment.workloads.count, engine: await engine.activity(), admin: counters())
        return MetricsPage(
            status: status, applyTimes: record.applyTimes,
            connections: await observer?.currentMetrics(), meters: meters, process: ProcessUse.now(),
            started: record.started)
    }
}
