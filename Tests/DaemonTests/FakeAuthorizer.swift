// Stands in for authorization in the kernel: remembers what it was told, and allows by the source's address.
import KmeshKit

actor FakeAuthorizer: AuthorizationEnforcer {
    private(set) var isEnforcing = true
    private(set) var protected: Set<LocalWorkload.ID> = []

    func start(protecting workloads: [LocalWorkload]) async throws(EngineError) -> [String] {
        protected = Set(workloads.map(\.id))
        return []
    }

    func protect(_ workload: LocalWorkload) async throws(EngineError) { protected.insert(workload.id) }

    func release(_ id: LocalWorkload.ID) async throws(EngineError) { protected.remove(id) }

    func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] { [] }

    func tend() async {}

    func activity() async -> EngineActivity { EngineActivity() }

    func setEnforcing(_ isEnforcing: Bool) async throws(EngineError) { self.isEnforcing = isEnforcing }

    func snapshot() async -> AuthorizationSnapshot {
        AuthorizationSnapshot(
            isEnforcing: isEnforcing, hook: .socketLookup,
            policies: [
                PolicySnapshot(
                    policy: PolicyKey(namespace: "shop", name: "buyers"), action: .allow, isDryRun: true,
                    workloadCount: 2, denied: 7)
            ],
            workloads: [
                ProtectedWorkload(
                    pod: PodName(namespace: "shop", name: "web"), addresses: [IPAddress(v4: 0x0a00_0001)],
                    policies: [PolicyKey(.peerAuthentication, namespace: "shop", name: "strict")],
                    attachment: "sk_lookup", probePorts: [8081])
            ],
            endedConnections: 3, reasons: [ReasonCount(number: 56, name: "denied", count: 4)],
            maps: [MapSnapshot(name: "km_authz_dest", capacity: 8, entries: 1, bytes: 64)])
    }

    func explain(
        _ question: AuthorizationQuestion
    ) async throws(ExplanationError) -> AuthorizationExplanation {
        guard case .address(let source) = question.source,
            case .address(let destination) = question.destination
        else { throw .unknownPod(PodName(namespace: "shop", name: "nobody")) }
        let policy = PolicyKey(namespace: "shop", name: "buyers")
        return AuthorizationExplanation(
            query: AuthorizationQuery(source: source, destination: destination, port: question.port),
            sourceWorkload: "shop/buyer", principal: "cluster.local/ns/shop/sa/buyer",
            destinationWorkload: "shop/web", policies: [policy],
            isAllowed: source == IPAddress(v4: 0x0a00_0002), reason: "allowed by \(policy)",
            trialDenials: [policy], kernelVerdict: "allow (allowed)")
    }

    func configuration() async -> [MeshResource] { [] }

    func dumpableMaps() async -> [DumpableMap] { [] }

    func verify() async throws -> [Difference] { [] }

    func abandon() async {}

    func stop(_ disposition: StopDisposition) async throws(EngineError) {}
}
