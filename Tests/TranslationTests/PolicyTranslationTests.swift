// Which policies protect what: scopes, selectors, targets, and what is warned of.
import KmeshKit
import Testing

extension Kubernetes.Object {
    static func aPolicy(
        _ name: String = "p", in namespace: String = "default", selecting selector: Kubernetes.Labels? = nil,
        _ change: (inout Kubernetes.AuthorizationPolicy) -> Void = { _ in }
    ) -> Kubernetes.Object {
        var policy = Kubernetes.AuthorizationPolicy(namespace: namespace, name: name, selector: selector)
        change(&policy)
        return .authorizationPolicy(policy)
    }

    static func aPolicy(
        _ name: String = "p", in namespace: String = "default",
        for targets: [Kubernetes.AuthorizationPolicy.Target]
    ) -> Kubernetes.Object {
        aPolicy(name, in: namespace) { $0.targets = targets }
    }
}

extension MeshState {
    func policy(
        _ name: String = "p", in namespace: String = "default", _ kind: PolicyKey.Kind = .authorization
    ) -> AuthorizationPolicy? {
        let key = PolicyKey(kind, namespace: namespace, name: name)
        guard case .policy(let policy) = resources[.policy(key)] else { return nil }
        return policy
    }

    /// Policies that workloads name and that would not be enforced.
    var missingPolicies: [PolicyKey] {
        resources.values.flatMap { resource -> [PolicyKey] in
            guard case .workload(let workload) = resource else { return [] }
            return workload.policies.filter { key in
                guard case .policy(let policy)? = resources[.policy(key)] else { return true }
                return policy.scope != .workloads
            }
        }
    }

    /// `namespace/name` of the policies that a pod names; `nil` without such a pod.
    func policies(of pod: String, in namespace: String = "default") -> [String]? {
        workload("Pod/\(namespace)/\(pod)")?.policies.map { "\($0.namespace)/\($0.name)" }
    }
}

func key(
    _ kind: Kubernetes.Kind, _ name: String, in namespace: String = "default"
) -> Kubernetes.ObjectKey {
    Kubernetes.ObjectKey(kind, namespace: kind.isNamespaced ? namespace : "", name: name)
}

private func port(_ number: UInt16) -> PolicyRule {
    var match = PolicyMatch()
    match.destinationPorts.any = [number]
    return PolicyRule(clauses: [[match]])
}

private func method(_ name: String) -> PolicyMatch {
    var match = PolicyMatch()
    match.request = RequestMatch()
    match.request?.methods.any = [.exact(name)]
    return match
}

@Suite struct PolicyTranslationTests {
    private let web: Kubernetes.Labels = ["app": "web"]

    // MARK: Workloads

    @Test func scopesFollowFromNamespaceAndSelector() throws {
        let rules = [port(80), PolicyRule()]
        let mesh = try Mesh([
            .aPolicy("a", in: "istio-system") { $0.rules = rules },
            .aPolicy("b", in: "istio-system", selecting: web), .aPolicy("c") { $0.isDryRun = true },
            .aPolicy("d", selecting: web) { $0.action = .deny },
        ])
        let all = mesh.state.policy("a", in: "istio-system")
        #expect(all?.scope == .mesh && all?.rules == rules && all?.action == .allow && all?.isDryRun == false)
        #expect(mesh.state.policy("b", in: "istio-system")?.scope == .workloads)
        #expect(mesh.state.policy("c")?.scope == .namespace && mesh.state.policy("c")?.isDryRun == true)
        #expect(mesh.state.policy("d")?.scope == .workloads && mesh.state.policy("d")?.action == .deny)
        #expect(mesh.state.resources.count == 4 && mesh.translator.objectCount == 4)
    }

    @Test func theRootNamespaceIsOneOfChoice() throws {
        var mesh = Mesh(translator: MeshTranslator(rootNamespace: "root"))
        try mesh.put([.aPolicy("a", in: "root"), .aPolicy("b", in: "istio-system")])
        #expect(mesh.state.policy("a", in: "root")?.scope == .mesh)
        #expect(mesh.state.policy("b", in: "istio-system")?.scope == .namespace)
    }

