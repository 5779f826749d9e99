// Stands in for the kernel and for the mesh file: an engine and a source that remember what they were told.
import KmeshKit
import Synchronization

actor FakeEngine: DataplaneEngine {
    nonisolated let mode = EngineMode.dualEngine
    nonisolated let recorder = FakeHandler()
    nonisolated var handlers: [any ResourceHandler] { [recorder] }

    private(set) var enrolled: [LocalWorkload.ID: LocalWorkload] = [:]
    private(set) var isStarted = false
    private(set) var stopped: [StopDisposition] = []
    private(set) var tendings = 0
    private var failure: EngineError?
    private var differences: [Difference] = []
    private var resources: [MeshResource] = []
    private var maps: [DumpableMap] = []
    private var verifyFailure: EngineError?
    /// While it is closed nobody comes back from tending.
    nonisolated let tending = TestBarrier()
    nonisolated let verifying = TestBarrier()

    func have(_ resources: [MeshResource], _ maps: [DumpableMap]) {
        (self.resources, self.maps) = (resources, maps)
    }
    func configuration() async -> [MeshResource] { resources }
    func dumpableMaps() async -> [DumpableMap] { maps }
    func failToVerify(with error: EngineError?) { verifyFailure = error }
    func fail(with error: EngineError?) { failure = error }
    func differ(_ differences: [Difference]) { self.differences = differences }

    private(set) var isAdopting = false
    func adopt() { isAdopting = true }

    func findsEarlierRun() async throws(EngineError) -> Bool { isAdopting }

    func start(enrolling workloads: [LocalWorkload]) async throws(EngineError) -> [String] {
        if let failure { throw failure }
        enrolled = Dictionary(uniqueKeysWithValues: workloads.map { ($0.id, $0) })
        isStarted = true
        return []
    }

    func enroll(_ workload: LocalWorkload) async throws(EngineError) {
        if let failure { throw failure }
        enrolled[workload.id] = workload
    }

    func withdraw(_ id: LocalWorkload.ID) async throws(EngineError) {
        if let failure { throw failure }
        enrolled[id] = nil
    }

    func tend() async {
        tendings += 1
        await tending.pass()
    }

    private var note: String?
    func note(_ note: String) { self.note = note }
    func readinessNote() async -> String? { note }

    func activity() async -> EngineActivity { EngineActivity(applied: UInt64(recorder.applied.count)) }

    func snapshot() async -> EngineSnapshot {
        EngineSnapshot(mode: mode, enrolled: Array(enrolled.values))
    }

    func meters() async -> EngineMeters { EngineMeters() }

    func parties(of questions: [ConnectionQuestion]) async -> [ConnectionParties] {
        questions.map { _ in ConnectionParties() }
    }

    func vanished(among uids: Set<String>) async -> Set<String> { [] }

    func sharedMaps() async -> [String: SharedDescriptor] { [:] }

    func verify() async throws -> [Difference] {
        await verifying.pass()
        if let verifyFailure { throw verifyFailure }
        return differences
    }

    func trace(_ request: TraceRequest) async throws(TraceError) -> TraceReport {
        guard enrolled.values.contains(where: { $0.pod == request.pod }) else {
            throw .notEnrolled(request.pod)
        }
        return TraceReport(last: 7)
    }

    func setTracing(all: Bool) async {}

    func stop(_ disposition: StopDisposition) async throws(EngineError) { stopped.append(disposition) }
}

/// Rejects workloads whose uid starts with `bad`.
final class FakeHandler: ResourceHandler {
    private let batches = Mutex<[[ResourceChange<MeshResource>]]>([])
    /// While it is closed nobody comes back from applying.
    let applying = TestBarrier()

    var applied: [[ResourceChange<MeshResource>]] { batches.withLock { $0 } }

    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        batches.withLock { $0.append(changes) }
        await applying.pass()
        return changes.compactMap { change in
            guard case .upsert(.workload(let workload)) = change, workload.uid.hasPrefix("bad") else {
                return nil
            }
            return RejectedResource(name: .workload(uid: workload.uid), reason: "it is bad")
        }
    }
}

/// Hands out what the test puts in.
final class FakeSource: ConfigurationSource {
    typealias Step = Result<ConfigurationUpdate, ConfigurationError>

    let name = "fake.yaml"
    private let first: Step
    private let steps: AsyncStream<Step>
    private let supply: AsyncStream<Step>.Continuation
    /// What `reload` hands out.
    private let onReload: Step

    init(
        first: Step = .success(ConfigurationUpdate(changes: [])),
        onReload: Step = .success(.init(changes: []))
    ) {
        self.first = first
        self.onReload = onReload
        (steps, supply) = AsyncStream.makeStream()
    }

    func put(_ step: Step) { supply.yield(step) }

    func start() async throws(ConfigurationError) -> ConfigurationUpdate { try first.get() }

    func begin() throws(ConfigurationError) { supply.yield(first) }

    func next() async throws(ConfigurationError) -> ConfigurationUpdate? {
        for await step in steps { return try step.get() }
        return nil
    }

    func reload() { supply.yield(onReload) }
}

/// Holds tasks back while it is closed.
final class TestBarrier: Sendable {
    private let isClosed = Mutex(false)

    func close() { isClosed.withLock { $0 = true } }
    func open() { isClosed.withLock { $0 = false } }

    /// Also ends when the task is cancelled.
    func pass() async {
        while isClosed.withLock({ $0 }), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
    }
}
