internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit

/// The programs that observe connections: attached as long as somebody wants to know, and kept by pins over a
/// restart, so that what ends meanwhile is still told of.
final class TelemetryKernel {
    private var ring: RingBuffer
    private let iterator: BPFIterator
    private let reasons: BPFCounters
    private let memory: [MapMemory]
    private let programs: [(name: String, program: SharedDescriptor)]

    /// Attaches the programs, or puts those of this build into the place of an earlier run's.
    /// - Parameter shared: the engine's maps that they read.
    init(
        _ options: EngineOptions, sharing shared: [String: SharedDescriptor]
    ) throws(BPFError) {
        let pins = try Self.layouts(options).pins()
        let object = try Self.load(pins, shared)
        ring = try RingBuffer(try object.map(KMESH_MAP_RECORD), name: KMESH_MAP_RECORD)
        let report = SharedDescriptor(try object.program("kmesh_report"))
        iterator = try BPFIterator(
            program: report.file, over: try object.map(KMESH_MAP_CONNECTION), name: "kmesh_report")
        reasons = try BPFCounters(try object.map(KMESH_MAP_REASON), name: KMESH_MAP_REASON)
        memory = try object.mapMemories().filter { shared[$0.name] == nil }
        let observer = SharedDescriptor(try object.program("kmesh_telemetry"))
        programs = [("kmesh_telemetry", observer), ("kmesh_report", report)]
        try CgroupAttachments(pins: pins, cgroupPath: options.cgroupPath).apply([.sockops: observer])
    }

    private static func load(
        _ pins: PinDirectory, _ shared: [String: SharedDescriptor]
    ) throws(BPFError) -> BPFObject {
        if pins.exists {
            do throws(BPFError) {
                let object = try open(shared)
                try object.adoptMaps(from: pins, except: Set(shared.keys))
                try object.load()
                return object
            } catch {
                // A run has died while it removed them. What they held is told by nobody; traffic needs none
                // of it.
                try pins.removeAll()
            }
        }
        let object = try open(shared)
        try object.load()
        try object.pinMaps(in: pins, except: Set(shared.keys))
        return object
    }

    private static func open(_ shared: [String: SharedDescriptor]) throws(BPFError) -> BPFObject {
        let object = try BPFObject(named: "telemetry")
        try object.set(
            constants: kmesh_l4_settings(
                pass_without_endpoint: 0, metadata: 0, has_mptcp: KernelFeatures.hasMultipathTCP ? 1 : 0))
        for (name, map) in shared { try object.reuse(map.file, as: name) }
        return object
    }

    /// Ends the observation, whoever began it.
    static func remove(_ options: EngineOptions) throws(BPFError) { try layouts(options).removeAll() }

    private static func layouts(_ options: EngineOptions) -> PinLayouts {
        PinLayouts(
            root: options.bpfFileSystemPath, part: "telemetry",
            current: UInt32(KMESH_TELEMETRY_LAYOUT_VERSION))
    }

    /// Records of connections that have ended, oldest first, at most `limit`.
    func closed(limit: Int) -> [ConnectionRecord] {
        var records: [ConnectionRecord] = []
        _ = ring.drain(limit: limit) { bytes in
            if let record = ConnectionRecord(bytes) { records.append(record) }
        }
        return records
    }

    /// A record of each connection that goes on.
    func open() throws(BPFError) -> [ConnectionRecord] {
        var records: [ConnectionRecord] = []
        try iterator.walk(recordSize: ConnectionRecord.size) { bytes in
            if let record = ConnectionRecord(bytes) { records.append(record) }
        }
        return records
    }

    /// Records that found the ring full, and connections that found no memory.
    var losses: UInt64 {
        VerdictReason.telemetry.reduce(0) { $0 + ((try? reasons.value(of: $1.rawValue)) ?? 0) }
    }

    func meters() -> EngineMeters {
        EngineMeters(
            reasons: VerdictReason.telemetry.compactMap { reason in
                guard let count = try? reasons.value(of: reason.rawValue) else { return nil }
                return ReasonCount(number: reason.rawValue, name: reason.name, count: count)
            },
            maps: memory.map { $0.snapshot() },
            programs: programs.compactMap { ProgramStatistics.use(of: $0.program, named: $0.name) })
    }
}
