// Whose sources must have an identity: levels, age, ports, and what is emitted for each workload.
import KmeshKit
import Testing

private typealias Mode = Kubernetes.PeerAuthentication.Mode

private func peer(
    _ name: String, in namespace: String = "default", _ mode: Mode = .unset, at time: Int64? = nil,
    selecting selector: Kubernetes.Labels? = nil, ports: [UInt16: Mode] = [:]
) -> Kubernetes.Object {
    .peerAuthentication(
        Kubernetes.PeerAuthentication(
            namespace: namespace, name: name, creationTime: time, selector: selector, mode: mode,
            portModes: ports))
}

private let strictName = "istio-system/istio_converted_static_strict"
private let web: Kubernetes.Labels = ["app": "web"]

extension MeshState {
    /// Whether each of two ports of a pod is open to sources without an identity, by the policies it names.
    fileprivate func isOpen(_ pod: String = "web-1", in namespace: String = "default") throws -> [Bool] {
        let workload = try #require(self.workload("Pod/\(namespace)/\(pod)"))
        let policies = try workload.policies.map { key -> AuthorizationPolicy in
            guard case .policy(let policy)? = resources[.policy(key)] else {
                throw MissingPolicy(key: key)
            }
            #expect(policy.scope == .workloads && policy.action == .deny && key.kind == .peerAuthentication)
            return policy
        }
        let destination = try #require(workload.addresses.first)
        func isAllowed(_ port: UInt16, _ identity: WorkloadIdentity?) throws -> Bool {
            let connection = PolicyConnection(
                source: try address("10.9.9.9"), identity: identity, destination: destination, port: port)
            return PolicyEvaluator.decide(policies, on: connection).isAllowed
        }
        for port: UInt16 in [80, 90] {
            // Whoever has an identity comes in everywhere.
            #expect(try isAllowed(port, WorkloadIdentity(namespace: "x", serviceAccount: "y")))
        }
        return [try isAllowed(80, nil), try isAllowed(90, nil)]
    }
}

/// A policy that a workload names and that was not emitted: it would not be enforced.
private struct MissingPolicy: Error {
    var key: PolicyKey
}

@Suite struct PeerAuthenticationTranslationTests {
    private func mesh(_ objects: [Kubernetes.Object]) throws -> Mesh { try Mesh([.aPod()] + objects) }

    // MARK: Levels