    @Test func workloadsNameThePoliciesThatSelectThem() throws {
        var mesh = try Mesh([
            .aPod(), .aPod("web-2", at: ["10.0.0.2"]), .aPod("api", at: ["10.0.0.3"], labels: ["app": "api"]),
        ])
        let first = try mesh.put([.aPolicy(selecting: web), .aPolicy("b", selecting: web), .aPolicy("c")])
        #expect(first.changes.count == 5)
        #expect(mesh.state.policies(of: "web-1") == ["default/b", "default/p"])
        #expect(mesh.state.policies(of: "web-2") == ["default/b", "default/p"])
        #expect(mesh.state.policies(of: "api") == [])
        // Both ways of coming to fit: the workload's labels, and the policy's selector.
        try mesh.put([.aPod("api", at: ["10.0.0.3"]), .aPod("new", at: ["10.0.0.4"])])
        #expect(mesh.state.policies(of: "api") == ["default/b", "default/p"])
        #expect(mesh.state.policies(of: "new") == ["default/b", "default/p"])
        try mesh.put([.aPod("api", at: ["10.0.0.3"], labels: ["app": "api"])])
        #expect(mesh.state.policies(of: "api") == [])
        let moved = try mesh.put([.aPolicy(selecting: ["app": "api"])])
        // It picks by labels as before, so that only workloads are told.
        #expect(moved.changes.count == 4)
        #expect(mesh.state.policies(of: "api") == ["default/p"])
        #expect(mesh.state.policies(of: "web-1") == ["default/b"])
        let widened = try mesh.put([.aPolicy()])
        #expect(widened.changes.count == 2 && mesh.state.policy()?.scope == .namespace)
        #expect(mesh.state.policies(of: "api") == [])
    }

    @Test func selectorsAskForAllLabels() throws {
        let both: Kubernetes.Labels = ["app": "web", "version": "v1"]
        var mesh = try Mesh([
            .aPolicy(selecting: both), .aPod(labels: both), .aPod("web-2", at: ["10.0.0.2"]),
            .aPod("web-3", at: ["10.0.0.3"], labels: ["app": "web", "version": "v2", "x": "y"]),
        ])
        #expect(mesh.state.policies(of: "web-1") == ["default/p"])
        #expect(mesh.state.policies(of: "web-2") == [] && mesh.state.policies(of: "web-3") == [])
        try mesh.put([.aPolicy(selecting: web)])
        #expect(["web-1", "web-2", "web-3"].allSatisfy { mesh.state.policies(of: $0) == ["default/p"] })
    }

    @Test func selectorsOfTheRootNamespacePickInAll() throws {
        var mesh = try Mesh([
            .aPod(), .aPod("other", at: ["10.0.0.2"]) { $0.namespace = "other" },
            .aPod("api", at: ["10.0.0.3"], labels: ["app": "api"]),
        ])
        try mesh.put([.aPolicy("r", in: "istio-system", selecting: web), .aPolicy(selecting: web)])
        #expect(mesh.state.policies(of: "web-1") == ["default/p", "istio-system/r"])
        #expect(mesh.state.policies(of: "other", in: "other") == ["istio-system/r"])
        #expect(mesh.state.policies(of: "api") == [])
        try mesh.put([.aPod("late", at: ["10.0.0.4"]) { $0.namespace = "istio-system" }])
        #expect(mesh.state.policies(of: "late", in: "istio-system") == ["istio-system/r"])
        try mesh.put([], removing: [key(.authorizationPolicy, "r", in: "istio-system")])
        #expect(mesh.state.policies(of: "web-1") == ["default/p"])
        #expect(mesh.state.policies(of: "late", in: "istio-system") == [])
    }

    @Test func onlyWhatChangesIsEmitted() throws {
        var mesh = try Mesh([.aPod(), .aPolicy(selecting: web), .aPolicy("q", selecting: ["app": "api"])])
        var changes = try mesh.put([.aPolicy(selecting: web) { $0.rules = [port(80)] }]).changes
        #expect(changes.map(\.name) == [.policy(PolicyKey(namespace: "default", name: "p"))])
        changes = try mesh.put([.aPolicy("q", selecting: ["app": "db"])]).changes
        #expect(changes.isEmpty)
        changes = try mesh.put([.aPolicy("q", selecting: ["app": "db"]) { $0.notices = ["x"] }]).changes
        #expect(changes.isEmpty)
        changes = try mesh.put([], removing: [key(.authorizationPolicy, "q")]).changes
        #expect(changes.map(\.name) == [.policy(PolicyKey(namespace: "default", name: "q"))])
        changes = try mesh.put([], removing: [key(.authorizationPolicy, "p")]).changes
        #expect(changes.count == 2 && mesh.state.policies(of: "web-1") == [])
        #expect(mesh.translator.objectCount == 1)
    }

