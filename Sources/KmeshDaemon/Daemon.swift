/// The daemon: brings a configuration source, an engine and the admin socket together until a signal ends it.
public import KmeshKit
internal import Logging
public import Telemetry
internal import WaypointProxy

public struct Daemon: Sendable {
    private let options: DaemonOptions
    private let engine: any DataplaneEngine
    private let authorization: any AuthorizationEnforcer
    private let source: any ConfigurationSource
    private let loggers: Loggers
    private let observer: ConnectionTelemetry?
    private let telemetry: (any TelemetrySwitches)?
    private let log = Logger(label: "daemon")

    /// - Parameters:
    ///   - authorization: the one that the engine was given.
    ///   - observer: of the engine's connections; `nil`: nobody observes them.
    ///   - telemetry: what can be switched, when that is not the observer.
    public init(
        _ options: DaemonOptions, engine: any DataplaneEngine, authorization: any AuthorizationEnforcer,
        source: any ConfigurationSource, loggers: Loggers = Loggers(), observer: ConnectionTelemetry? = nil,
        telemetry: (any TelemetrySwitches)? = nil
    ) {
        self.options = options
        self.engine = engine
        self.authorization = authorization
        self.source = source
        self.loggers = loggers
        self.observer = observer
        self.telemetry = telemetry ?? observer
    }

    /// Runs until SIGTERM or SIGINT. An error before the engine starts leaves the kernel as it was.
    ///
    /// What an earlier run left steers, and is taken over at once: the configuration is read meanwhile, and a
    /// bad one changes nothing. Without that, a configuration that cannot be used ends the start before
    /// traffic is touched.
    public func run(signals: AsyncStream<ProcessSignal>) async throws(DaemonError) {
        // First of all, so that a second daemon changes nothing.
        let lock = try await lockStateDirectory()
        let server = try openAdminServer()
        let statusServer = try openStatusServer()
        let metricsServer = try openMetricsServer()
        let store = try await recoverEnrollments()
        let isAdopting = try await findEarlierRun()
        let first = isAdopting ? nil : try await readConfiguration()
        try await startEngine(enrolling: store.workloads)

        // From here on traffic is steered: whatever ends the daemon, the engine is told how to leave.
        let outcome = await serve(server, statusServer, metricsServer, store, first, signals)
        let disposition = (try? outcome.get()) ?? options.onExit
        do throws(EngineError) {
            try await observer?.stop(disposition)
            try await engine.stop(disposition)
            log.info("ended", metadata: ["kept": "\(disposition == .keepPinned)"])
        } catch {
            log.error("\(error)")
        }
        lock.release()
        _ = try outcome.get()
    }

    /// Returns how to leave when it was asked to end.
    private func serve(
        _ server: AdminServer, _ statusServer: StatusServer?, _ metricsServer: StatusServer?,
        _ store: EnrollmentStore, _ first: ConfigurationUpdate?,
        _ signals: AsyncStream<ProcessSignal>
    ) async -> Result<StopDisposition, DaemonError> {
        let (takers, taker) = AsyncStream.makeStream(of: Void.self)
        do {
            let record = DaemonRecord(
                options, mode: engine.mode.rawValue, source: source.name, isAdopted: first == nil,
                statusAddress: statusServer?.address, metricsAddress: metricsServer?.address)
            record.readinessNote = await engine.readinessNote()
            let configuration = ConfigurationApplier(engine, source, record, observer)
            let enrollment = try await Enrollment(store: store, engine: engine)
            let admin = AdminHandler(
                engine: engine, authorization: authorization, enrollment: enrollment, observer: observer,
                telemetry: telemetry, record: record, loggers: loggers, counters: { server.counters },
                handOver: { taker.yield() })
            try await withThrowingDiscardingTaskGroup { group in
                // Before the configuration is applied: that may take a while, and somebody may ask meanwhile.
                if let statusServer {
                    log.info("status server", metadata: ["address": "\(statusServer.address)"])
                    let status = StatusHandler(
                        options: options, address: statusServer.address, engine: engine,
                        authorization: authorization, telemetry: telemetry, loggers: loggers,
                        record: record)
                    group.addTask { await statusServer.run { await status.answer($0) } }
                }
                if let metricsServer {
                    log.info("metrics", metadata: ["address": "\(metricsServer.address)"])
                    let metrics = MetricsHandler(
                        engine: engine, enrollment: enrollment, observer: observer, record: record,
                        counters: { server.counters })
                    group.addTask { await metricsServer.run { await metrics.answer($0) } }
                }
                if let first { await configuration.apply(first) }
                log.info(
                    "\(first == nil ? "took over what an earlier run left" : "ready")",
                    metadata: ["mode": "\(engine.mode.rawValue)", "socket": "\(server.path)"])
                group.addTask { try await server.run { await admin.answer($0) } }
                group.addTask {
                    if first == nil { await configuration.begin() }
                    await configuration.follow()
                }
                group.addTask { await WaitingPods(options.stateDirectory, admin).enroll(after: record) }
                group.addTask { await tend(record) }
                group.addTask {
                    await observe()
                    await observer?.run()
                }
                group.addTask { try await heed(signals) }
                group.addTask {
                    for await _ in takers { throw AskedToEnd(disposition: .keepPinned) }
                }
            }
        } catch let end as AskedToEnd {
            return .success(end.disposition)
        } catch let error as EnrollmentError {
            return .failure(.enrollment(error))
        } catch let error as AdminError {
            return .failure(.admin(error))
        } catch {
            preconditionFailure("unexpected error: \(error)")
        }
        return .success(options.onExit)
    }

