internal import KmeshKit

/// The program that tells waypoints what was dialed. The kernel runs it six times for a connection, whatever
/// that dials: it is attached with the first service or workload that has a waypoint, and then stays.
extension KernelState {
    static func wanted(
        of programs: [CgroupHook: SharedDescriptor], _ state: PinnedState
    ) throws(BPFError) -> [CgroupHook: SharedDescriptor] {
        let wasAttached =
            switch state.origin {
            case .fresh: false
            case .adopted: try CgroupAttachments.arePinned(.sockops, in: state.pins)
            case .migrated(let former, _): try CgroupAttachments.arePinned(.sockops, in: former)
            }
        return wasAttached ? programs : programs.filter { $0.key != .sockops }
    }

    /// Before anything is written that leads to a waypoint. After an error nothing has changed.
    mutating func tellWaypoints(through cgroupPath: String) throws(EngineError) {
        guard wanted[.sockops] == nil, let program = programs[.sockops] else { return }
        var wanted = wanted
        wanted[.sockops] = program
        do throws(BPFError) {
            try CgroupAttachments(pins: state.pins, cgroupPath: cgroupPath).apply(wanted)
        } catch {
            throw EngineError(error)
        }
        self.wanted = wanted
    }
}

extension ResourceChange<MeshResource> {
    /// Whether connections go through a waypoint after it.
    var namesWaypoint: Bool {
        switch self {
        case .upsert(.service(let service)): service.waypoint != nil
        case .upsert(.workload(let workload)): workload.waypoint != nil
        default: false
        }
    }
}
