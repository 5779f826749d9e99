/// A data plane that can steer this node's mesh traffic. The daemon knows engines only through this.
public protocol DataplaneEngine: Actor {
    nonisolated var mode: EngineMode { get }

    /// The resource types this engine wants, each with the code that applies it.
    nonisolated var handlers: [any ResourceHandler] { get }

    /// Whether an earlier run left what `start` would go on with, and so steers already. An error is one that
    /// `start` would end with. Changes nothing.
    func findsEarlierRun() async throws(EngineError) -> Bool

    /// Loads and attaches programs, adopting state pinned by a previous run. Afterwards exactly `workloads`
    /// are enrolled: what a previous run left of others is withdrawn, and these are steered without a gap.
    /// Returns what could not be as the options ask for, in sentences for the log.
    func start(enrolling workloads: [LocalWorkload]) async throws(EngineError) -> [String]

    /// Steers the workload's traffic from now on. Enrolling one again replaces what is known about it.
    func enroll(_ workload: LocalWorkload) async throws(EngineError)

    /// The workload's new connections are no longer steered. One that is not enrolled is fine.
    func withdraw(_ id: LocalWorkload.ID) async throws(EngineError)

    /// Does what waits, such as writes that the kernel refused for the moment. Called about once a second.
    func tend() async

    /// How the engine has worked so far.
    func activity() async -> EngineActivity

    /// What people should know who ask whether the engine is ready; `nil` where nothing is missing.
    func readinessNote() async -> String?

    /// Its counters and measures, with those of authorization.
    func meters() async -> EngineMeters

    /// Who the ends of connections are; in the order of the questions.
    func parties(of questions: [ConnectionQuestion]) async -> [ConnectionParties]

    /// Those of `uids` that are no workloads of the mesh any more.
    func vanished(among uids: Set<String>) async -> Set<String>

    /// Maps that programs besides the engine's own read too, by name; only while it runs.
    func sharedMaps() async -> [String: SharedDescriptor]

    /// What is in force now, read from the kernel.
    func snapshot() async -> EngineSnapshot

    /// The configuration as it was given, as far as the engine keeps it, in no order.
    func configuration() async -> [MeshResource]

    /// All maps, authorization's included; none before the start.
    func dumpableMaps() async -> [DumpableMap]

    /// Compares the kernel's maps with the wanted state. Empty when they agree.
    func verify() async throws -> [Difference]

    /// The verdicts on a pod's connections since it was asked for last. It is traced for as long as somebody
    /// asks again within `TraceRequest.seconds`.
    func trace(_ request: TraceRequest) async throws(TraceError) -> TraceReport

    /// Whether the verdicts on the connections of all pods are written to the log, at debug level under the
    /// label `bpf`.
    func setTracing(all: Bool) async

    /// Ends the engine. Without a `start` before, `removeAll` removes what earlier runs left pinned.
    func stop(_ disposition: StopDisposition) async throws(EngineError)
}

/// One entry of a map that is not as the configuration wants it.
public struct Difference: Hashable, Sendable, CustomStringConvertible {
    public let map: String
    public let key: String
    /// `nil`: the entry should not be there.
    public let wanted: String?
    /// `nil`: the entry is missing.
    public let found: String?

    public init(map: String, key: String, wanted: String?, found: String?) {
        self.map = map
        self.key = key
        self.wanted = wanted
        self.found = found
    }

    public var description: String {
        "\(map)[\(key)]: wanted \(wanted ?? "nothing"), found \(found ?? "nothing")"
    }
}
