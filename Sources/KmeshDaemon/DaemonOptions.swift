/// What the daemon was started with.
public import KmeshKit
public import Telemetry

public struct DaemonOptions: Sendable {
    /// Where the configuration comes from.
    public enum Source: Hashable, Sendable {
        /// Kubernetes objects: a file, or a directory of files.
        case meshFile(String)
        /// A file with Envoy's listeners, routes and clusters.
        case staticXDS(String)
    }

    public var mode: EngineMode
    public var engine: EngineOptions
    public var source: Source
    /// Whether a reload may leave the mesh without any service and workload.
    public var allowsEmptyMesh: Bool
    public var onExit: StopDisposition
    public var adminSocket: String
    public var stateDirectory: String
    public var adminLimits = AdminServer.Limits()
    public var telemetry = TelemetryOptions()
    /// Where metrics are; nil: nowhere.
    public var metricsAddress: SocketAddress?
    /// Where the status server listens, a loopback address; nil: nowhere.
    public var statusAddress: SocketAddress?
    /// How long the engine may work on one thing before it counts as stuck.
    public var patience = Duration.seconds(30)

    public init(
        mode: EngineMode = .dualEngine, engine: EngineOptions, source: Source,
        allowsEmptyMesh: Bool = false,
        onExit: StopDisposition = .keepPinned, adminSocket: String = AdminClient.defaultPath,
        stateDirectory: String = "/run/kmesh"
    ) {
        self.mode = mode
        self.engine = engine
        self.source = source
        self.allowsEmptyMesh = allowsEmptyMesh
        self.onExit = onExit
        self.adminSocket = adminSocket
        self.stateDirectory = stateDirectory
    }
}