    @Test func groupsThatEndAreForgotten() throws {
        var mesh = try Mesh([.aPolicy(selecting: web), .aPod()])
        try mesh.put([], removing: [key(.pod, "web-1")])
        try mesh.put([.aPod("api", labels: ["app": "api"])])
        try mesh.put([.aPolicy(selecting: ["app": "api"])])
        #expect(mesh.state.policies(of: "api") == ["default/p"])
        try mesh.put([.aPod()], removing: [key(.pod, "api"), key(.authorizationPolicy, "p")])
        #expect(mesh.state.policies(of: "web-1") == [] && mesh.state.resources.count == 1)
    }

    @Test func whoAWorkloadIsIsEmitted() throws {
        var mesh = try Mesh([
            .aPod {
                $0.serviceAccount = "web"
                $0.probePorts = [80, 90]
            },
            .aPod("host", at: ["10.0.0.2"]) { $0.usesHostNetwork = true },
        ])
        let pod = try #require(mesh.state.workload("Pod/default/web-1"))
        #expect(pod.identity?.principal == "cluster.local/ns/default/sa/web")
        #expect(pod.probePorts == [80, 90] && !pod.sharesAddresses)
        let host = try #require(mesh.state.workload("Pod/default/host"))
        #expect(host.sharesAddresses && host.serviceAccount == "default" && host.probePorts.isEmpty)
        try mesh.put([.aPod { $0.serviceAccount = "other" }, .aPod("host", at: ["10.0.0.2"])])
        #expect(mesh.state.workload("Pod/default/web-1")?.serviceAccount == "other")
        #expect(mesh.state.workload("Pod/default/web-1")?.probePorts == [])
        #expect(mesh.state.workload("Pod/default/host")?.sharesAddresses == false)
        var entry = Kubernetes.WorkloadEntry(
            namespace: "default", name: "vm", labels: web, address: try address("10.9.0.1"))
        entry.serviceAccount = "vm"
        var endpoint = Kubernetes.ServiceEntry.Endpoint(address: try address("10.9.0.2"))
        endpoint.serviceAccount = "out"
        let service = Kubernetes.ServiceEntry(
            namespace: "default", name: "e", hosts: ["e.example.com"], addresses: [try address("192.0.2.1")],
            ports: [Kubernetes.Port(port: 80)], endpoints: [endpoint])
        try mesh.put([.workloadEntry(entry), .serviceEntry(service), .aPolicy(selecting: web)])
        let machine = mesh.state.workload("WorkloadEntry/default/vm")
        #expect(machine?.serviceAccount == "vm" && machine?.policies.map(\.name) == ["p"])
        #expect(mesh.state.workload("ServiceEntry/default/e/10.9.0.2")?.serviceAccount == "out")
    }

    @Test func aRefusedStepChangesNothing() throws {
        var mesh = try Mesh([
            .aService(), .aPod(), .aPolicy(selecting: web),
            .aPolicy("q", for: [.object(key(.service, "web"))]),
        ])
        let before = mesh.state
        let clash = try Kubernetes.Object.aService("clash")
        let steps: [([Kubernetes.Object], [Kubernetes.ObjectKey])] = [
            ([.aPolicy(selecting: ["app": "api"])], []), ([.aPolicy(), .aPolicy("new", selecting: web)], []),
            ([.aPolicy("q", for: [.gatewayClass("istio-waypoint")])], []),
            ([], [key(.authorizationPolicy, "p"), key(.authorizationPolicy, "q")]),
            ([try .aPod(labels: ["app": "api"])], [key(.authorizationPolicy, "p")]),
        ]
        for (objects, removed) in steps {
            #expect(throws: TranslationError.self) { try mesh.put(objects + [clash], removing: removed) }
            #expect(mesh.state == before && mesh.translator.objectCount == 4)
            #expect(mesh.translator.origin(of: key(.authorizationPolicy, "new")) == nil)
        }
        // What was put back is whole: the index finds it, and the next step nothing to change.
        #expect(try mesh.put([.aPolicy(selecting: web)]).changes.isEmpty)
        try mesh.put([.aPod("web-2", at: ["10.0.0.2"])])
        #expect(mesh.state.policies(of: "web-2") == ["default/p"])
        try mesh.put([], removing: [key(.service, "web")])
        #expect(mesh.state.policy("q")?.scope == .targets([]))
    }

    // MARK: Requests

