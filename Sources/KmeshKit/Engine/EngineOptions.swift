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
    /// Kernel-native: where the kernel module comes from.
    public var module = KernelModule.Source.installed
    /// Kernel-native: what becomes of connections that are routed by requests which cannot be read.
    public var l7Fallback = L7Fallback.refuse
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

/// What happens to a connection that is routed by its HTTP request, where the kernel module is missing.
public enum L7Fallback: String, Hashable, Sendable, CaseIterable {
    /// `ECONNREFUSED`: anything else would be routing wrong.
    case refuse
    /// To an endpoint of the service itself, whatever its routes say.
    case `default`
    /// Through the service's waypoint; one without is refused.
    case waypoint
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
    /// Kernel-native: listeners, and as many route tables, virtual hosts and splits.
    public var listeners: UInt32 = UInt32(KMESH_LISTENERS_MAX)
    /// Kernel-native: routes of all virtual hosts, and what belongs to them.
    public var routes: UInt32 = UInt32(KMESH_ROUTE_ENTRIES_MAX)

    public init() {}
}
