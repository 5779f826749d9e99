import CKmeshABI
import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// Who is behind an address, what protects a workload, and what is said about it.
@Suite struct AuthorizationDataplaneTests {
    private let server = pod("server", "10.0.0.1")
    private let client = pod("client", in: "shop", "10.0.0.2")

    private func rig(_ changes: [Change]) throws -> Rig {
        var rig = Rig()
        try rig.dataplane.protect(server.local)
        #expect(rig.apply(changes).rejected.isEmpty)
        #expect(try rig.dataplane.verify() == [])
        return rig
    }

    @Test func nothingIsKnownBeforeTheFirstConfiguration() throws {
        var rig = Rig()
        try rig.dataplane.protect(server.local)
        #expect(rig.dataplane.tend().writes == 0 && rig.maps.writeCount == 0)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        #expect(rig.apply([]).destinations == server.addresses)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        try rig.dataplane.release(server.local.id)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notProtected)
        rig.dataplane.tend()
        #expect(rig.maps.counts == AuthzCounts())
    }

    @Test func aSharedAddressIsNobodys() throws {
        var rig = try rig([
            put(server), put(client), put(policy("shop", .deny, .namespaces("shop"))),
            put(policy("known", .allow, .principals("*"))),
        ])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        let other = pod("other", in: "web", "10.0.0.2")
        #expect(rig.apply([put(other)]).sources == client.addresses)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notAllowed)
        rig.apply([remove(client)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .allowed)
        var shared = other
        shared.sharesAddresses = true
        rig.apply([put(shared)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notAllowed)
        rig.apply([put(client), remove(other)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        let node = try #require(IPAddress("10.0.0.2"))
        rig.dataplane.setNodeAddresses([node])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notAllowed)
        let entry = rig.maps.sources.value(of: AuthzAddressKey(node))
        #expect(entry == .node && entry?.flags == KMESH_AUTHZ_SOURCE_NODE.rawValue)
        rig.dataplane.setNodeAddresses([])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        rig.dataplane.tend()
        #expect(try rig.dataplane.verify() == [])
    }

    /// Patterns take in who comes later, before its address has the identity.
    @Test func patternsMeetIdentitiesThatComeLater() throws {
        var rig = try rig([
            put(server), put(policy("shops", .deny, .namespaces("sho*"))),
            put(policy("batch", .deny, .principals("*/sa/batch"))),
        ])
        rig.apply([put(client), put(pod("batch", in: "night", "10.0.0.3"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.0.0.3", "10.0.0.1") == .denied)
        #expect(rig.maps.bits.count == 2)
        rig.apply([remove(client), remove(pod("batch", in: "night"))])
        rig.dataplane.tend()
        #expect(rig.maps.bits.count == 0 && rig.maps.sources.count == 1)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aPodThatTheMeshDoesNotKnowHasItsNamespace() throws {
        var rig = Rig()
        let stranger = local(PodName(namespace: "web", name: "stranger"), server.addresses)
        try rig.dataplane.protect(stranger)
        rig.apply([put(policy("all", .deny, PolicyMatch.ports(80)))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 81) == .notRestricted)
        // Another pod that has had its address is not it.
        rig.apply([put(pod("gone", in: "shop", "10.0.0.1"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        // What names its address from another namespace takes no policy away and brings none.
        let named = policy("named", in: "shop", .allow, scope: .workloads)
        var entry = pod("vm", in: "shop", "10.0.0.1", policies: [named.key])
        entry.uid = "WorkloadEntry/shop/vm"
        entry.probePorts = [80]
        rig.apply([put(entry), put(named), put(policy("all", in: "shop", .allow))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 81) == .notRestricted)
        #expect(rig.maps.probes.count == 0)
    }

    @Test func workloadsNamePolicies() throws {
        let key = PolicyKey(.peerAuthentication, namespace: "web", name: "strict")
        let named = pod("server", "10.0.0.1", policies: [key])
        var rig = try rig([put(named)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        let strict = AuthorizationPolicy(
            key: key, action: .deny, scope: .workloads,
            rules: [PolicyRule(clauses: [[.ports(80)]])])
        let update = rig.apply([put(strict)])
        #expect(update.destinations == server.addresses)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        // One that means to be named protects nobody else, and one that targets a waypoint nobody here.
        try rig.dataplane.protect(client.local)
        #expect(rig.outcome("10.0.0.1", "10.0.0.2") == .notRestricted)
        var targets = strict
        targets.scope = .targets([.waypoints])
        rig.apply([put(targets)])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        rig.dataplane.tend()
        #expect(rig.maps.blocks.count == 0 && rig.maps.policies.count == 0)
    }

    @Test func aPolicyThatCannotBeCompiledLeavesTheOneBefore() throws {
        var rig = try rig([put(server), put(policy("p", .deny, .ports(80)))])
        var huge = policy("p", .deny, .ports(81))
        let both = { (index: Int) -> PolicyMatch in
            var match = PolicyMatch.ports(UInt16(index))
            match.namespaces = Patterns(any: [.exact("n\(index)")])
            return match
        }
        let clause = (0..<130).map(both)
        huge.rules = [PolicyRule(clauses: [clause, clause])]
        let rejected = rig.apply([put(huge), put(policy("q", .deny, .ports(82)))]).rejected
        #expect(rejected.map(\.name) == [.policy(huge.key)])
        #expect(rejected.first?.reason.contains("16384 combinations") == true)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1", 82) == .denied)
        #expect(rig.apply([put(policy("p", .deny, .ports(81)))]).rejected.isEmpty)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
    }

    @Test func aChangedPolicyKeepsWhatItHasCounted() throws {
        var rig = try rig([put(server), put(policy("p", .deny, .ports(80)))])
        let id = try #require(try rig.maps.policies.contents().entries.keys.first)
        try rig.maps.policies.upsert([MapEntry(id, AuthzPolicyValue(denied: 7, trialDenied: 1))])
        rig.apply([put(policy("p", .deny, .ports(80, 81)))])
        rig.dataplane.tend()
        #expect(rig.maps.policies.value(of: id)?.denied == 7)
        let key = PolicyKey(namespace: "web", name: "p")
        #expect(rig.dataplane.policy(numbered: id.id) == key)
        #expect(
            try rig.dataplane.policySnapshots() == [
                PolicySnapshot(policy: key, action: .deny, isDryRun: false, workloadCount: 1, denied: 7)
            ])
        #expect(rig.dataplane.policies(protecting: server.local.id) == [key])
        try rig.restart()
        try rig.dataplane.protect(server.local)
        rig.apply([put(server), put(policy("p", .deny, .ports(80, 81)))])
        #expect(try rig.dataplane.policySnapshots().first?.denied == 7)
    }

    @Test func probesAreThoseOfEnrolledPods() throws {
        var probed = server
        probed.probePorts = [8080, 9090]
        var rig = try rig([put(probed), put(client)])
        #expect(rig.dataplane.probePorts(of: server.local.id) == [8080, 9090])
        let address = server.addresses[0]
        #expect(rig.maps.probes.value(of: AuthzProbeKey(address: address, port: 9090)) != nil)
        probed.probePorts = [8080]
        rig.apply([put(probed)])
        #expect(rig.maps.probes.count == 1)
        try rig.dataplane.release(server.local.id)
        #expect(rig.maps.probes.count == 0)
    }

    @Test func removalsWaitForPrograms() throws {
        var rig = try rig([put(server), put(policy("p", .deny, .ports(80)))])
        rig.grace.setOver(false)
        rig.apply([remove(policy("p"))])
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        rig.dataplane.tend()
        #expect(rig.maps.blocks.count == 1 && rig.dataplane.hasPendingWrites)
        rig.grace.setOver(true)
        rig.dataplane.tend()
        #expect(rig.maps.blocks.count == 0 && !rig.dataplane.hasPendingWrites)
        let count = rig.grace.count
        rig.dataplane.tend()
        #expect(rig.grace.count == count, "nobody waits where nothing is to be removed")
    }

    /// What comes back before it was removed is still there.
    @Test func whatComesBackIsNotWrittenAgain() throws {
        let one = policy("p", .deny, .ports(80)), other = policy("p", .deny, .ports(81))
        var rig = try rig([put(server), put(one)])
        rig.apply([put(other)])
        let update = rig.apply([put(one)])
        #expect(update.writes == 1 && update.destinations == server.addresses)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
        rig.dataplane.tend()
        #expect(rig.maps.blocks.count == 1)
    }

    @Test func anAddressIsTheLastPodsThatWasEnrolledWithIt() throws {
        var rig = try rig([put(server), put(policy("p", .deny, .ports(80)))])
        let other = local(PodName(namespace: "shop", name: "new"), server.addresses)
        try rig.dataplane.protect(other)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .notRestricted)
        try rig.dataplane.release(other.id)
        #expect(rig.outcome("10.0.0.2", "10.0.0.1") == .denied)
    }

    @Test func explanationsNameWhoAndWhy() throws {
        var rig = try rig([
            put(server), put(client), put(policy("evil", .deny, .namespaces("shop"))),
            put(policy("trial", .deny, dryRun: true, .ports(80))),
            put(policy("allowed", .allow, dryRun: true, .ports(443))),
        ])
        let query = AuthorizationQuery(
            source: client.addresses[0], destination: server.addresses[0], port: 80)
        let told = rig.dataplane.explain(query)
        #expect(told.sourceWorkload == client.uid && told.principal == "cluster.local/ns/shop/sa/client")
        #expect(told.destinationWorkload == "web/server")
        #expect(told.policies.map(\.name) == ["allowed", "evil", "trial"])
        #expect(!told.isAllowed && told.reason == "AuthorizationPolicy web/evil denies it")
        #expect(told.trialDenials.map(\.name) == ["trial", "allowed"])
        var elsewhere = query
        elsewhere.destination = client.addresses[0]
        #expect(rig.dataplane.explain(elsewhere).isAllowed)
        #expect(rig.dataplane.decide(elsewhere) == nil)
        rig.maps.destinations.setFault(.from(1))
        rig.apply([put(policy("evil", .allow, .ports(80)))])
        // What counts is what the maps say.
        #expect(rig.dataplane.decide(query)?.reason == .denied(by: PolicyKey(namespace: "web", name: "evil")))
        rig.maps.destinations.setFault(nil)
        rig.dataplane.tend()
        #expect(
            rig.dataplane.decide(query)?.reason == .allowed(by: PolicyKey(namespace: "web", name: "evil")))
    }

    @Test func differencesAreFound() throws {
        let rig = try rig([
            put(server), put(client), put(policy("p", .deny, .namespaces("shop"), .ports(80))),
            put(policy("q", .deny, .sources(["10.0.0.0/8"]))),
        ])
        for key in try rig.maps.bits.contents().entries.keys { try rig.maps.bits.remove([key]) }
        for key in try rig.maps.prefixes.contents().entries.keys {
            try rig.maps.prefixes.upsert([MapEntry(key, TermVector())])
        }
        rig.maps.sources.damage(AuthzAddressKey(client.addresses[0]))
        try rig.maps.policies.upsert([MapEntry(AuthzIDKey(99), AuthzPolicyValue())])
        let differences = try rig.dataplane.verify().map { "\($0)" }
        #expect(differences.count == 5)
        for text in [
            "namespace shop]: wanted terms [0, 1, 2]", "port 80", "source 10.0.0.0 of 168 bits",
            "km_authz_source[10.0.0.2]: wanted cluster.local/ns/shop/sa/client, found damaged",
            "unknown policy 99",
        ] {
            #expect(differences.contains { $0.contains(text) }, "\(text) in \(differences)")
        }
    }
}