    @Test func whatConnectionsCannotShowIsWarnedOf() throws {
        var remote = PolicyMatch()
        remote.request = RequestMatch()
        remote.request?.remoteBlocks.any = [try #require(IPBlock("10.0.0.0/8"))]
        remote.request?.absent.none = ["connection.sni"]
        remote.request?.headers = [.init(name: "x", values: Patterns(any: [.present]))]
        let both = PolicyRule(clauses: [[method("GET")], [remote]])
        let names = "(connection.sni, methods, remote.ip, request.headers[x])"
        let allow =
            "asks for what no connection shows \(names): the rules that do never match, and more is denied"
        let mixed = "asks for what no connection shows \(names): it is enforced without that, and denies more"
        let none = "asks in all its rules for what no connection shows \(names): it has no effect"
        var partly = method("GET")
        partly.destinationPorts.any = [80]
        partly.request?.remoteBlocks = remote.request?.remoteBlocks ?? Patterns()
        partly.request?.absent = remote.request?.absent ?? Patterns()
        partly.request?.headers = remote.request?.headers ?? []
        let cases: [(PolicyAction, [PolicyRule], String?)] = [
            (.allow, [both, port(80)], allow), (.allow, [port(80), PolicyRule()], nil),
            (.deny, [port(80)], nil), (.deny, [both], none), (.deny, [both, port(80)], mixed),
            (.deny, [both, PolicyRule()], mixed), (.deny, [PolicyRule(clauses: [[partly]])], mixed),
            // One clause that nothing is left of is enough for a rule to have no effect.
            (.deny, [PolicyRule(clauses: [[partly], [method("GET")]])], none),
        ]
        for (action, rules, message) in cases {
            for (namespace, selector) in [("default", web), ("default", nil), ("istio-system", nil)] {
                var mesh = try Mesh()
                let change: (inout Kubernetes.AuthorizationPolicy) -> Void = {
                    $0.action = action
                    $0.rules = rules
                }
                let warnings = try mesh.put([.aPolicy(in: namespace, selecting: selector, change)]).warnings
                #expect(warnings.count == (message == nil ? 0 : 1), "\(action) \(rules)")
                if let message, let warning = warnings.first {
                    #expect(warning.message.hasPrefix(message), "\(warning.message)")
                    #expect(
                        warning.message.hasSuffix(
                            "; name a Service in targetRefs, whose waypoint sees requests"))
                    #expect(warning.object == key(.authorizationPolicy, "p", in: namespace))
                }
            }
        }
        // A waypoint sees them.
        var mesh = try Mesh([.aService { $0.waypoint = .gateway(name: "waypoint", namespace: nil) }])
        let warnings = try mesh.put([
            .aPolicy {
                $0.rules = [both]
                $0.targets = [.gatewayClass("x")]
            }
        ]).warnings
        #expect(warnings.map { $0.message.contains("no connection") } == [false])
    }

    @Test func noticesAreWarnings() throws {
        var mesh = try Mesh()
        let policy = Kubernetes.Object.aPolicy { $0.notices = ["rule 0: notice"] }
        #expect(
            try mesh.put([policy]).warnings.map(\.description) == [
                "AuthorizationPolicy default/p rule 0: notice"
            ])
        // Once, until the object changes.
        #expect(try mesh.put([policy, .aPod()]).warnings.isEmpty)
        #expect(try mesh.put([.aPolicy { $0.notices = ["rule 0: other"] }]).warnings.count == 1)
    }
}

@Suite struct PolicyTargetTests {
    private func waypoint() throws -> [Kubernetes.Object] {
        [
            .gateway(.init(namespace: "default", name: "waypoint", className: "istio-waypoint")),
            try .aService("waypoint", at: ["172.16.9.9"], ports: [.init(port: 15008)]),
        ]
    }

    private func behindWaypoint(_ service: inout Kubernetes.Service) {
        service.waypoint = .gateway(name: "waypoint", namespace: nil)
    }

    private let webTarget = PolicyTarget.service(
        ServiceKey(namespace: "default", hostname: "web.default.svc.cluster.local"))

