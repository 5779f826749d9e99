internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit

/// The engine's programs and maps in the kernel: those of the pins of an earlier run, or made and pinned.
struct KernelState: Sendable {
    let l4Maps: L4Maps
    let enrolled: BPFMap<EnrolledKey, EnrolledValue>
    let flows: FlowMaps
    let state: PinnedState
    let reasons: BPFCounters
    let countedReasons: [VerdictReason]
    /// Held as long as this lives.
    let lock: SharedDescriptor
    let programs: [CgroupHook: SharedDescriptor]
    /// Those of them that are in force, or shall be: see `KernelState+OnDemand`.
    var wanted: [CgroupHook: SharedDescriptor]
    /// The program for the first messages to a waypoint, and the sockets that it sees.
    private let messages: SharedDescriptor
    private let sockets: SharedDescriptor
    let socketKeys: BPFMapKeys
    private let maps: [MapMemory]
    private let capacities: [(map: String, capacity: UInt32)]
    /// What other programs read too.
    let shared: [String: SharedDescriptor]
    /// What is to be pinned, by name.
    private let files: [String: SharedDescriptor]

    /// Nothing is pinned or attached yet, and nothing that is pinned changes.
    /// - Parameters:
    ///   - lock: that of the pins.
    ///   - layer: is made with it, where the engine has one.
    init(
        _ definition: EngineDefinition, _ options: EngineOptions, lock: SharedDescriptor,
        _ layer: inout (any SteeringLayer)?
    ) throws(EngineError) {
        self.lock = lock
        countedReasons = definition.reasons
        var loader = definition.makeLoader?(options)
        capacities = options.capacityByMap + (loader?.capacityByMap ?? [])
        let made: Result<(any SteeringLayer)?, EngineError>
        do throws(BPFError) {
            state = try PinnedState(definition, options)
            let object = try BPFObject(named: definition.object)
            try object.set(constants: options.constants)
            var programs = definition.programs
            try loader?.prepare(object, &programs)
            do throws(BPFError) {
                try state.prepare(object, capacities)
                try object.load()
                try state.fill(object)
            } catch {
                throw state.explain(error)
            }

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
            self.programs = try Self.programs(of: object, named: programs)
            wanted = try Self.wanted(of: self.programs, state)
            messages = SharedDescriptor(try object.program("kmesh_sk_msg"))
            sockets = SharedDescriptor(try object.map(KMESH_MAP_METADATA))
            shared = [
                KMESH_MAP_ENROLLED: SharedDescriptor(try object.map(KMESH_MAP_ENROLLED)),
                KMESH_MAP_PEER: SharedDescriptor(try object.map(KMESH_MAP_PEER)),
            ]
            socketKeys = try BPFMapKeys(sockets, name: KMESH_MAP_METADATA)
            maps = try object.mapMemories()
            var files: [String: SharedDescriptor] = [:]
            for name in object.mapNames { files[name] = SharedDescriptor(try object.map(name)) }
            self.files = files
            made = Result { () throws(EngineError) in try loader?.makeLayer(object) }
        } catch {
            throw EngineError(error)
        }
        layer = try made.get()
    }

    /// Whether the maps are those of an earlier run.
    var isAdopted: Bool { !state.isFresh }

    /// Puts the programs in force at the cgroup's hooks, and pins what is not pinned. On an error what was in
    /// force before still is.
    func attach(to cgroupPath: String) throws(EngineError) {
        let attachments = CgroupAttachments(pins: state.pins, cgroupPath: cgroupPath)
        do throws(BPFError) {
            switch state.origin {
            case .adopted:
                try BPFProgram.attach(messages.file, toSocketsOf: sockets.file)
                try attachments.apply(wanted)
                try state.layouts.removeStaged()
            case .fresh: try install(attachments, over: nil)
            case .migrated(let former, _): try install(attachments, over: former)
            }
        } catch {
            throw EngineError(error)
        }
    }

