internal import CKmeshABI
internal import KmeshKit

/// What the options mean to this engine.
extension EngineOptions {
    /// Where the pins are. The layout's version is part of the name: maps of another layout are never
    /// adopted.
    func pins() throws(BPFError) -> PinDirectory {
        try PinDirectory(root: bpfFileSystemPath, name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
    }

    /// Every endpoint has one slot.
    var capacityByMap: [(map: String, capacity: UInt32)] {
        [
            (KMESH_MAP_FRONTEND, capacities.frontends), (KMESH_MAP_SERVICE, capacities.services),
            (KMESH_MAP_SLOT, capacities.endpoints), (KMESH_MAP_TABLE, capacities.tables),
            (KMESH_MAP_ENDPOINT, capacities.endpoints),
        ]
    }

    var constants: kmesh_l4_settings {
        kmesh_l4_settings(pass_without_endpoint: noEndpoint == .pass ? 1 : 0)
    }
}
