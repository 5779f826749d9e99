/// What the waypoint's process was started with.
public import KmeshKit

public struct WaypointOptions: Sendable {
    /// For people: where the configuration comes from.
    public var source: String
    public var listeners: [ListenerSpecification] = []
    public var proxy = ProxyOptions()
    public var statusAddress = SocketAddress(IPAddress(high: 0, low: 0), 15021)
    /// How long what is under way may take once the process is told to end.
    public var drainTimeout = Duration.seconds(30)
    /// For each cluster and worker.
    public var maxClusterConnections: Int32 = 4096
    public var maxPendingRequests: Int32 = 1024
    public var accessLog = AccessLogFormat.off
    /// `nil`: standard output.
    public var accessLogFile: String?
    /// From which near and far are seen; may be empty.
    public var nodeName = ""
    /// Where short names of services are looked up.
    public var namespace = "default"
    /// Conveyed destinations are restricted to those that ask for this waypoint; `nil`: every frontend.
    public var waypoint: ServiceKey?
    /// Where a running process hands its listeners over; `nil`: it does not.
    public var upgradeSocket: String?

    public init(source: String) { self.source = source }

    var builder: ConfigurationBuilder.Options {
        ConfigurationBuilder.Options(
            nodeName: nodeName, namespace: namespace, waypoint: waypoint,
            limits: ClusterLimits(connections: maxClusterConnections, pendingRequests: maxPendingRequests))
    }
}

/// Why the waypoint did not start, or ended though nobody asked it to.
public enum WaypointError: Error, Hashable, Sendable, CustomStringConvertible {
    case badConfiguration(source: String, ConfigurationError)
    case proxy(ProxyError)
    case statusUnavailable(SocketAddress, Errno)
    case accessLogUnusable(path: String, Errno)
    case upgradeSocketUnusable(path: String, Errno)
    case upgradeRefused(path: String, reason: String)
    case signalsUnavailable(Errno)

    public var description: String {
        switch self {
        case .badConfiguration(let source, let error):
            "the configuration \(source) cannot be used:\n\(error)"
        case .proxy(let error): "\(error)"
        case .statusUnavailable(let address, let error):
            "cannot listen on \(address) for status: \(error); stop what listens there or give another "
                + "--status-address"
        case .accessLogUnusable(let path, let error):
            "cannot write the access log \(path): \(error); give another --access-log-file"
        case .upgradeSocketUnusable(let path, let error):
            "cannot use the upgrade socket \(path): \(error); give another --upgrade-socket"
        case .upgradeRefused(let path, let reason):
            "the process at \(path) does not hand over: \(reason)"
        case .signalsUnavailable(let error): "cannot wait for signals: \(error)"
        }
    }
}
