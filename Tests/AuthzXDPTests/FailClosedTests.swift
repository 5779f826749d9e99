import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// What others write about a pod, and what cannot be in force, opens nothing.
@Suite struct FailClosedTests {
    private let server = pod("server", "10.0.0.1")
    private let client = pod("client", in: "shop", "10.0.0.2")
    private let shop = policy("shop", .deny, .namespaces("shop"))

    private func rig(_ changes: [Change]) throws -> Rig {
        var rig = Rig()
        try rig.dataplane.protect(server.local)
        #expect(rig.apply(changes).rejected.isEmpty)
        return rig
    }

    private func check(_ rig: Rig) throws {
        var rig = rig
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
    }

    /// An endpoint or an entry that names a pod's address.
    private func claim(_ kind: String, in namespace: String, _ account: String, _ address: String) -> Workload
    {
        var claim = pod("claim", in: namespace, address)
        claim.uid = "\(kind)/\(namespace)/claim"
        claim.serviceAccount = account
        return claim
    }

    private func explanation(_ rig: Rig, to address: IPAddress) -> AuthorizationExplanation {
        rig.dataplane.explain(AuthorizationQuery(source: client.addresses[0], destination: address, port: 80))
    }

    /// More combinations than a policy may have.
    private func huge(_ name: String, _ action: PolicyAction = .deny) -> AuthorizationPolicy {
        let clause = (0..<130).map { index -> PolicyMatch in
            var match = PolicyMatch.ports(UInt16(index))
            match.namespaces = Patterns(any: [.exact("n\(index)")])
            return match
        }
        var policy = policy(name, action)
        policy.rules = [PolicyRule(clauses: [clause, clause])]
        return policy
    }

