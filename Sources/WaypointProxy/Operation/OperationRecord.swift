/// What has become of the process and its configuration, for status, metrics and the configuration dump.
internal import KmeshKit
internal import Synchronization

final class OperationRecord: Sendable {
    enum Phase: String, Sendable {
        case starting, serving, draining
    }

    struct Facts: Sendable {
        var phase = Phase.starting
        var updates: UInt64 = 0
        var badConfigurations: UInt64 = 0
        /// Of the last reading, when it failed.
        var lastError: String?
        /// Of the last configuration that came into force: seconds since 1970.
        var lastSuccess: Int64 = 0
    }

    private let state = Mutex(Facts())

    var facts: Facts { state.withLock { $0 } }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// Returns whether a bad configuration is repaired with this.
    @discardableResult
    func applied() -> Bool {
        state.withLock { state in
            defer { state.lastError = nil }
            state.updates += 1
            state.lastSuccess = WallClock.now().seconds
            return state.lastError != nil
        }
    }

    func failed(_ error: ConfigurationError) {
        state.withLock { state in
            state.badConfigurations += 1
            state.lastError = error.description
        }
    }
}
