public import KmeshKit

internal import BPFLoader
internal import CKmeshABI

/// Steers at L4 with eBPF at the socket hooks, by services and workloads.
public actor DualEngine: DataplaneEngine {
    public nonisolated let mode = EngineMode.dualEngine
    public nonisolated var handlers: [any ResourceHandler] { [MeshResourceHandler(engine: self)] }

    private let settings: DualEngineSettings
    private var running: Running?

    /// What lives between `start` and `stop`.
    private struct Running {
        var dataplane: L4Dataplane
        let kernel: KernelState
        var enrolled: [LocalWorkload.ID: LocalWorkload] = [:]
    }

    public init(settings: DualEngineSettings) {
        self.settings = settings
    }

    public func start(enrolling workloads: [LocalWorkload]) async throws(EngineError) {
        do throws(BPFError) {
            try KernelFeatures.requireL4()
        } catch {
            throw EngineError(error)
        }
        let kernel = try KernelState(settings: settings)
        var dataplane = L4Dataplane(maps: kernel.l4Maps, localNode: settings.nodeName)
        do throws(MapError) {
            try dataplane.adopt()
            try kernel.enrollExactly(workloads)
        } catch {
            throw EngineError(error)
        }
        // From here on traffic is steered.
        try kernel.attach(to: settings.cgroupPath)
        running = Running(
            dataplane: dataplane, kernel: kernel,
            enrolled: Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { $1 }))
    }

    public func enroll(_ workload: LocalWorkload) async throws(EngineError) {
        guard let kernel = running?.kernel else { throw .notStarted }
        do throws(MapError) {
            try kernel.enrolled.upsert([workload.enrolledEntry])
            if let previous = running?.enrolled[workload.id],
                previous.networkNamespace.cookie != workload.networkNamespace.cookie
            {
                try kernel.enrolled.remove([previous.enrolledEntry.key])
            }
        } catch {
            throw EngineError(error)
        }
        running?.enrolled[workload.id] = workload
    }

    public func withdraw(_ id: LocalWorkload.ID) async throws(EngineError) {
        guard let kernel = running?.kernel, let workload = running?.enrolled[id] else { return }
        do throws(MapError) {
            try kernel.enrolled.remove([workload.enrolledEntry.key])
        } catch {
            throw EngineError(error)
        }
        running?.enrolled[id] = nil
    }

    public func snapshot() async -> EngineSnapshot {
        guard let running else { return EngineSnapshot(mode: mode) }
        var snapshot = running.dataplane.snapshot(mode: mode)
        snapshot.enrolled = running.enrolled.values.sorted { $0.pod < $1.pod }
        snapshot.reasons = running.kernel.reasonCounts()
        snapshot.maps = running.kernel.mapSnapshots(counts: running.dataplane.entryCounts)
        return snapshot
    }

    public func verify() async throws -> [Difference] {
        guard let running else { throw EngineError.notStarted }
        return try running.dataplane.verify() + running.kernel.verifyEnrolled(running.enrolled.values)
    }

    public func stop(_ disposition: StopDisposition) async throws(EngineError) {
        running = nil
        guard disposition == .removeAll else { return }
        do throws(BPFError) {
            try settings.pins().removeAll()
        } catch {
            throw EngineError(error)
        }
    }

    func apply(_ changes: [ResourceChange<MeshResource>]) -> [RejectedResource] {
        guard running != nil else {
            return changes.map { RejectedResource(name: $0.name, reason: "\(EngineError.notStarted)") }
        }
        return running?.dataplane.apply(changes).rejected ?? []
    }
}

/// Services, workloads and nodes for the dual engine.
private struct MeshResourceHandler: ResourceHandler {
    let engine: DualEngine

    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        await engine.apply(changes)
    }
}
