internal import CKmeshABI
public import KmeshKit

/// What the daemon's flags say to the engine.
public struct DualEngineSettings: Sendable {
    /// A mounted bpffs.
    public var bpfRoot: String
    /// The cgroup v2 directory whose processes are looked at; enrolment then decides.
    public var cgroupPath: String
    public var nodeName: String
    /// Leave connections to services without a healthy endpoint alone instead of refusing them.
    public var passesWithoutEndpoint: Bool
    public var capacities: MapCounts

    public init(
        bpfRoot: String, cgroupPath: String, nodeName: String, passesWithoutEndpoint: Bool = false,
        capacities: MapCounts = .defaultCapacities
    ) {
        self.bpfRoot = bpfRoot
        self.cgroupPath = cgroupPath
        self.nodeName = nodeName
        self.passesWithoutEndpoint = passesWithoutEndpoint
        self.capacities = capacities
    }

    /// Where the pins are. The layout's version is part of the name: maps of another layout are never adopted.
    func pins() throws(BPFError) -> PinDirectory {
        try PinDirectory(root: bpfRoot, name: "dual-engine-v\(KMESH_LAYOUT_VERSION.rawValue)")
    }

    var capacityByMap: [(map: String, capacity: Int)] {
        [
            (KMESH_MAP_FRONTEND, capacities.frontends), (KMESH_MAP_SERVICE, capacities.services),
            (KMESH_MAP_SLOT, capacities.slots), (KMESH_MAP_TABLE, capacities.tables),
            (KMESH_MAP_ENDPOINT, capacities.endpoints),
        ]
    }
}
