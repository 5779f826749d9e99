internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit

/// The engine's programs and maps in the kernel: adopted from the pins of an earlier run, or made and pinned.
struct KernelState: Sendable {
    let l4Maps: L4Maps
    let enrolled: BPFMap<EnrolledKey, EnrolledValue>
    /// Whether the maps are those of an earlier run.
    let isAdopted: Bool
    let flows: FlowMaps
    let reasons: BPFCounters
    private let pins: PinDirectory
    /// Held as long as this lives.
    private let lock: SharedDescriptor
    private let programs: [CgroupHook: SharedDescriptor]
    /// The program for the first messages to a waypoint, and the sockets that it sees.
    private let messages: SharedDescriptor
    private let sockets: SharedDescriptor
    let socketKeys: BPFMapKeys
    private let maps: [MapMemory]
    /// Pins of other layouts.
    private let older: [PinDirectory]

    init(_ options: EngineOptions) throws(EngineError) {
        do throws(BPFError) {
            pins = try options.pins()
            lock = SharedDescriptor(try pins.lock())
            let object = try BPFObject(named: "dual")
            try object.set(constants: options.constants)
            isAdopted = pins.exists
            if isAdopted {
                try object.adoptMaps(from: pins)
            } else {
                for (map, capacity) in options.capacityByMap {
                    try object.setCapacity(of: map, to: Int(capacity))
                }
            }
            try object.load()
            if !isAdopted { try object.pinMaps(in: pins) }

            l4Maps = L4Maps(
                frontends: try BPFMap(try object.map(KMESH_MAP_FRONTEND), name: KMESH_MAP_FRONTEND),
                services: try BPFMap(try object.map(KMESH_MAP_SERVICE), name: KMESH_MAP_SERVICE),
                slots: try BPFMap(try object.map(KMESH_MAP_SLOT), name: KMESH_MAP_SLOT),
                tables: try BPFMap(try object.map(KMESH_MAP_TABLE), name: KMESH_MAP_TABLE),
                endpoints: try BPFMap(try object.map(KMESH_MAP_ENDPOINT), name: KMESH_MAP_ENDPOINT),
                waypoints: try BPFMap(try object.map(KMESH_MAP_WAYPOINT), name: KMESH_MAP_WAYPOINT))
            enrolled = try BPFMap(try object.map(KMESH_MAP_ENROLLED), name: KMESH_MAP_ENROLLED)
            flows = try FlowMaps(of: object)
            reasons = try BPFCounters(try object.map(KMESH_MAP_REASON), name: KMESH_MAP_REASON)
            programs = try Self.programs(of: object)
            messages = SharedDescriptor(try object.program("kmesh_sk_msg"))
            sockets = SharedDescriptor(try object.map(KMESH_MAP_METADATA))
            socketKeys = try BPFMapKeys(sockets, name: KMESH_MAP_METADATA)
            older = try options.olderPins()
            maps = try object.mapMemories()
        } catch {
            throw EngineError(error)
        }
    }

    /// Puts the programs in force at the cgroup's hooks.
    func attach(to cgroupPath: String) throws(EngineError) {
        do throws(BPFError) {
            try BPFProgram.attach(messages.file, toSocketsOf: sockets.file)
            try CgroupAttachments(pins: pins, cgroupPath: cgroupPath).apply(programs)
        } catch {
            throw EngineError(error)
        }
    }

    /// Takes back what a start that failed has made: its maps keep its capacities, and the next may ask for
    /// others.
    func removeUnlessAdopted() {
        if !isAdopted { try? pins.removeAll() }
    }

    /// Ends what a build with another layout left. Before the first configuration is in force nobody else
    /// steers.
    func removeOlder() {
        for pins in older where pins.exists { try? pins.removeAll() }
    }

    /// Makes `workloads` the enrolled ones, without a moment in which one of them is not.
    func enrollExactly(_ workloads: [LocalWorkload]) throws(MapError) {
        let wanted = workloads.map(\.enrolledEntry)
        let present = try enrolled.contents()
        let keys = Set(wanted.map(\.key))
        try enrolled.upsert(wanted.filter { present.entries[$0.key] != $0.value })
        try enrolled.remove(present.entries.keys.filter { !keys.contains($0) })
        try enrolled.remove(present.damaged.filter { !keys.contains($0) })
    }

    func verifyEnrolled(_ workloads: some Collection<LocalWorkload>) throws(MapError) -> [Difference] {
        var present = try enrolled.contents().entries
        var differences: [Difference] = []
        for workload in workloads {
            let entry = workload.enrolledEntry
            let found = present.removeValue(forKey: entry.key)
            guard found != entry.value else { continue }
            differences.append(
                Difference(
                    map: KMESH_MAP_ENROLLED, key: "pod \(workload.pod)", wanted: "\(entry.value.address)",
                    found: found.map { "\($0.address)" }))
        }
        differences += present.map { key, value in
            Difference(
                map: KMESH_MAP_ENROLLED, key: "netns cookie \(key.netnsCookie)", wanted: nil,
                found: "\(value.address)")
        }
        return differences
    }

    /// The maps of an earlier run that have other capacities than `options` ask for.
    func keptCapacities(_ options: EngineOptions) -> [String] {
        MapMemory.keptCapacities(maps, wanted: options.capacityByMap)
    }

    /// Every reason with its count; what cannot be read is left out.
    func reasonCounts() -> [ReasonCount] {
        VerdictReason.steering.compactMap { reason in
            guard let count = try? reasons.value(of: reason.rawValue) else { return nil }
            return ReasonCount(number: reason.rawValue, name: reason.name, count: count)
        }
    }

    /// - Parameter counts: entries of the maps that user space fills.
    func mapSnapshots(counts: MapCounts) -> [MapSnapshot] {
        let known = [
            KMESH_MAP_FRONTEND: counts.frontends, KMESH_MAP_SERVICE: counts.services,
            KMESH_MAP_SLOT: counts.slots, KMESH_MAP_TABLE: counts.tables,
            KMESH_MAP_ENDPOINT: counts.endpoints, KMESH_MAP_WAYPOINT: counts.waypoints,
        ]
        let created: [String: VerdictReason] = [
            KMESH_MAP_AFFINITY: .affinityCreated, KMESH_MAP_UDP_SESSION: .sessionCreated,
            KMESH_MAP_UDP_REPLY: .udpReplyCreated,
        ]
        return maps.map { map in
            let count = created[map.name].flatMap { try? reasons.value(of: $0.rawValue) }
            return map.snapshot(entries: known[map.name], created: count)
        }
    }

    private static func programs(
        of object: borrowing BPFObject
    ) throws(BPFError) -> [CgroupHook: SharedDescriptor] {
        var programs: [CgroupHook: SharedDescriptor] = [:]
        for hook in CgroupHook.allCases {
            programs[hook] = SharedDescriptor(try object.program("kmesh_\(hook.name)"))
        }
        return programs
    }
}
