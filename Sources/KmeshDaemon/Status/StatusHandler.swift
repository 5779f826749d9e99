/// Answers what is asked of the daemon's status server.
internal import KmeshKit
internal import Logging
internal import WaypointProxy

struct StatusHandler: Sendable {
    let options: DaemonOptions
    /// Where the server listens.
    let address: SocketAddress
    let engine: any DataplaneEngine
    let authorization: any AuthorizationEnforcer
    /// `nil`: this build has none.
    let telemetry: (any TelemetrySwitches)?
    let loggers: Loggers
    let record: DaemonRecord
    let expensive = ExpensiveQuestions()
    let log = Logger(label: "status")

    func answer(_ request: StatusRequest) async -> StatusResponse {
        // A page that a browser shows must not ask here under a name of its own.
        guard request.namesThisMachine else {
            return sentence(403, "ask 127.0.0.1, [::1] or localhost, not \"\(request.host.prefix(80))\"")
        }
        switch request.path {
        case "/": return reading(request) { StatusResponse(200, Self.index) }
        case "/version": return reading(request) { json(version) }
        case "/options": return reading(request) { json(options.json) }
        case "/debug/ready": return reading(request) { readiness }
        case "/debug/live": return reading(request) { liveness }
        case "/debug/verify": return await questioning(request) { await verification() }
        case "/debug/loggers": return await changing(request) { await logging(request) }
        case "/accesslog": return await changing(request) { await toggle(.accessLog, request) }
        case "/monitoring": return await changing(request) { await toggle(.monitoring, request) }
        case "/authz": return await changing(request) { await toggleAuthorization(request) }
        default:
            guard let dump = StatusDump(path: request.path) else {
                return sentence(404, "nothing is at \(request.path.prefix(80)); / lists what there is")
            }
            return await questioning(request) { await self.dump(dump, request) }
        }
    }

    private static let index = """
        /version                            this program
        /options                            what it was started with
        /debug/ready                        200 when programs are attached and the configuration is applied
        /debug/live                         200 while the engine comes back from its work
        /debug/loggers                      levels; ?name=config; POST ?name=config&level=debug
        /debug/config_dump/dual-engine      the configuration as it was given (also as workload)
        /debug/config_dump/kernel-native    the same for the other mode (also as ads)
        /debug/config_dump/bpf/dual-engine  the kernel's maps, decoded: ?map=km_service,slot&limit=100|all
        /debug/config_dump/bpf/kernel-native
        /debug/verify                       what differs between the kernel's maps and the wanted state
        /accesslog, /monitoring, /authz     switches; POST ?enable=true|false

        """

    // MARK: Answers

    func sentence(_ status: UInt16, _ text: String) -> StatusResponse { StatusResponse(status, "\(text)\n") }

    func json(_ value: JSONValue) -> StatusResponse {
        StatusResponse(
            "application/json", WholeBody(bytes: value.serialized(indentation: 2) + [UInt8(ascii: "\n")]))
    }

    /// For what is expensive.
    private func questioning(
        _ request: StatusRequest, _ answer: () async -> StatusResponse
    ) async -> StatusResponse {
        guard request.isReading else { return refusal(of: request, "GET, HEAD") }
        return await expensive.answer(answer)
            ?? sentence(503, "\(expensive.limit) dumps and comparisons are under way; try again")
    }

    private func reading(_ request: StatusRequest, _ answer: () -> StatusResponse) -> StatusResponse {
        request.isReading ? answer() : refusal(of: request, "GET, HEAD")
    }

    /// For what also changes something: as at the admin socket, that is for root.
    private func changing(
        _ request: StatusRequest, _ answer: () async -> StatusResponse
    ) async -> StatusResponse {
        if request.isReading { return await answer() }
        guard request.method == "POST" else { return refusal(of: request, "GET, HEAD, POST") }
        do throws(SocketDiagnosticsError) {
            let user = try SocketOwner.userID(ofClient: request.peer, connectedTo: address)
            guard let user else { return sentence(403, "whoever asks this is gone: changes are root's") }
            guard user == 0 || user == SocketOwner.ownUserID else {
                return sentence(403, "changes are root's, and user \(user) asks; reading is for everyone")
            }
        } catch {
            return sentence(403, "changes are root's, and nobody knows who asks: \(error); use kmeshctl")
        }
        return await answer()
    }

