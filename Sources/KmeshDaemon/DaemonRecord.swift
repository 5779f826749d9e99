/// What has happened since the start, for `kmeshctl status`.
internal import KmeshKit
internal import Synchronization
internal import Telemetry

final class DaemonRecord: Sendable {
    private struct State {
        var updates: UInt64 = 0
        var rejected: UInt64 = 0
        /// Without those whose resource has come again since.
        var recentRejections: [RejectedResource] = []
        var badConfigurations: UInt64 = 0
        var lastConfigurationError: String?
        var applyTimes = Histogram()
        var readinessNote: String?
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    let started = WallClock.now()
    private let options: DaemonOptions
    /// Where the status server listens.
    private let statusAddress: SocketAddress?
    private let metricsAddress: SocketAddress?
    let watchdog: Watchdog
    private let source: String
    private let mode: String
    private let isAdopted: Bool

    /// - Parameter isAdopted: whether this run began with what an earlier one left.
    init(
        _ options: DaemonOptions, mode: String, source: String, isAdopted: Bool = false,
        statusAddress: SocketAddress? = nil, metricsAddress: SocketAddress? = nil
    ) {
        self.metricsAddress = metricsAddress
        self.options = options
        self.statusAddress = statusAddress
        watchdog = Watchdog(patience: options.patience)
        self.mode = mode
        self.source = source
        self.isAdopted = isAdopted
    }

    /// Whether the first configuration of this run is in force.
    var isConfigured: Bool { state.withLock { $0.updates > 0 } }

    /// What the engine said last of how ready it is.
    var readinessNote: String? {
        get { state.withLock { $0.readinessNote } }
        set { state.withLock { $0.readinessNote = newValue } }
    }

    /// Waits for the first configuration, while none was refused; whether it is in force then.
    func awaitConfiguration(_ limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while !isConfigured {
            guard ContinuousClock.now < end, state.withLock({ $0.lastConfigurationError == nil }),
                (try? await Task.sleep(for: .milliseconds(20))) != nil
            else { return false }
        }
        return true
    }

    /// Returns whether a bad configuration is repaired with this update of `resources`.
    func applied(
        _ resources: Set<MeshResourceName>, rejecting rejected: [RejectedResource], after time: Duration
    ) -> Bool {
        state.withLock { state in
            state.updates += 1
            state.applyTimes.add(time / .seconds(1))
            state.rejected += UInt64(rejected.count)
            let waiting = state.recentRejections.filter { !resources.contains($0.name) }
            state.recentRejections = (waiting + rejected).suffix(DaemonStatus.recentLimit)
            defer { state.lastConfigurationError = nil }
            return state.lastConfigurationError != nil
        }
    }

    func failed(_ error: ConfigurationError) {
        state.withLock { state in
            state.badConfigurations += 1
            state.lastConfigurationError = error.description
        }
    }

    /// Seconds that configurations took from their arrival to the maps.
    var applyTimes: Histogram { state.withLock { $0.applyTimes } }

    func status(enrolled: Int, engine: EngineActivity, admin: AdminCounters) -> DaemonStatus {
        state.withLock { state in
            DaemonStatus(
                mode: mode, node: options.engine.nodeName, pid: ProcessIdentity.pid, source: source,
                uptime: UInt64(max(0, start.duration(to: .now).components.seconds)),
                adopted: isAdopted, isConfigured: state.updates > 0,
                readinessNote: state.readinessNote,
                statusAddress: statusAddress?.description,
                metricsAddress: metricsAddress?.description, enrolled: UInt64(enrolled),
                updates: state.updates, rejected: state.rejected,
                recentRejections: state.recentRejections.map(\.description),
                badConfigurations: state.badConfigurations,
                lastConfigurationError: state.lastConfigurationError,
                engine: engine, admin: admin)
        }
    }
}