    @Test func anEndpointTakesNoIdentityAway() throws {
        var rig = try rig([put(server), put(client), put(shop)])
        rig.apply([put(claim("EndpointSlice", in: "evil", "", "10.0.0.2"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        let query = AuthorizationQuery(
            source: client.addresses[0], destination: server.addresses[0], port: 80)
        #expect(rig.dataplane.explain(query).sourceWorkload == client.uid)
        rig.apply([put(claim("WorkloadEntry", in: "evil", "admin", "10.0.0.2"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        // Two of one identity are that one, an entry in the host's network makes the address nobody's.
        rig.apply([remove(client), put(claim("WorkloadEntry", in: "shop", "one", "10.0.0.3"))])
        var other = claim("WorkloadEntry", in: "shop", "one", "10.0.0.3")
        other.uid += "2"
        rig.apply([put(other)])
        #expect(rig.outcome("10.0.0.3", "10.0.0.1") == .denied)
        other.serviceAccount = ""
        other.sharesAddresses = true
        rig.apply([put(other)])
        #expect(rig.outcome("10.0.0.3", "10.0.0.1") == .notRestricted)
        try check(rig)
    }

    @Test func anAddressOfAnEnrolledPodIsThatPods() throws {
        var rig = try rig([put(server), put(shop), put(claim("Pod", in: "other", "ghost", "10.0.0.2"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        try rig.dataplane.protect(client.local)
        #expect(rig.maps.sources.value(of: AuthzAddressKey(client.addresses[0])) == nil)
        // Its own record counts, also before the record has the address.
        rig.apply([put(pod("client", in: "shop"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        try check(rig)
        try rig.dataplane.release(client.local.id)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        #expect(rig.maps.sources.value(of: AuthzAddressKey(client.addresses[0])) != nil)
        try check(rig)
    }

    @Test func aPodThatPoliciesMaySelectWaitsForItsRecord() throws {
        let named = policy("named", .deny, scope: .workloads, .ports(80))
        var rig = try rig([put(named)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        let told = explanation(rig, to: server.addresses[0])
        #expect(!told.isAllowed && told.policies.isEmpty)
        #expect(told.reason.contains("the mesh does not know the pod yet, and policies may select it"))
        // An endpoint that names its address is not its record.
        rig.apply([put(claim("EndpointSlice", in: "web", "", "10.0.0.1"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        try check(rig)
        rig.apply([put(pod("server", "10.0.0.1", policies: [named.key]))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        rig.apply([remove(server)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        rig.apply([remove(named)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        // One of the root namespace counts where a workload of the pod's namespace names it.
        let root = policy("root", in: "root", .deny, scope: .workloads, .ports(80))
        rig.apply([put(root)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        let neighbor = pod("neighbor", "10.0.0.9", policies: [root.key])
        rig.apply([put(neighbor)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        rig.apply([remove(neighbor)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        try check(rig)
    }

    @Test func aRefusedPolicyWithoutAnEarlierFormOpensNothing() throws {
        var rig = try rig([put(server), put(policy("q", .deny, .ports(82)))])
        rig.apply([put(huge("p"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        let told = explanation(rig, to: server.addresses[0])
        #expect(
            !told.isAllowed && told.reason.contains("AuthorizationPolicy web/p protects the pod, is refused"))
        #expect(told.reason.contains("16384 combinations"))
        try check(rig)
        // One that allows, beside another one that allows, would only let more in.
        rig.apply([remove(huge("p")), put(policy("a", .allow, .ports(80)))])
        rig.apply([put(huge("b", .allow))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .allowed)
        rig.apply([remove(policy("a"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        var trial = huge("b")
        trial.isDryRun = true
        rig.apply([put(trial)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 82) == .denied)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        try check(rig)
    }

    /// The earlier run's view stays for the policy's sake; what comes later is not in it.
    @Test func whatWaitsForARefusedPolicyIsRefusedToo() throws {
        var rig = try rig([put(server), put(policy("p", .deny, .ports(80)))])
        try rig.restart()
        try rig.dataplane.protect(server.local)
        rig.apply([put(server), put(huge("p"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        let later = policy("later", .deny, .ports(81))
        let rejected = rig.apply([put(later)]).rejected
        #expect(rejected.map(\.name) == [.policy(later.key)])
        #expect(
            rejected.first?.reason.contains("waits for AuthorizationPolicy web/p, which is refused") == true)
        #expect(rig.apply([put(policy("p", .deny, .ports(82))), put(later)]).rejected.isEmpty)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 81) == .denied)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
    }

    /// What an earlier run left without the policy does not stand in for it.
    @Test func anEarlierViewWithoutTheRefusedPolicyIsNotKept() throws {
        var rig = try rig([put(server), put(policy("q", .deny, .ports(82)))])
        try rig.restart()
        try rig.dataplane.protect(server.local)
        rig.apply([put(server), put(policy("q", .deny, .ports(82))), put(huge("p"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        try check(rig)
    }

    /// A thousand alternatives beside one list of many values would take each value a thousand times.
    @Test func whatAPolicyMentionsIsBounded() throws {
        let blocks = PolicyMatch.sources((0..<250).flatMap { a in (0..<80).map { "10.\(a).\($0).0/24" } })
        let clause = { (count: Int) in
            (0..<count).map { index -> PolicyMatch in
                var match = PolicyMatch.ports(UInt16(index))
                match.namespaces = Patterns(any: [.exact("n\(index)")])
                return match
            }
        }
        var large = policy("large")
        large.rules = [PolicyRule(clauses: [clause(1000), [blocks]])]
        #expect(throws: PolicyFormError.tooManyMentions) { try PolicyForm(large) }
        var rig = try rig([put(server)])
        let rejected = rig.apply([put(large)]).rejected
        #expect(rejected.map(\.name) == [.policy(large.key)])
        #expect(rejected.first?.reason.contains("more than 1000000 values") == true)
        // 49 times 20,000 and two of their own, and once more than there may be.
        large.rules = [PolicyRule(clauses: [clause(49), [blocks]])]
        #expect(try PolicyForm(large).termCount == 49)
        large.rules += large.rules
        #expect(throws: PolicyFormError.tooManyMentions) { try PolicyForm(large) }
    }
}
