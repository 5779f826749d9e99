internal import CKmeshABI
internal import KmeshKit

/// What the options mean to a steering engine.
extension EngineOptions {
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
