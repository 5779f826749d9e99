import KmeshKit

/// Authorization that forbids nothing.
actor OpenAuthorizer: AuthorizationEnforcer {
    func start(protecting workloads: [LocalWorkload]) async throws(EngineError) -> [String] { [] }
    func protect(_ workload: LocalWorkload) async throws(EngineError) {}
    func release(_ id: LocalWorkload.ID) async throws(EngineError) {}
    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] { [] }
    func tend() async {}
    func setEnforcing(_ isEnforcing: Bool) async throws(EngineError) {}
    func activity() async -> EngineActivity { EngineActivity() }
    func meters() async -> EngineMeters { EngineMeters() }
    func snapshot() async -> AuthorizationSnapshot {
        AuthorizationSnapshot(isEnforcing: false, hook: .socketLookup)
    }
    func configuration() async -> [MeshResource] { [] }
    func dumpableMaps() async -> [DumpableMap] { [] }
    func explain(
        _ question: AuthorizationQuestion
    ) async throws(ExplanationError) -> AuthorizationExplanation {
        throw .unknownPod(PodName(namespace: "default", name: "nobody"))
    }
    func verify() async throws -> [Difference] { [] }
    func abandon() async {}
    func stop(_ disposition: StopDisposition) async throws(EngineError) {}
}
