/// Why the daemon ended though nobody asked it to.
public import KmeshKit

public enum DaemonError: Error, Hashable, Sendable {
    case alreadyRunning(pid: String, lock: String)
    case notTakenOver(pid: String, lock: String, detail: String)
    case stateDirectoryUnusable(path: String, errno: Errno)
    case noCgroupHierarchy
    case badConfiguration(source: String, ConfigurationError)
    case engine(EngineError)
    case enrollment(EnrollmentError)
    case admin(AdminError)
    case signalsUnavailable(Errno)
    case statusAddressUnusable(SocketAddress, Errno)
}

extension DaemonError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .alreadyRunning(let pid, let lock):
            "a daemon runs already (pid \(pid) holds \(lock)); end it first, take over from it by "
                + "--takeover, or use another --state-dir"
        case .notTakenOver(let pid, let lock, let detail):
            "cannot take over from the daemon of pid \(pid), which holds \(lock): \(detail); end it first"
        case .stateDirectoryUnusable(let path, let errno):
            "cannot use the state directory \(path): \(errno); give another --state-dir"
        case .noCgroupHierarchy:
            "no cgroup v2 hierarchy is mounted; mount one, or name its directory with --cgroup2-path"
        case .badConfiguration(let source, let error):
            "the configuration \(source) cannot be used:\n\(error)"
        case .engine(let error): "\(error)"
        case .enrollment(let error): "\(error)"
        case .admin(let error): "\(error)"
        case .statusAddressUnusable(let address, let errno):
            "cannot listen at \(address) for the status server: \(errno); "
                + "give another --status-address, or off"
        case .signalsUnavailable(let errno): "cannot wait for signals: \(errno)"
        }
    }
}
