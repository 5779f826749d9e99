/// Answers the requests of the status server.
internal import KmeshKit
internal import Logging

struct StatusService: Sendable {
    let proxy: WaypointProxy
    let options: WaypointOptions
    let record: OperationRecord
    let names: StatisticNames
    let levels: LogLevels
    private let log = Logger(label: "status")

    init(
        proxy: WaypointProxy, options: WaypointOptions, record: OperationRecord, names: StatisticNames,
        levels: LogLevels
    ) {
        self.proxy = proxy
        self.options = options
        self.record = record
        self.names = names
        self.levels = levels
    }

    func answer(
        _ request: StatusRequest, _ order: @Sendable (WaypointProcess.Command) -> Void
    ) async -> StatusResponse {
        let isReading = request.method == "GET" || request.method == "HEAD"
        guard request.method != "POST" || request.isLocal else {
            return StatusResponse(403, "changes are taken from this machine only: use 127.0.0.1\n")
        }
        switch request.path {
        case "/healthz", "/livez":
            return isReading ? StatusResponse(200, "ok\n") : refuse("GET, HEAD")
        case "/readyz", "/ready", "/healthz/ready":
            return isReading ? readiness() : refuse("GET, HEAD")
        case "/metrics", "/stats/prometheus":
            return isReading ? await metrics() : refuse("GET, HEAD")
        case "/config_dump":
            return isReading ? dump() : refuse("GET, HEAD")
        case "/version":
            return isReading
                ? StatusResponse(200, "kmesh-waypoint \(KmeshVersion.current)\n") : refuse("GET, HEAD")
        case "/logging":
            return request.method == "POST" ? setLevel(request) : isReading ? level() : refuse("GET, POST")
        case "/drain":
            guard request.method == "POST" else { return refuse("POST") }
            order(.drain(why: "POST /drain asks for it"))
            return StatusResponse(200, "draining\n")
        case "/":
            return isReading ? StatusResponse(200, Self.index) : refuse("GET, HEAD")
        default:
            return StatusResponse(404, "nothing here: see /\n")
        }
    }

    private static let index = """
        /healthz            the process runs
        /readyz             it serves; 503 while it starts or drains (also /healthz/ready)
        /metrics            Prometheus
        /config_dump        JSON
        /logging            levels; POST ?level=debug, or ?level=debug&logger=config
        /drain              POST: finish and end
        /version

        """

    private func refuse(_ allowed: String) -> StatusResponse {
        StatusResponse(allowing: allowed, "use \(allowed)\n")
    }

    private func readiness() -> StatusResponse {
        let phase = record.facts.phase
        return StatusResponse(phase == .serving ? 200 : 503, "\(phase.rawValue)\n")
    }

    private func metrics() async -> StatusResponse {
        let statistics = await proxy.statistics()
        let exposition = MetricsExposition(
            statistics: statistics, facts: record.facts, names: names,
            version: proxy.currentConfiguration.version, process: ProcessUse.now())
        return StatusResponse(
            "text/plain; version=0.0.4; charset=utf-8", WholeBody(bytes: exposition.text()))
    }

    private func dump() -> StatusResponse {
        StatusResponse(
            "application/json",
            ConfigurationDump(
                proxy.currentConfiguration,
                listeners: zip(options.listeners, proxy.addresses).map { ($0, $1) },
                facts: record.facts))
    }

    private func level() -> StatusResponse {
        var lines = ["*: \(levels.standard.rawValue)"]
        lines += levels.own.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.rawValue)" }
        return StatusResponse(200, lines.joined(separator: "\n") + "\n")
    }

    private func setLevel(_ request: StatusRequest) -> StatusResponse {
        let wanted = request.parameter("level") ?? ""
        guard let level = Logger.Level(rawValue: wanted) else {
            let all = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            return StatusResponse(400, "level=\(wanted.prefix(40)) is none of \(all)\n")
        }
        if let label = request.parameter("logger") {
            guard ["waypoint", "config", "status", "upgrade"].contains(label) else {
                return StatusResponse(400, "no such logger; there are waypoint, config, status, upgrade\n")
            }
            levels[label] = level
        } else {
            levels.setAll(level)
        }
        log.info("log level set", metadata: ["level": "\(level.rawValue)"])
        return self.level()
    }
}
