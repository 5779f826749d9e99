/// What the daemon was started with.
public import KmeshKit

public struct DaemonOptions: Sendable {
    public var mode: EngineMode
    public var engine: EngineOptions
    /// A file, or a directory of files.
    public var meshFile: String
    /// Whether a reload may leave the mesh without any service and workload.
    public var allowsEmptyMesh: Bool
    public var onExit: StopDisposition
    public var adminSocket: String
    public var stateDirectory: String
    public var adminLimits = AdminServer.Limits()
    /// Where the status server listens, a loopback address; nil: nowhere.
    public var statusAddress: SocketAddress?
    /// How long the engine may work on one thing before it counts as stuck.
    public var patience = Duration.seconds(30)

    public init(
        mode: EngineMode = .dualEngine, engine: EngineOptions, meshFile: String,
        allowsEmptyMesh: Bool = false,
        onExit: StopDisposition = .keepPinned, adminSocket: String = AdminClient.defaultPath,
        stateDirectory: String = "/run/kmesh"
    ) {
        self.mode = mode
        self.engine = engine
        self.meshFile = meshFile
        self.allowsEmptyMesh = allowsEmptyMesh
        self.onExit = onExit
        self.adminSocket = adminSocket
        self.stateDirectory = stateDirectory
    }
}
