internal import BPFLoader
public import KmeshKit

/// Steers at L4 with eBPF at the socket hooks, by services and workloads. An engine is this with a
/// definition.
public actor SteeringEngine: DataplaneEngine {
    public nonisolated var mode: EngineMode { definition.mode }
    public nonisolated var handlers: [any ResourceHandler] { [MeshResourceHandler(engine: self)] }

    nonisolated let definition: EngineDefinition
    let options: EngineOptions
    let authorization: any AuthorizationEnforcer
    var running: Running?
    // Outside of `running`, as it cannot be copied.
    var traces: TraceLog?
    /// What the engine adds to L4. Outside of `running`, whose data plane is handed to it.
    var layer: (any SteeringLayer)?

    /// What lives between `start` and `stop`.
    struct Running: Sendable {
        var dataplane: L4Dataplane
        var kernel: KernelState
        var enrolled: [LocalWorkload.ID: LocalWorkload] = [:]
        var activity = EngineActivity()
        /// Why drift could not be looked for, as far as it has been told.
        var driftFault: String?
        /// The same of programs that could not be loaded anew.
        var reloadFault: String?
        /// Changes that need a program which cannot be attached. They are tried again each second.
        var postponed: [ResourceChange<MeshResource>] = []
    }

    public init(
        _ definition: EngineDefinition, _ options: EngineOptions,
        _ authorization: any AuthorizationEnforcer
    ) {
        self.definition = definition
        self.options = options
        self.authorization = authorization
    }

    private var layouts: PinLayouts { definition.layouts(options) }

    public func findsEarlierRun() async throws(EngineError) -> Bool {
        do throws(BPFError) {
            return try !PinnedState(definition, options).isFresh
        } catch {
            throw EngineError(error)
        }
    }

    public func start(enrolling workloads: [LocalWorkload]) async throws(EngineError) -> [String] {
        let lock = try await lockPins()
        // Most of a start is the kernel's verifier, for one processor at a time: both parts have theirs.
        async let authorized = startAuthorization(workloads)
        let prepared = prepare(lock)
        let protection = await authorized
        do throws(EngineError) {
            let notes = try protection.get()
            let (kernel, dataplane, layer) = try prepared.get()
            let traces = try kernel.traceLog()
            running = try steer(by: kernel, dataplane, workloads)
            self.traces = traces
            self.layer = layer
            return notes + kernel.migrationNotes + kernel.keptCapacities + (layer?.notes ?? [])
        } catch {
            await authorization.abandon()
            throw error
        }
    }

    /// Refuses what this build cannot take over before anything is touched.
    private func lockPins() async throws(EngineError) -> SharedDescriptor {
        do throws(BPFError) {
            try KernelFeatures.requireL4()
            let lock = SharedDescriptor(
                try await layouts.pins().lock(waiting: options.takesOver ? .seconds(10) : .zero))
            try layouts.refuseNewer()
            return lock
        } catch {
            throw EngineError(error)
        }
    }

    private nonisolated func startAuthorization(
        _ workloads: [LocalWorkload]
    ) async -> Result<[String], EngineError> {
        do throws(EngineError) {
            return .success(try await authorization.start(protecting: workloads))
        } catch {
            return .failure(error)
        }
    }

    /// Loads the programs and reads the maps; nothing changes yet.
    private func prepare(
        _ lock: SharedDescriptor
    ) -> Result<(KernelState, L4Dataplane, (any SteeringLayer)?), EngineError> {
        do throws(EngineError) {
            var layer: (any SteeringLayer)?
            let kernel = try KernelState(definition, options, lock: lock, &layer)
            var dataplane = L4Dataplane(
                maps: kernel.l4Maps, localNode: options.nodeName, counts: definition.counts)
            do throws(MapError) {
                try dataplane.adopt(clusters: layer?.adoptedClusters ?? [:])
            } catch {
                throw EngineError(error)
            }
            return .success((kernel, dataplane, layer))
        } catch {
            return .failure(error)
        }
    }

    private func steer(
        by kernel: KernelState, _ dataplane: L4Dataplane, _ workloads: [LocalWorkload]
    ) throws(EngineError) -> Running {
        do throws(MapError) {
            try kernel.enrollExactly(workloads)
        } catch {
            throw EngineError(error)
        }
        // From here on traffic is steered.
        try kernel.attach(to: options.cgroupPath)
        return Running(
            dataplane: dataplane, kernel: kernel,
            enrolled: Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { $1 }))
    }

    public func enroll(_ workload: LocalWorkload) async throws(EngineError) {
        guard let kernel = running?.kernel else { throw .notStarted }
        try await authorization.protect(workload)
        let previous = running?.enrolled[workload.id]?.enrolledEntry
        let entry = workload.enrolledEntry
        do throws(MapError) {
            // An entry that is as wanted is left alone: a program that reads meanwhile could miss it.
            if entry != previous { try kernel.enrolled.upsert([entry]) }
            if let previous, previous.key != entry.key { try kernel.enrolled.remove([previous.key]) }
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
        // From here on its entry is not missing.
        running?.enrolled[id] = nil
        do throws(EngineError) {
            try await authorization.release(id)
        } catch {
            running?.enrolled[id] = workload
            throw error
        }
    }

    public func snapshot() async -> EngineSnapshot {
        guard let running else { return EngineSnapshot(mode: mode) }
        var snapshot = EngineSnapshot(mode: mode)
        running.dataplane.describe(in: &snapshot)
        snapshot.enrolled = running.enrolled.values.sorted { $0.pod < $1.pod }
        snapshot.reasons = running.kernel.reasonCounts()
        snapshot.maps = running.kernel.mapSnapshots(
            counts: running.dataplane.entryCounts, others: layer?.entriesByMap ?? [:])
        layer?.describe(in: &snapshot)
        return snapshot
    }

    public func verify() async throws -> [Difference] {
        guard let running else { throw EngineError.notStarted }
        return try running.dataplane.verify() + (layer?.verify(running.dataplane) ?? [])
            + running.kernel.differences(from: running.enrolled.values).map(\.difference)
            + (await authorization.verify())
    }

    public func stop(_ disposition: StopDisposition) async throws(EngineError) {
        layer?.end(disposition)
        layer = nil
        running = nil
        traces = nil
        guard disposition == .removeAll else { return try await authorization.stop(disposition) }
        let lock: SharedDescriptor
        do throws(BPFError) {
            lock = SharedDescriptor(try layouts.pins().lock())
            try layouts.removeAll()
        } catch {
            throw EngineError(error)
        }
        defer { withExtendedLifetime(lock) {} }
        try await authorization.stop(disposition)
        await definition.afterRemoval?(options)
    }

    public func tend() async {
        await authorization.tend()
        retryPostponed()
        retryPending()
        repairDrift()
        tendLayer()
        tendTraces()
    }

    public func activity() async -> EngineActivity {
        guard let running else { return EngineActivity() }
        var activity = running.activity
        activity.pendingWrites = UInt64(running.dataplane.pendingWrites)
        activity.stall = running.dataplane.stall.map { "\($0)" }
        if let layer { activity.add(layer.activity) }
        activity.add(await authorization.activity())
        return activity
    }

    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        // Who may connect is known before anybody is sent there.
        let refused = await authorization.apply(changes)
        let (possible, postponed) = attachOnDemand(for: changes)
        return refused + postponed + (possible.map { steer(by: $0) } ?? [])
    }

    func steer(by changes: [ResourceChange<MeshResource>]) -> [RejectedResource] {
        let start = ContinuousClock.now
        guard let (rejected, writes) = running?.apply(changes, through: &layer) else {
            return changes.map { RejectedResource(name: $0.name, reason: "\(EngineError.notStarted)") }
        }
        running?.kernel.removeOlder()
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        running?.activity.applied += 1
        running?.activity.writes += UInt64(writes)
        running?.activity.latestWrites = UInt64(writes)
        running?.activity.latestDuration =
            UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        return rejected
    }
}

/// The mesh's resources for the engine.
private struct MeshResourceHandler: ResourceHandler {
    let engine: SteeringEngine

    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        await engine.apply(changes)
    }
}
