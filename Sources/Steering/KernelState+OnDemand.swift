internal import KmeshKit
internal import Logging

/// Programs that few meshes need, while the kernel runs them for every connection whatever that dials: what
/// tells waypoints what was dialed six times, what notes the end of a counted one at each of its ends. They
/// are attached with the first resource that needs them, and then stay.
extension KernelState {
    private static let onDemand: Set<CgroupHook> = [.sockops, .sockRelease]

    static func wanted(
        of programs: [CgroupHook: SharedDescriptor], _ state: PinnedState
    ) throws(BPFError) -> [CgroupHook: SharedDescriptor] {
        var wanted = programs
        for hook in onDemand {
            let wasAttached =
                switch state.origin {
                case .fresh: false
                case .adopted: try CgroupAttachments.arePinned(hook, in: state.pins)
                case .migrated(let former, _): try CgroupAttachments.arePinned(hook, in: former)
                }
            if !wasAttached { wanted[hook] = nil }
        }
        return wanted
    }

    /// Before anything is written that needs it. After an error nothing has changed.
    mutating func attach(onDemand hook: CgroupHook, to cgroupPath: String) throws(EngineError) {
        guard wanted[hook] == nil, let program = programs[hook] else { return }
        var more = wanted
        more[hook] = program
        do throws(BPFError) {
            try CgroupAttachments(pins: state.pins, cgroupPath: cgroupPath).apply(more)
        } catch {
            throw EngineError(error)
        }
        wanted = more
    }
}

extension SteeringEngine {
    /// Attaches what connections need after `changes`, and after those that were postponed. Returns what can
    /// be applied (`nil`: not even nothing, for the first configuration is applied whole) and what waits.
    func attachOnDemand(
        for changes: [ResourceChange<MeshResource>]
    ) -> (possible: [ResourceChange<MeshResource>]?, postponed: [RejectedResource]) {
        guard let running else { return (changes, []) }
        let names = Set(changes.map(\.name))
        let all = running.postponed.filter { !names.contains($0.name) } + changes
        var faults: [CgroupHook: EngineError] = [:]
        for hook in all.reduce(into: Set(), { $0.formUnion($1.hooksOnDemand) }) {
            do throws(EngineError) {
                try self.running?.kernel.attach(onDemand: hook, to: options.cgroupPath)
            } catch {
                faults[hook] = error
            }
        }
        guard let anyFault = faults.values.first else {
            self.running?.postponed = []
            return (all, [])
        }
        // What ran before stays: nothing leads to a waypoint that is not told, or counts for ever.
        let isFirst = running.activity.applied == 0
        func fault(of change: ResourceChange<MeshResource>) -> EngineError? {
            change.hooksOnDemand.lazy.compactMap { faults[$0] }.first ?? (isFirst ? anyFault : nil)
        }
        self.running?.postponed = all.filter { fault(of: $0) != nil }
        let rejected = changes.compactMap { change in
            fault(of: change).map { RejectedResource(name: change.name, reason: "\($0)") }
        }
        return (isFirst ? nil : all.filter { fault(of: $0) == nil }, rejected)
    }

    func retryPostponed() {
        guard running?.postponed.isEmpty == false, let possible = attachOnDemand(for: []).possible,
            !possible.isEmpty
        else { return }
        let log = Logger(label: "engine")
        log.notice("what waited for a program is applied", metadata: ["changes": "\(possible.count)"])
        for rejected in steer(by: possible) { log.warning("\(rejected.name): \(rejected.reason)") }
    }
}

extension ResourceChange<MeshResource> {
    /// The programs on demand that connections need after it.
    var hooksOnDemand: Set<CgroupHook> {
        switch self {
        case .upsert(.service(let service)):
            Self.hooks(
                waypoint: service.waypoint, counts: service.maxConnections != nil, policy: service.policy)
        case .upsert(.workload(let workload)): Self.hooks(waypoint: workload.waypoint)
        case .upsert(.cluster(let cluster)):
            Self.hooks(counts: cluster.maxConnections != nil, policy: cluster.policy)
        default: []
        }
    }

    private static func hooks(
        waypoint: WaypointReference? = nil, counts: Bool = false, policy: LoadBalancingPolicy = .random
    ) -> Set<CgroupHook> {
        var hooks: Set<CgroupHook> = waypoint == nil ? [] : [.sockops]
        if counts || policy == .leastRequest { hooks.insert(.sockRelease) }
        return hooks
    }
}
