/// Keeps connections that policies forbid away from this node's workloads. Every engine uses it alike: it is
/// given to the engine, which passes on what it is told itself.
public protocol AuthorizationEnforcer: Actor {
    /// Loads programs, adopting state pinned by a previous run. Afterwards exactly `workloads` are protected,
    /// without a gap for those that were before. Returns what could not be as the options ask for.
    func start(protecting workloads: [LocalWorkload]) async throws(EngineError) -> [String]

    /// New connections to the workload are subject to policy when this returns. Called before it is steered.
    func protect(_ workload: LocalWorkload) async throws(EngineError)

    /// The workload is not protected any more. One that is not known is fine.
    func release(_ id: LocalWorkload.ID) async throws(EngineError)

    /// Applies workloads and policies of `changes` as one step; other resources are not its business.
    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource]

    /// Does what waits. Called about once a second.
    func tend() async

    /// Switches enforcement on or off for all workloads, also after a restart.
    func setEnforcing(_ isEnforcing: Bool) async throws(EngineError)

    /// How it has worked so far.
    func activity() async -> EngineActivity

    func snapshot() async -> AuthorizationSnapshot

    /// The policies as they were given, in no order.
    func configuration() async -> [MeshResource]

    /// All maps; none before the start.
    func dumpableMaps() async -> [DumpableMap]

    /// What would happen to a connection, and why.
    func explain(
        _ question: AuthorizationQuestion
    ) async throws(ExplanationError) -> AuthorizationExplanation

    /// Compares the kernel's maps with the wanted state.
    func verify() async throws -> [Difference]

    /// Ends it after a start that the engine could not follow: what the start has made goes, what it has
    /// found stays.
    func abandon() async

    /// Ends it. Without a `start` before, `removeAll` removes what earlier runs left pinned.
    func stop(_ disposition: StopDisposition) async throws(EngineError)
}
