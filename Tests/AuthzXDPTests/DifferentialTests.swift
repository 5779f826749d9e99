import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// The maps say what the policies say.
@Suite(.serialized) struct DifferentialTests {
    @Test(arguments: 1...60) func theMapsDecideAsThePolicies(seed: UInt64) throws {
        var random = RandomPolicies(seed: seed)
        let mesh = random.mesh(policies: random.number(1...25), workloads: 12)
        var rig = Rig()
        let update = try rig.load(mesh)
        #expect(update.rejected.isEmpty)
        #expect(rig.dataplane.stall == nil)
        #expect(try rig.dataplane.verify() == [])
        for _ in 0..<250 {
            let query = random.query(mesh)
            try compare(rig, mesh, query, "seed \(seed)")
        }
        rig.dataplane.tend()
        #expect(rig.maps.counts == rig.dataplane.entryCounts)
        #expect(!rig.dataplane.hasPendingWrites)
    }

    private func compare(
        _ rig: Rig, _ mesh: Mesh, _ query: AuthorizationQuery, _ place: Comment
    ) throws {
        let expected = mesh.decide(query, sources: mesh)
        let verdict = rig.reader.decide(query)
        try #require(verdict.outcome == mesh.outcome(query, sources: mesh), "\(place) \(query)")
        guard let expected else { return }
        guard case .decided(let reason, let trialDenials, let isTrialNotAllowed) = verdict else { return }
        // Of several policies that decide alike any may be named.
        if case .denied(let id) = reason { try expectDecider(id, rig, mesh, query, place) }
        if case .allowed(let id) = reason { try expectDecider(id, rig, mesh, query, place) }
        let trials = trialDenials.compactMap { rig.dataplane.policy(numbered: $0) }
        let denying = expected.trialDenials.filter { mesh.policies[$0]?.action == .deny }
        let restricting = expected.trialDenials.filter { mesh.policies[$0]?.action == .allow }
        try #require(Set(trials) == Set(denying), place)
        try #require(isTrialNotAllowed == !restricting.isEmpty, place)
        let own = try #require(rig.dataplane.decide(query), place)
        try #require(own.isAllowed == expected.isAllowed, place)
        try #require(Set(own.trialDenials) == Set(expected.trialDenials), place)
    }

    private func expectDecider(
        _ id: UInt32?, _ rig: Rig, _ mesh: Mesh, _ query: AuthorizationQuery, _ place: Comment
    ) throws {
        let key = try #require(id.flatMap { rig.dataplane.policy(numbered: $0) }, place)
        let policy = try #require(mesh.policies[key], place)
        let alone = PolicyEvaluator.decide(
            [policy],
            on: PolicyConnection(
                source: query.source, identity: mesh.identity(of: query.source),
                destination: query.destination, port: query.port))
        let isDecider = alone.reason == .denied(by: key) || alone.reason == .allowed(by: key)
        try #require(isDecider, "\(place): \(key) does not decide on \(query)")
    }
}