    @Test func aServicesPolicyNeedsAWaypoint() throws {
        var mesh = try Mesh([.aPod()])
        var step = try mesh.put([.aPolicy(for: [.object(key(.service, "web"))])])
        #expect(
            step.warnings.map(\.description) == [
                "AuthorizationPolicy default/p is not enforced for Service default/web: "
                    + "there is no such Service"
            ])
        #expect(mesh.state.policy()?.scope == .targets([]))
        step = try mesh.put([.aService()])
        #expect(
            step.warnings.map(\.message) == [
                "is not enforced for Service default/web: it has no waypoint: label it istio.io/use-waypoint"
            ])
        #expect(mesh.state.policy()?.scope == .targets([webTarget]))
        // What is wrong stays so, and is not told again.
        #expect(try mesh.put([.aService { $0.affinityTimeout = 5 }]).warnings.isEmpty)
        step = try mesh.put(try waypoint() + [.aService("web", behindWaypoint)])
        #expect(step.warnings.isEmpty && mesh.state.service("web")?.waypoint != nil)
        step = try mesh.put([], removing: [key(.gateway, "waypoint")])
        #expect(step.warnings.count { $0.message.contains("it has no waypoint") } == 1)
        #expect(try mesh.put(waypoint()).warnings.isEmpty)
        // A policy that comes again is looked at again.
        step = try mesh.put([], removing: [key(.service, "waypoint"), key(.authorizationPolicy, "p")])
        #expect(step.warnings.allSatisfy { $0.object.kind != .authorizationPolicy })
        #expect(mesh.state.policy() == nil && mesh.state.policies(of: "web-1") == [])
    }

    @Test func aNamespacesWaypointCounts() throws {
        var mesh = try Mesh(waypoint() + [.aService(), .aPolicy(for: [.object(key(.service, "web"))])])
        let namespace = Kubernetes.Namespace(
            name: "default", labels: ["istio.io/use-waypoint": "waypoint"])
        #expect(try mesh.put([.namespace(namespace)]).warnings.isEmpty)
        let step = try mesh.put([], removing: [key(.namespace, "default")])
        #expect(step.warnings.map(\.object.kind) == [.authorizationPolicy])
    }

    @Test func everyKindOfTargetIsResolved() throws {
        var mesh = try Mesh([.aService()])
        func scope(
            _ target: Kubernetes.AuthorizationPolicy.Target, in namespace: String = "default"
        ) throws -> (PolicyScope?, String?) {
            let step = try mesh.put([.aPolicy(in: namespace, for: [target])])
            let scope = mesh.state.policy(in: namespace)?.scope
            try mesh.put([], removing: [key(.authorizationPolicy, "p", in: namespace)])
            return (scope, step.warnings.first?.message)
        }
        var (found, problem) = try scope(.gatewayClass("istio-waypoint"), in: "istio-system")
        #expect(found == .targets([.waypoints]) && problem == nil)
        (found, problem) = try scope(.gatewayClass("nginx"), in: "istio-system")
        #expect(
            found == .targets([]) && problem?.contains("it is no class of waypoints: name istio-") == true)
        (found, problem) = try scope(.gatewayClass("istio-waypoint"))
        #expect(found == .targets([]) && problem?.contains("must be in the root namespace, istio-s") == true)
        (found, problem) = try scope(.object(key(.gateway, "g")))
        #expect(found == .targets([]) && problem?.contains("Gateway default/g: there is no such") == true)
        try mesh.put([.aGateway([])])
        (found, problem) = try scope(.object(key(.gateway, "g")))
        #expect(found == .targets([.gateway(namespace: "default", name: "g")]) && problem == nil)
        var entry = Kubernetes.ServiceEntry(
            namespace: "default", name: "e", hosts: ["e.example.com"], addresses: [try address("192.0.2.1")],
            ports: [Kubernetes.Port(port: 80)], resolution: .dns)
        try mesh.put([.serviceEntry(entry)])
        (found, problem) = try scope(.object(key(.serviceEntry, "e")))
        #expect(found == .targets([]) && problem?.contains("it is not steered") == true)
        entry.resolution = .fixed
        try mesh.put([.serviceEntry(entry)])
        (found, problem) = try scope(.object(key(.serviceEntry, "e")))
        #expect(
            found == .targets([.service(ServiceKey(namespace: "default", hostname: "e.example.com"))]))
        #expect(problem?.contains("it has no waypoint") == true)
    }

    @Test func onlyWhatIsThereIsATarget() throws {
        let targets = ["web", "gone"].map {
            Kubernetes.AuthorizationPolicy.Target.object(key(.service, $0))
        }
        var mesh = try Mesh(waypoint() + [.aService("web", behindWaypoint)])
        let step = try mesh.put([.aPolicy(for: targets)])
        #expect(step.warnings.count == 1 && mesh.state.policy()?.scope == .targets([webTarget]))
        try mesh.put([.aService("gone", at: ["172.16.0.7"])])
        guard case .targets(let both)? = mesh.state.policy()?.scope else {
            Issue.record("no targets")
            return
        }
        #expect(both.count == 2)
    }
}
