// Whose traffic goes through which waypoint, by labels of pods, services, namespaces and Gateways.
import KmeshKit
import Testing

@Suite struct WaypointTranslationTests {
    static let reference = WaypointReference(
        service: ServiceKey(namespace: "default", hostname: "waypoint.default.svc.cluster.local"))

    private func gateway(
        _ name: String = "waypoint", for scope: String? = nil, class className: String = "kmesh-waypoint"
    ) -> Kubernetes.Object {
        .gateway(
            Kubernetes.Gateway(
                namespace: "default", name: name, className: className,
                labels: scope.map { ["istio.io/waypoint-for": $0] } ?? [:]))
    }

    private func namespace(_ choice: String?) -> Kubernetes.Object {
        .namespace(.init(name: "default", labels: choice.map { ["istio.io/use-waypoint": $0] } ?? [:]))
    }

    private func proxy(ports: [Kubernetes.Port] = [Kubernetes.Port(port: 15008)]) throws -> Kubernetes.Object
    {
        try .aService("waypoint", at: ["172.16.9.9"], ports: ports, selector: ["app": "waypoint"])
    }

    private func chosen(_ name: String) -> Kubernetes.WaypointChoice {
        name == "none" ? .none : .gateway(name: name, namespace: nil)
    }

    private func choosing(_ name: String, _ labels: Kubernetes.Labels = ["app": "web"]) -> Kubernetes.Labels {
        Kubernetes.Labels(labels.pairs + [.init(key: "istio.io/use-waypoint", value: name)])
    }

    /// A mesh with a waypoint for everything, its pod, a service and a pod of it.
    private func mesh(for scope: String? = "all", _ more: [Kubernetes.Object] = []) throws -> Mesh {
        try Mesh(
            [
                gateway(for: scope), proxy(), .aService(), .aPod(),
                .aPod("waypoint-1", at: ["10.0.9.9"], labels: ["app": "waypoint"]),
            ] + more)
    }

    @Test func aServiceChoosesOrTakesWhatItsNamespaceChooses() throws {
        var mesh = try mesh()
        #expect(mesh.state.service("web")?.waypoint == nil)
        try mesh.put([namespace("waypoint")])
        #expect(mesh.state.service("web")?.waypoint == Self.reference)
        #expect(mesh.state.workload("Pod/default/web-1")?.waypoint == Self.reference)
        try mesh.put([.aService { $0.waypoint = .some(.none) }, .aPod(labels: choosing("none"))])
        #expect(mesh.state.service("web")?.waypoint == nil)
        #expect(mesh.state.workload("Pod/default/web-1")?.waypoint == nil)
        let other = Kubernetes.WaypointChoice.gateway(name: "waypoint", namespace: "default")
        try mesh.put([namespace(nil), .aService { $0.waypoint = other }, .aPod(labels: choosing("waypoint"))])
        #expect(mesh.state.service("web")?.waypoint == Self.reference)
        #expect(mesh.state.workload("Pod/default/web-1")?.waypoint == Self.reference)
    }

    @Test(
        arguments: [
            (nil, true, false), ("service", true, false), ("workload", false, true), ("all", true, true),
            ("none", false, false),
        ] as [(String?, Bool, Bool)])
    func aGatewayIsForServicesOrWorkloads(scope: String?, services: Bool, workloads: Bool) throws {
        let mesh = try mesh(for: scope, [namespace("waypoint")])
        #expect((mesh.state.service("web")?.waypoint != nil) == services)
        #expect((mesh.state.workload("Pod/default/web-1")?.waypoint != nil) == workloads)
    }

    @Test func aWaypointItselfUsesNone() throws {
        let labels = choosing("waypoint", ["app": "waypoint"])
        var mesh = try mesh(
            for: "all",
            [
                namespace("waypoint"),
                .aPod("waypoint-2", at: ["10.0.9.8"], labels: labels) { $0.isReady = false },
            ])
        #expect(mesh.state.service("waypoint")?.waypoint == nil)
        for name in ["waypoint-1", "waypoint-2"] {
            let pod = mesh.state.workload("Pod/default/\(name)")
            #expect(pod?.waypoint == nil && pod?.isWaypoint == true, "\(name)")
        }
        #expect(mesh.state.workload("Pod/default/web-1")?.isWaypoint == false)
        // Without its Gateway it is a service as any other.
        try mesh.put([], removing: [Kubernetes.ObjectKey(.gateway, namespace: "default", name: "waypoint")])
        #expect(mesh.state.workload("Pod/default/waypoint-1")?.isWaypoint == false)
        #expect(mesh.state.service("web")?.waypoint == nil)
    }