    /// Every combination of the modes of the mesh, the namespace, the workload and one of its ports.
    @Test func theNarrowestLevelThatIsSetCounts() throws {
        let modes: [Mode?] = [nil, .unset, .disable, .permissive, .strict]
        for meshMode in modes {
            for namespaceMode in modes {
                for workloadMode in modes {
                    for portMode in workloadMode == nil ? [nil] : modes {
                        var objects: [Kubernetes.Object] = []
                        if let meshMode { objects.append(peer("mesh", in: "istio-system", meshMode)) }
                        if let namespaceMode { objects.append(peer("namespace", namespaceMode)) }
                        if let workloadMode {
                            let ports = portMode.map { [UInt16(80): $0] } ?? [:]
                            objects.append(peer("workload", workloadMode, selecting: web, ports: ports))
                        }
                        let levels = [workloadMode, namespaceMode, meshMode].compactMap(\.self)
                        let other = levels.first { $0 != .unset } ?? .permissive
                        let own = portMode == .unset ? other : portMode ?? other
                        let open = try mesh(objects).state.isOpen()
                        #expect(
                            open == [own != .strict, other != .strict],
                            "\([meshMode, namespaceMode, workloadMode, portMode])")
                    }
                }
            }
        }
    }

    @Test func aStrictLevelIsOnePolicyForAll() throws {
        var mesh = try mesh([.aPod("api", at: ["10.0.0.2"], labels: ["app": "api"])])
        #expect(mesh.state.policies(of: "web-1") == [])
        var step = try mesh.put([peer("mesh", in: "istio-system", .strict)])
        #expect(step.changes.count == 3 && step.warnings.isEmpty)
        #expect(
            mesh.state.policies(of: "web-1") == [strictName] && mesh.state.policies(of: "api") == [strictName]
        )
        try mesh.put([.aPod("late", at: ["10.0.0.3"]) { $0.namespace = "new" }])
        #expect(mesh.state.policies(of: "late", in: "new") == [strictName])
        // A namespace of its own mind, and one workload of its own.
        step = try mesh.put([peer("own", .permissive), peer("api", .strict, selecting: ["app": "api"])])
        #expect(step.changes.count == 1 && mesh.state.policies(of: "web-1") == [])
        #expect(mesh.state.policies(of: "api") == [strictName])
        step = try mesh.put([peer("own", .unset)])
        #expect(step.changes.count == 1 && mesh.state.policies(of: "web-1") == [strictName])
        // Without any peer authentication, there is no policy.
        step = try mesh.put(
            [],
            removing: [
                key(.peerAuthentication, "mesh", in: "istio-system"), key(.peerAuthentication, "own"),
                key(.peerAuthentication, "api"),
            ])
        #expect(step.changes.count == 4 && mesh.state.policies(of: "api") == [])
        #expect(mesh.state.resources.count == 3 && mesh.translator.objectCount == 3)
    }

    @Test func aLevelThatChangesNothingEmitsNothing() throws {
        var mesh = try mesh([peer("mesh", in: "istio-system", .strict), peer("namespace", .strict)])
        #expect(try mesh.put([peer("mesh", in: "istio-system", .permissive)]).changes.isEmpty)
        #expect(try mesh.put([peer("workload", .strict, selecting: web)]).changes.isEmpty)
        #expect(try mesh.put([peer("workload", .unset, selecting: web)]).changes.isEmpty)
        #expect(try mesh.put([peer("other", .permissive, selecting: ["app": "api"])]).changes.isEmpty)
    }

    @Test func theRootNamespacesOwnWorkloadsFollowTheMesh() throws {
        var mesh = try Mesh([.aPod { $0.namespace = "istio-system" }])
        try mesh.put([peer("mesh", in: "istio-system", .strict)])
        #expect(mesh.state.policies(of: "web-1", in: "istio-system") == [strictName])
        let step = try mesh.put([peer("picky", in: "istio-system", .permissive, selecting: web)])
        #expect(step.changes.isEmpty)
        #expect(
            step.warnings.map { $0.message.contains("a peer authentication is for the whole mesh") } == [true]
        )
    }

    // MARK: Age

    @Test func theOldestOfALevelCounts() throws {
        var mesh = try mesh([
            peer("b", .strict, at: 5), peer("a", .permissive, at: 6), peer("c", .permissive),
        ])
        #expect(try mesh.state.isOpen() == [false, false])
        let step = try mesh.put([peer("a", .permissive, at: 4)])
        #expect(try mesh.state.isOpen() == [true, true])
        #expect(
            step.warnings.map(\.description).sorted() == [
                "PeerAuthentication default/b is not in force: PeerAuthentication default/a is older and for "
                    + "the same workloads; remove one of them",
                "PeerAuthentication default/c is not in force: PeerAuthentication default/a is older and for "
                    + "the same workloads; remove one of them",
            ])
        // Of two of an age, the first name.
        try mesh.put([peer("b", .strict, at: 4), peer("c", .strict, at: 4)])
        #expect(try mesh.state.isOpen() == [true, true])
        try mesh.put([], removing: [key(.peerAuthentication, "a")])
        #expect(try mesh.state.isOpen() == [false, false])
        // The oldest one counts even when it leaves the matter to the mesh.
        try mesh.put([peer("z", .unset, at: 1)])
        #expect(try mesh.state.isOpen() == [true, true])
    }

    @Test func theOldestOfAWorkloadCounts() throws {
        var mesh = try mesh([
            peer("b", .strict, at: 5, selecting: web), peer("a", .permissive, at: 6, selecting: web),
        ])
        #expect(try mesh.state.isOpen() == [false, false])
        try mesh.put([peer("a", .permissive, at: 4, selecting: web)])
        #expect(try mesh.state.isOpen() == [true, true])
        try mesh.put([peer("a", .permissive, at: 4, selecting: ["app": "api"])])
        #expect(try mesh.state.isOpen() == [false, false])
        try mesh.put([.aPod(labels: ["app": "api"])])
        #expect(try mesh.state.isOpen() == [true, true])
    }

    // MARK: Ports

    @Test func portsOfOtherModesHaveAPolicyOfTheirOwn() throws {
        let name = "converted_peer_authentication_p"
        var mesh = try mesh([peer("p", .permissive, selecting: web, ports: [90: .strict, 80: .disable])])
        #expect(mesh.state.policies(of: "web-1") == ["default/\(name)"])
        let open = try #require(mesh.state.policy(name, .peerAuthentication))
        #expect(open.rules.count == 1 && open.rules[0].clauses.count == 1)
        #expect(open.rules[0].clauses[0][0].destinationPorts == Patterns(any: [90]))
        #expect(open.rules[0].clauses[0][0].principals == Patterns(none: [.present]))
        try mesh.put([
            peer("p", .strict, selecting: web, ports: [90: .strict, 80: .disable, 81: .permissive])
        ])
        let strict = try #require(mesh.state.policy(name, .peerAuthentication))
        #expect(mesh.state.policies(of: "web-1") == ["default/\(name)"] && strict.rules.count == 1)
        #expect(strict.rules[0].clauses.map { $0[0].destinationPorts.none } == [[], [80], [81]])
        // With all ports alike it is an ordinary one.
        try mesh.put([peer("p", .strict, selecting: web, ports: [90: .strict, 80: .unset])])
        #expect(mesh.state.policy(name, .peerAuthentication) == nil)
        #expect(mesh.state.policies(of: "web-1") == [strictName])
        try mesh.put([peer("p", .permissive, selecting: web, ports: [90: .permissive])])
        #expect(mesh.state.policies(of: "web-1") == [])
    }

    @Test func inheritedModesReachThePorts() throws {
        var mesh = try mesh([peer("p", selecting: web, ports: [80: .permissive, 90: .strict])])
        #expect(try mesh.state.isOpen() == [true, false])
        for (namespace, mode, open) in [
            ("istio-system", Mode.strict, [true, false]), ("default", .permissive, [true, false]),
            ("default", .unset, [true, false]), ("istio-system", .permissive, [true, false]),
        ] {
            try mesh.put([peer("level", in: namespace, mode)])
            #expect(try mesh.state.isOpen() == open, "\(namespace) \(mode)")
        }
        // The ports are the same throughout, but not what every other port is.
        let rules = mesh.state.policy("converted_peer_authentication_p", .peerAuthentication)?.rules
        try mesh.put([peer("level", in: "default", .strict)])
        #expect(mesh.state.policy("converted_peer_authentication_p", .peerAuthentication)?.rules != rules)
    }

    @Test func bothKindsOfPoliciesAreNamed() throws {
        let mesh = try mesh([
            .aPolicy("istio", in: "istio-system", selecting: web), .aPolicy("a", selecting: web),
            peer("p", .strict),
        ])
        #expect(
            mesh.state.policies(of: "web-1") == ["default/a", "istio-system/istio", strictName])
    }

    @Test func aRefusedStepChangesNothing() throws {
        var mesh = try mesh([
            .aService(), peer("mesh", in: "istio-system", .strict), peer("own", .permissive, at: 3),
            peer("p", .strict, selecting: web, ports: [80: .permissive]),
        ])
        let before = mesh.state
        let clash = try Kubernetes.Object.aService("clash")
        let steps: [([Kubernetes.Object], [Kubernetes.ObjectKey])] = [
            ([peer("mesh", in: "istio-system", .disable), peer("older", .strict, at: 1)], []),
            ([peer("p", .unset, selecting: ["app": "api"])], [key(.peerAuthentication, "own")]),
            ([], [key(.peerAuthentication, "own"), key(.peerAuthentication, "p")]),
            ([], [key(.peerAuthentication, "mesh", in: "istio-system"), key(.pod, "web-1")]),
        ]
        for (objects, removed) in steps {
            #expect(throws: TranslationError.self) { try mesh.put(objects + [clash], removing: removed) }
            #expect(mesh.state == before && mesh.translator.objectCount == 5)
        }
        #expect(
            try mesh.put([peer("mesh", in: "istio-system", .strict), peer("own", .permissive, at: 3)])
                .changes.isEmpty)
        try mesh.put([
            .aPod("web-2", at: ["10.0.0.2"]), .aPod("api", at: ["10.0.0.3"], labels: ["app": "api"]),
        ])
        #expect(try mesh.state.isOpen("web-2") == [true, false] && mesh.state.isOpen("api") == [true, true])
    }
}
