public import KmeshKit
internal import Logging

/// Turns what programs report of connections into access log and metrics.
public actor ConnectionTelemetry: TelemetrySwitches {
    let options: TelemetryOptions
    private let engineOptions: EngineOptions
    private let engine: any DataplaneEngine
    private let log = Logger(label: "telemetry")
    private let output: LineWriter
    private var kernel: TelemetryKernel?
    private var isLogging: Bool
    private var isMonitoring: Bool
    private var statistics: ProgramStatistics?
    private(set) var metrics: ConnectionMetrics
    private var directory = PartyDirectory()
    private var lastWalk = ContinuousClock.now - .seconds(3600)
    private var lostBefore: UInt64 = 0
    /// Records that wait for the names of their parties.
    private var pending: [ConnectionRecord] = []

    /// Records of one batch.
    private static let batch = 4096
    /// About 24 MB; what is more stays in the ring.
    private static let pendingLimit = 131_072
    /// Between two looks into the ring, which holds what comes in half a second.
    private static let period = Duration.milliseconds(50)
    /// Whoever asks for metrics more often gets those of the walk before.
    private static let leastWalkInterval = Duration.milliseconds(500)
    /// Series without traffic for so long go when one of their workloads has gone.
    private static let idleTime = Duration.seconds(300)

    /// - Parameter sink: takes the access log's lines, and says whether it could.
    public init(
        _ options: TelemetryOptions, engine: any DataplaneEngine, _ engineOptions: EngineOptions,
        sink: @escaping @Sendable ([UInt8]) -> Bool = StandardOutput.write
    ) throws(EngineError) {
        self.options = options
        self.engine = engine
        self.engineOptions = engineOptions
        isLogging = options.isLogging
        isMonitoring = options.isMonitoring
        metrics = ConnectionMetrics(options)
        do throws(Errno) {
            output = try LineWriter(to: sink)
        } catch {
            throw .kernelRefused(operation: "start the thread of the access log", errno: error)
        }
    }

    // MARK: Switches

    /// Observes what is switched on, or ends what an earlier run left. The engine runs.
    public func start() async throws(EngineError) {
        if options.countsPrograms { try switchStatistics(true) }
        try await settle()
    }

    public func isEnabled(_ part: TelemetryPart) async -> Bool {
        switch part {
        case .accessLog: isLogging
        case .monitoring: isMonitoring
        case .programStatistics: statistics != nil
        }
    }

    public func setEnabled(_ part: TelemetryPart, _ isEnabled: Bool) async throws(EngineError) {
        switch part {
        case .accessLog: isLogging = isEnabled
        case .monitoring: isMonitoring = isEnabled
        case .programStatistics: try switchStatistics(isEnabled)
        }
        try await settle()
        log.notice("\(part.rawValue) is \(isEnabled ? "on" : "off")")
    }

    private func switchStatistics(_ isOn: Bool) throws(EngineError) {
        guard isOn else {
            statistics = nil
            return
        }
        do throws(BPFError) {
            if statistics == nil { statistics = try ProgramStatistics() }
        } catch {
            throw EngineError(error)
        }
    }

    /// Programs are attached while anybody wants what they tell.
    private func settle() async throws(EngineError) {
        let isWanted = isLogging || isMonitoring
        let shared = await engine.sharedMaps()
        guard !isWanted || !shared.isEmpty else { throw .notStarted }
        do throws(BPFError) {
            if isWanted, kernel == nil {
                kernel = try TelemetryKernel(engineOptions, sharing: shared)
            } else if !isWanted {
                kernel = nil
                try TelemetryKernel.remove(engineOptions)
            }
        } catch {
            throw EngineError(error)
        }
    }

    /// Ends it; programs and what they note stay for the next run, or go.
    public func stop(_ disposition: StopDisposition) async throws(EngineError) {
        await drain()
        kernel = nil
        await output.end()
        guard disposition == .removeAll else { return }
        try Self.uninstall(engineOptions)
    }

    /// Removes what any run left.
    public static func uninstall(_ options: EngineOptions) throws(EngineError) {
        do throws(BPFError) {
            try TelemetryKernel.remove(options)
        } catch {
            throw EngineError(error)
        }
    }

    // MARK: Work

    /// Follows the programs until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.collectAlways() }
            group.addTask { await self.follow() }
        }
    }

    private func collectAlways() async {
        while (try? await Task.sleep(for: Self.period)) != nil { collect() }
    }

    private func follow() async {
        var nextReport = ContinuousClock.now + options.reportInterval
        while (try? await Task.sleep(for: Self.period)) != nil {
            await drain()
            guard ContinuousClock.now >= nextReport else { continue }
            nextReport = .now + options.reportInterval
            await report(toLog: isLogging && options.logFormat == .json)
            await dropIdleSeries()
            noteLosses()
        }
    }

    /// The configuration, or who is enrolled, has changed: parties are looked up again.
    public func noteChange() { directory.noteChange() }

    /// Metrics as they are now, with those of connections that go on.
    public func currentMetrics() async -> ConnectionMetrics {
        if ContinuousClock.now - lastWalk > Self.leastWalkInterval { await report(toLog: false) }
        await drain()
        metrics.losses = kernel?.losses ?? 0
        metrics.droppedLines = output.dropped
        return metrics
    }

    /// Counters and measures of the programs.
    public func meters() async -> EngineMeters { kernel?.meters() ?? EngineMeters() }

    /// Takes what waits in the ring, which must not wait for the engine: while that is busy with a large
    /// configuration, records wait here.
    private func collect() {
        while pending.count < Self.pendingLimit, let records = kernel?.closed(limit: Self.batch) {
            pending += records
            if records.count < Self.batch { return }
        }
    }

    private func drain() async {
        collect()
        while !pending.isEmpty {
            let records = pending
            pending = []
            await take(records, toLog: isLogging)
        }
    }

    /// Connections that have just begun are none that go on for long.
    private func report(toLog: Bool) async {
        lastWalk = .now
        do throws(BPFError) {
            guard let records = try kernel?.open() else { return }
            await take(records, toLog: toLog)
        } catch {
            log.error("connections that go on are not reported: \(error)")
        }
    }

    private func take(_ records: [ConnectionRecord], toLog: Bool) async {
        let (entries, unknown) = directory.entries(of: records)
        if !unknown.isEmpty {
            directory.learn(unknown, await engine.parties(of: unknown.map(\.question)))
        }
        let now = ContinuousClock.now
        let least = UInt64(options.reportInterval.components.seconds) * 1_000_000_000
        var lines = AccessLog(options.logFormat)
        for (record, entry) in zip(records, entries) {
            if isMonitoring {
                let handles = entry.handles ?? metrics.handles(for: record, entry.parties)
                entry.handles = handles
                metrics.add(record, to: handles, at: now)
            }
            guard toLog, !record.hasFailed, record.isClosed || record.duration >= least else { continue }
            if options.logFormat == .text {
                let texts = entry.texts ?? AccessLog.Texts(entry.parties, record.direction)
                entry.texts = texts
                lines.writeText(record, texts)
            } else {
                lines.write(record, entry.parties)
            }
        }
        if lines.lines > 0 { output.write(lines.bytes, lines: lines.lines) }
    }

    private func dropIdleSeries() async {
        let deadline = ContinuousClock.now - Self.idleTime
        let idle = metrics.idleWorkloads(since: deadline)
        let vanished = idle.isEmpty ? [] : await engine.vanished(among: idle)
        if metrics.drop(idleSince: deadline, vanished: vanished) { directory.forgetHandles() }
    }

    private func noteLosses() {
        let lost = (kernel?.losses ?? 0) + output.dropped
        if lost > lostBefore {
            log.warning(
                "access log or metrics miss connections: the ring was full, or the log could not be written",
                metadata: ["missed": "\(lost - lostBefore)"])
        }
        lostBefore = lost
    }
}
