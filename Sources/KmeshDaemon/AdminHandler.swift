/// Answers what comes in at the admin socket.
internal import KmeshKit
internal import Logging

struct AdminHandler: Sendable {
    let engine: any DataplaneEngine
    let authorization: any AuthorizationEnforcer
    let enrollment: Enrollment
    let record: DaemonRecord
    let loggers: Loggers
    let counters: @Sendable () -> AdminCounters
    /// Ends the daemon and leaves everything pinned; the answer is still sent.
    let handOver: @Sendable () -> Void
    let log = Logger(label: "admin")

    func answer(_ request: AdminRequest) async -> AdminResponse {
        switch request {
        case .enroll(let request): await enroll(request)
        case .withdraw(let request): await withdraw(request)
        case .dump(let sections): .dump(await engine.snapshot(), sections)
        case .verify: await verify()
        case .authorization: .authorization(await authorization.snapshot())
        case .setEnforcing(let isEnforcing): await setEnforcing(isEnforcing)
        case .handOver: startHandOver()
        case .explain(let question): await explain(question)
        case .trace(let request): await trace(request)
        case .maps(let query): await maps(query)
        case .configuration:
            .configuration(ResourceDump.sorted(await engine.configuration()).map(ResourceDump.init))
        case .waypoints:
            .waypoints(WaypointReport.all(await engine.snapshot(), await engine.configuration()))
        case .loggers: .loggers(await loggers.all())
        case .setLevel(let logger, let level): await setLevel(logger, level)
        case .version: .version(VersionReport(mode: engine.mode.rawValue))
        case .status:
            .status(
                record.status(
                    enrolled: await enrollment.workloads.count, engine: await engine.activity(),
                    admin: counters()))
        }
    }

    /// How long a request that needs the first configuration waits for it.
    private static let configurationLimit = Duration.seconds(60)

    /// What to say to a request that cannot be answered before the first configuration; `nil` after it.
    private func refusalUntilConfigured(_ what: String) async -> AdminResponse? {
        if await record.awaitConfiguration(Self.configurationLimit) { return nil }
        return .error(
            .failed,
            "cannot \(what) before the first configuration is in force; see `kmeshctl status` for what is "
                + "wrong with it. What an earlier run left is in force meanwhile")
    }

    private func enroll(_ request: EnrollmentRequest) async -> AdminResponse {
        // Nobody knows yet which policies protect the pod.
        if let refusal = await refusalUntilConfigured("enroll pod \(request.pod)") { return refusal }
        do throws(EnrollmentError) {
            let workload = try await enrollment.enroll(request)
            log.info(
                "enrolled pod \(workload.pod)",
                metadata: [
                    "uid": "\(workload.id)", "cookie": "\(workload.networkNamespace.cookie)",
                    "address": "\(workload.addresses[0])",
                ])
            return .enrolled(workload)
        } catch {
            log.warning("enrolment refused: \(error)")
            return .error(.failed, "\(error)")
        }
    }

    private func withdraw(_ request: WithdrawalRequest) async -> AdminResponse {
        do throws(EnrollmentError) {
            let workloads = try await enrollment.withdraw(request)
            for workload in workloads {
                log.info("withdrew pod \(workload.pod)", metadata: ["uid": "\(workload.id)"])
            }
            return .withdrawn(workloads)
        } catch {
            log.warning("withdrawal refused: \(error)")
            return .error(.failed, "\(error)")
        }
    }

    private func startHandOver() -> AdminResponse {
        log.warning("another daemon takes over: ending, programs and maps stay")
        handOver()
        return .handingOver(pid: ProcessIdentity.pid)
    }

    private func setEnforcing(_ isEnforcing: Bool) async -> AdminResponse {
        do throws(EngineError) {
            try await authorization.setEnforcing(isEnforcing)
            log.warning("authorization is \(isEnforcing ? "enforced again" : "switched off")")
            return .authorization(await authorization.snapshot())
        } catch {
            return .error(.failed, "\(error)")
        }
    }

    private func explain(_ question: AuthorizationQuestion) async -> AdminResponse {
        if let refusal = await refusalUntilConfigured("explain a verdict") { return refusal }
        do throws(ExplanationError) {
            return .explanation(try await authorization.explain(question))
        } catch {
            return .error(.failed, "\(error)")
        }
    }

    private func trace(_ request: TraceRequest) async -> AdminResponse {
        do throws(TraceError) {
            return .trace(try await engine.trace(request))
        } catch {
            return .error(.failed, "\(error)")
        }
    }

    private func verify() async -> AdminResponse {
        if let refusal = await refusalUntilConfigured("verify") { return refusal }
        do {
            return .differences(try await engine.verify())
        } catch {
            return .error(.failed, "cannot verify: \(error)")
        }
    }
}