    /// Everything is pinned in a directory that gets its name when all programs are in force. Until then the
    /// former one is whole: a start after a crash begins again.
    private func install(_ attachments: CgroupAttachments, over former: PinDirectory?) throws(BPFError) {
        var replacement = ProgramReplacement()
        do throws(BPFError) {
            try state.layouts.removeStaged()
            try state.pins.stage()
            for (name, file) in files { try state.pins.pinStaged(file.file, as: name) }
            try replacement.replace(atSocketsOf: sockets, with: messages.file)
            try attachments.stage(wanted, over: former, &replacement)
            try state.pins.commit()
        } catch {
            let failures = replacement.undo()
            // With their pins, links that were made for this end.
            try? state.pins.removeStaged()
            throw state.explain(error, failures)
        }
        // All that it holds is pinned anew. What cannot be removed now is with the next start.
        try? former?.removeAll()
    }

    /// Ends what a build with another layout left. Before the first configuration is in force nobody else
    /// steers.
    func removeOlder() {
        for pins in state.older where pins.exists { try? pins.removeAll() }
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

    /// The maps of an earlier run that have other capacities than the options ask for.
    var keptCapacities: [String] { MapMemory.keptCapacities(maps, wanted: capacities) }

    /// What became of pins of an earlier layout.
    var migrationNotes: [String] {
        guard case .migrated(let former, let path) = state.origin else { return [] }
        return ["took over \(former.path): layout \(path.layout) is now \(state.layouts.current)"]
    }

    /// The reading side of the ring of traced verdicts.
    func traceLog() throws(EngineError) -> TraceLog {
        do throws(BPFError) {
            guard let ring = files[KMESH_MAP_TRACE] else {
                throw .failed("find the map \(KMESH_MAP_TRACE)", .noEntry)
            }
            return try TraceLog(ring.file)
        } catch {
            throw EngineError(error)
        }
    }

    /// Verdicts on traced pods that the ring had no room for.
    var lostVerdicts: UInt64 { (try? reasons.value(of: VerdictReason.traceLost.rawValue)) ?? 0 }

    /// Every reason with its count; what cannot be read is left out.
    func reasonCounts() -> [ReasonCount] {
        countedReasons.compactMap { reason in
            guard let count = try? reasons.value(of: reason.rawValue) else { return nil }
            return ReasonCount(number: reason.rawValue, name: reason.name, count: count)
        }
    }

    /// - Parameters:
    ///   - counts: entries of the maps that user space fills.
    ///   - others: the same for a layer's.
    func mapSnapshots(counts: MapCounts, others: [String: Int]) -> [MapSnapshot] {
        var known = [
            KMESH_MAP_FRONTEND: counts.frontends, KMESH_MAP_SERVICE: counts.services,
            KMESH_MAP_SLOT: counts.slots, KMESH_MAP_TABLE: counts.tables,
            KMESH_MAP_ENDPOINT: counts.endpoints, KMESH_MAP_WAYPOINT: counts.waypoints,
        ]
        known.merge(others) { $1 }
        let created: [String: VerdictReason] = [
            KMESH_MAP_AFFINITY: .affinityCreated, KMESH_MAP_UDP_SESSION: .sessionCreated,
            KMESH_MAP_UDP_REPLY: .udpReplyCreated,
        ]
        return maps.map { map in
            let count = created[map.name].flatMap { try? reasons.value(of: $0.rawValue) }
            return map.snapshot(entries: known[map.name], created: count)
        }
    }

    func meters(counts: MapCounts, others: [String: Int]) -> EngineMeters {
        var named = programs.map { ("kmesh_\($0.key.name)", $0.value) }
        named.append(("kmesh_sk_msg", messages))
        return EngineMeters(
            reasons: reasonCounts(), maps: mapSnapshots(counts: counts, others: others),
            programs: named.sorted { $0.0 < $1.0 }.compactMap {
                ProgramStatistics.use(of: $0.1, named: $0.0)
            })
    }

    private static func programs(
        of object: borrowing BPFObject, named names: [CgroupHook: String]
    ) throws(BPFError) -> [CgroupHook: SharedDescriptor] {
        var programs: [CgroupHook: SharedDescriptor] = [:]
        for (hook, name) in names { programs[hook] = SharedDescriptor(try object.program(name)) }
        return programs
    }
}
