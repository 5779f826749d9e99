internal import CKmeshABI
internal import KmeshKit

/// What the options mean to this engine.
extension EngineOptions {
    /// Where the pins are. The layout's version is part of the name: maps of another layout are never
    /// adopted.
    func pins() throws(BPFError) -> PinDirectory {
        try pins(ofLayout: UInt32(KMESH_LAYOUT_VERSION))
    }

    /// What a build with another layout left. Its programs steer until they are removed.
    func olderPins() throws(BPFError) -> [PinDirectory] {
        var older: [PinDirectory] = []
        for layout in 1..<UInt32(KMESH_LAYOUT_VERSION) {
            let pins = try pins(ofLayout: layout)
            if pins.exists { older.append(pins) }
        }
        return older
    }

    private func pins(ofLayout layout: UInt32) throws(BPFError) -> PinDirectory {
        try PinDirectory(root: bpfFileSystemPath, name: "dual-engine-v\(layout)")
    }

    /// Every endpoint has one slot.
    var capacityByMap: [(map: String, capacity: UInt32)] {
        [
            (KMESH_MAP_FRONTEND, capacities.frontends), (KMESH_MAP_SERVICE, capacities.services),
            (KMESH_MAP_SLOT, capacities.endpoints), (KMESH_MAP_TABLE, capacities.tables),
            (KMESH_MAP_ENDPOINT, capacities.endpoints), (KMESH_MAP_WAYPOINT, capacities.waypoints),
        ]
    }

    var constants: kmesh_l4_settings {
        kmesh_l4_settings(
            pass_without_endpoint: noEndpoint == .pass ? 1 : 0, metadata: waypointMetadata.flags,
            has_mptcp: KernelFeatures.hasMultipathTCP ? 1 : 0)
    }
}

extension WaypointMetadata {
    fileprivate var flags: UInt32 {
        switch self {
        case .option: KMESH_METADATA_OPTION.rawValue
        case .tlv: KMESH_METADATA_TLV.rawValue
        case .both: KMESH_METADATA_OPTION.rawValue | KMESH_METADATA_TLV.rawValue
        }
    }
}
