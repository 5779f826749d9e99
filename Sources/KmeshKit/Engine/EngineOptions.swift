/// What an engine is told once, before it starts.
internal import CKmeshABI

public struct EngineOptions: Hashable, Sendable {
    public var nodeName: String
    /// Where the BPF file system is mounted, which holds the pins.
    public var bpfFileSystemPath: String
    /// The cgroup v2 directory whose processes' traffic the programs see.
    public var cgroupPath: String
    public var noEndpoint: NoEndpointVerdict
    public var waypointMetadata: WaypointMetadata
    public var capacities: MapCapacities
    public var authorization = AuthorizationOptions()
    /// Whether another daemon is about to end, and its pins are waited for.
    public var takesOver = false

    public init(
        nodeName: String, bpfFileSystemPath: String = "/sys/fs/bpf", cgroupPath: String,
        noEndpoint: NoEndpointVerdict = .refuse, waypointMetadata: WaypointMetadata = .both,
        capacities: MapCapacities = MapCapacities()
    ) {
        self.nodeName = nodeName
        self.bpfFileSystemPath = bpfFileSystemPath
        self.cgroupPath = cgroupPath
        self.noEndpoint = noEndpoint
        self.waypointMetadata = waypointMetadata
        self.capacities = capacities
    }
}

/// What happens to a connection to a known service that has no endpoint for it.
public enum NoEndpointVerdict: String, Hashable, Sendable, CaseIterable {
    /// `ECONNREFUSED` at once.
    case refuse
    /// Left alone, as if the service were unknown.
    case pass
}

/// How a waypoint is told what was dialed: see docs/metadata.md.
public enum WaypointMetadata: String, Hashable, Sendable, CaseIterable {
    /// In a TCP option of the SYN.
    case option
    /// Before the first bytes.
    case tlv
    case both
}

/// How many entries the maps can hold. They take memory as they fill.
public struct MapCapacities: Hashable, Sendable {
    public var frontends: UInt32 = UInt32(KMESH_FRONTENDS_MAX)
    public var services: UInt32 = UInt32(KMESH_SERVICES_MAX)
    public var endpoints: UInt32 = UInt32(KMESH_ENDPOINTS_MAX)
    public var tables: UInt32 = UInt32(KMESH_TABLES_MAX)
    public var waypoints: UInt32 = UInt32(KMESH_WAYPOINTS_MAX)

    public init() {}
}