    /// Traffic is steered, whether it can be observed or not.
    private func observe() async {
        do throws(EngineError) {
            try await observer?.start()
        } catch {
            log.error("connections are not observed: \(error)")
        }
    }

    /// Gives the engine its second, until the task is cancelled.
    private func tend(_ record: DaemonRecord) async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            await record.watchdog.watch("tending to its maps and programs") { await engine.tend() }
            record.readinessNote = await engine.readinessNote()
        }
    }

    /// Returns by an error, which ends the other parts too.
    private func heed(_ signals: AsyncStream<ProcessSignal>) async throws {
        for await signal in signals {
            switch signal {
            case .hangUp:
                log.info("SIGHUP: reading the configuration again")
                source.reload()
            case .terminate, .interrupt:
                throw AskedToEnd(disposition: options.onExit)
            case .reopenLogs: break
            }
        }
        throw AskedToEnd(disposition: options.onExit)
    }
}

/// Ends the daemon in good order.
private struct AskedToEnd: Error {
    let disposition: StopDisposition
}

// The steps of the start.
extension Daemon {
    private func lockStateDirectory() async throws(DaemonError) -> FileLock {
        do throws(DaemonError) {
            return try DaemonState.lock(options.stateDirectory)
        } catch {
            guard options.engine.takesOver, case .alreadyRunning(let pid, let lock) = error else {
                throw error
            }
            return try await Takeover(adminSocket: options.adminSocket, lock: lock).take(from: pid)
        }
    }

    private func openAdminServer() throws(DaemonError) -> AdminServer {
        do throws(AdminError) {
            return try AdminServer(path: options.adminSocket, limits: options.adminLimits)
        } catch {
            throw .admin(error)
        }
    }

    private func openStatusServer() throws(DaemonError) -> StatusServer? {
        guard let address = options.statusAddress else { return nil }
        var limits = StatusServer.Limits()
        // Large maps take their time.
        limits.thought = options.adminLimits.answer
        do throws(Errno) {
            return try StatusServer(address, limits: limits)
        } catch {
            throw .statusAddressUnusable(address, error)
        }
    }

    private func openMetricsServer() throws(DaemonError) -> StatusServer? {
        guard let address = options.metricsAddress else { return nil }
        do throws(Errno) {
            return try StatusServer(address)
        } catch {
            throw .metricsAddressUnusable(address, error)
        }
    }

    private func recoverEnrollments() async throws(DaemonError) -> EnrollmentStore {
        do throws(EnrollmentError) {
            var (store, damage) = try EnrollmentStore.open(stateDirectory: options.stateDirectory)
            if let damage { log.error("\(damage)") }
            for report in try await store.removeStale() { log.warning("\(report)") }
            return store
        } catch {
            throw .enrollment(error)
        }
    }

    private func findEarlierRun() async throws(DaemonError) -> Bool {
        do throws(EngineError) {
            return try await engine.findsEarlierRun()
        } catch {
            throw .engine(error)
        }
    }

    private func readConfiguration() async throws(DaemonError) -> ConfigurationUpdate {
        do throws(ConfigurationError) {
            return try await source.start()
        } catch {
            throw .badConfiguration(source: source.name, error)
        }
    }

    private func startEngine(enrolling workloads: [LocalWorkload]) async throws(DaemonError) {
        do throws(EngineError) {
            for note in try await engine.start(enrolling: workloads) { log.warning("\(note)") }
        } catch {
            throw .engine(error)
        }
    }
}