    private func refusal(of request: StatusRequest, _ allowed: String) -> StatusResponse {
        StatusResponse(
            allowing: allowed, "\(request.path) takes \(allowed), not \(request.method.prefix(20))\n")
    }

    // MARK: How the daemon is

    private var version: JSONValue {
        ["version": .string(KmeshVersion.current), "mode": .string(engine.mode.rawValue)]
    }

    /// Asks nobody who may be busy.
    private var readiness: StatusResponse {
        guard record.isConfigured else {
            return sentence(
                503, "not ready: programs are attached, the first configuration is not applied yet")
        }
        return sentence(200, record.readinessNote.map { "ready; \($0)" } ?? "ready")
    }

    private var liveness: StatusResponse {
        record.watchdog.complaint().map { sentence(503, $0) } ?? sentence(200, "ok")
    }

    private func verification() async -> StatusResponse {
        do {
            return json(.array(try await engine.verify().map(\.json)))
        } catch {
            return sentence(500, "cannot verify: \(error)")
        }
    }

    // MARK: Loggers

    private func logging(_ request: StatusRequest) async -> StatusResponse {
        let (name, level) = (request.parameter("name"), request.parameter("level"))
        do throws(LoggerError) {
            if request.isReading {
                guard let name else { return json(.array(await loggers.all().map(\.json))) }
                return json(try await loggers.level(of: name).json)
            }
            guard let name, let level else {
                return sentence(
                    400, "say which logger and which level: POST /debug/loggers?name=config&level=debug")
            }
            let levels = try await loggers.set(name, to: level)
            log.notice("log level set", metadata: ["logger": "\(name)", "level": "\(level)"])
            return json(.array(levels.map(\.json)))
        } catch {
            switch error {
            case .unknownLogger: return sentence(404, "\(error)")
            case .unknownLevel: return sentence(400, "\(error)")
            case .failed: return sentence(500, "\(error)")
            }
        }
    }

    // MARK: Switches

    private func toggle(_ part: TelemetryPart, _ request: StatusRequest) async -> StatusResponse {
        guard let telemetry else { return sentence(503, "this daemon has no \(part.rawValue) to switch") }
        guard !request.isReading else { return switchState(await telemetry.isEnabled(part)) }
        return await change(request, part.rawValue) { isOn throws(EngineError) in
            try await telemetry.setEnabled(part, isOn)
        }
    }

    private func toggleAuthorization(_ request: StatusRequest) async -> StatusResponse {
        guard !request.isReading else { return switchState(await authorization.snapshot().isEnforcing) }
        return await change(request, "authorization") { isOn throws(EngineError) in
            try await authorization.setEnforcing(isOn)
        }
    }

    private func change(
        _ request: StatusRequest, _ name: String, _ work: (Bool) async throws(EngineError) -> Void
    ) async -> StatusResponse {
        guard let text = request.parameter("enable"), let isOn = Bool(text) else {
            return sentence(400, "say what is wanted: POST \(request.path)?enable=true, or enable=false")
        }
        do throws(EngineError) {
            try await work(isOn)
            log.warning("\(name) is switched \(isOn ? "on" : "off")")
            return switchState(isOn)
        } catch {
            return sentence(500, "cannot switch \(name): \(error)")
        }
    }

    private func switchState(_ isOn: Bool) -> StatusResponse { json(["enabled": .bool(isOn)]) }
}

extension StatusRequest {
    /// Whether the client means this machine by the host that it asks for.
    fileprivate var namesThisMachine: Bool {
        guard !host.isEmpty, host.lowercased() != "localhost" else { return true }
        let isLiteral = host.hasPrefix("[") && host.hasSuffix("]")
        let address = IPAddress(isLiteral ? String(host.dropFirst().dropLast()) : host)
        return address?.isLoopback ?? false
    }
}