    @Test func thePortForMetadataIsAdded() throws {
        var mesh = try mesh()
        func ports() -> [UInt16]? { mesh.state.service("waypoint")?.ports.map(\.port) }
        #expect(ports() == [15008, 15019])
        #expect(mesh.state.endpoints(of: "waypoint") == ["Pod/default/waypoint-1 15008→15008,15019→15019"])
        let declared = Kubernetes.Port(port: 15019, target: .number(9999))
        try mesh.put([proxy(ports: [declared])])
        #expect(mesh.state.endpoints(of: "waypoint") == ["Pod/default/waypoint-1 15019→9999"])
        // A slice lists what is declared only.
        let pod = Kubernetes.ObjectKey(.pod, namespace: "default", name: "waypoint-1")
        let endpoint = Kubernetes.EndpointSlice.Endpoint(addresses: [try address("10.0.9.9")], pod: pod)
        try mesh.put([
            proxy(ports: [Kubernetes.Port(port: 15008, name: "hbone")]),
            .endpointSlice(
                .init(
                    namespace: "default", name: "w", service: "waypoint",
                    ports: [.init(name: "hbone", transport: .tcp, number: 15008)],
                    endpoints: [endpoint, .init(addresses: [try address("10.0.9.7")])])),
        ])
        #expect(
            mesh.state.endpoints(of: "waypoint") == [
                "EndpointSlice/default/w/10.0.9.7 15008→15008,15019→15019",
                "Pod/default/waypoint-1 15008→15008,15019→15019",
            ])
        #expect(mesh.state.workload("EndpointSlice/default/w/10.0.9.7")?.isWaypoint == true)
    }

    @Test func aLabelWithoutEffectIsWarnedOf() throws {
        var mesh = try Mesh([.aPod()])
        var warnings = try mesh.put([.aService { $0.waypoint = .gateway(name: "waypoint", namespace: nil) }])
            .warnings
        #expect(warnings.map(\.object.description) == ["Service default/web"])
        #expect(
            warnings[0].message.contains("there is no Gateway default/waypoint of class istio-waypoint or"))
        warnings = try mesh.put([gateway()]).warnings
        #expect(warnings.map { $0.message.contains("there is no Service default/waypoint") } == [true])
        warnings = try mesh.put([proxy()]).warnings
        #expect(warnings.isEmpty && mesh.state.service("web")?.waypoint == Self.reference)
        warnings = try mesh.put([gateway(class: "nginx")]).warnings
        #expect(warnings.count == 1 && mesh.state.service("web")?.waypoint == nil)
        // One warning for a namespace, and one for replicas.
        warnings = try mesh.put([.aService(), namespace("nowhere")]).warnings
        #expect(warnings.map(\.object.description) == ["Namespace default"])
        let labels = choosing("nowhere")
        warnings = try mesh.put([.aPod(labels: labels), .aPod("web-2", at: ["10.0.0.2"], labels: labels)])
            .warnings
        #expect(warnings.count == 1 && warnings[0].object.kind == .pod)
    }

    @Test func aFamilyThatTheWaypointLacksIsWarnedOf() throws {
        var mesh = try mesh()
        let warnings = try mesh.put([
            .aService(at: ["172.16.0.1", "fd00::1"]) { $0.waypoint = chosen("waypoint") }
        ]).warnings
        #expect(warnings.map { $0.message.contains("has an IPv6 address") } == [true])
        #expect(mesh.state.service("web")?.waypoint == Self.reference)
    }

    @Test func podsThatShareAnAddressHaveNoWaypoint() throws {
        let mesh = try mesh(
            for: "all",
            [
                namespace("waypoint"), .aPod("agent", at: ["10.0.0.7"]) { $0.usesHostNetwork = true },
            ])
        #expect(mesh.state.workload("Pod/default/agent")?.waypoint == nil)
    }

    @Test func aRefusedStepChangesNothing() throws {
        var mesh = try mesh(for: "all", [namespace("waypoint")])
        let before = mesh.state
        let clash = try Kubernetes.Object.aService("clash", at: ["172.16.0.1"])
        #expect(throws: TranslationError.self) {
            try mesh.put([gateway(class: "nginx"), namespace("other"), clash])
        }
        #expect(mesh.state == before)
        // What was put back is whole: the next step finds nothing to change.
        #expect(try mesh.put([gateway(for: "all"), namespace("waypoint")]).changes.isEmpty)
    }
}
