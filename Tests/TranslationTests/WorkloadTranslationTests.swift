import KmeshKit
import Testing

@Suite struct WorkloadTranslationTests {
    @Test func readinessDecidesWhoServes() throws {
        var mesh = try Mesh([
            .aService(), .aService("all", at: ["172.16.0.2"]) { $0.publishesNotReady = true },
            .aPod("ready", at: ["10.0.0.1"]),
            .aPod("unready", at: ["10.0.0.2"]) { $0.isReady = false },
            .aPod("leaving", at: ["10.0.0.3"]) { $0.isTerminating = true },
            .aPod("broken", at: ["10.0.0.4"]) {
                $0.isTerminating = true; $0.isReady = false
            },
            .aPod("done", at: ["10.0.0.5"]) { $0.isFinished = true },
            .aPod("pending", at: []),
            .aPod("other", at: ["10.0.0.6"], labels: ["app": "other"]),
        ])
        #expect(
            mesh.state.endpoints(of: "web") == [
                "Pod/default/leaving 80→8080 terminating", "Pod/default/ready 80→8080",
            ])
        #expect(mesh.state.endpoints(of: "all").count == 4)
        #expect(mesh.state.workload("Pod/default/done") == nil)
        #expect(mesh.state.workload("Pod/default/pending") == nil)
        #expect(mesh.state.workload("Pod/default/other")?.memberships == [])
        let translation = try mesh.put([.aPod("unready", at: ["10.0.0.2"])])
        #expect(translation.changes.count == 1)
        #expect(mesh.state.endpoints(of: "web").count == 3)
    }

    @Test func placesComeFromNodesThatMayComeLater() throws {
        var mesh = try Mesh([
            .aService(), .aPod("a", at: ["10.0.0.1"]) { $0.node = "n1" },
            .aPod("b", at: ["10.0.0.2"]) { $0.node = "n2" },
        ])
        #expect(mesh.state.workload("Pod/default/a")?.locality == Locality(node: "n1"))
        var translation = try mesh.put([.node(.init(name: "n1", region: "r", zone: "z"))])
        #expect(translation.changes.count == 2)
        #expect(
            mesh.state.workload("Pod/default/a")?.locality == Locality(region: "r", zone: "z", node: "n1"))
        translation = try mesh.put([.node(.init(name: "n1", region: "r", zone: "z"))])
        #expect(translation.changes.isEmpty)
        try mesh.put([], removing: [Kubernetes.ObjectKey(.node, name: "n1")])
        #expect(mesh.state.workload("Pod/default/a")?.locality == Locality(node: "n1"))
    }

    @Test func slicesReplaceTheSelector() throws {
        let ports = [
            Kubernetes.Port(port: 80, name: "http"), Kubernetes.Port(port: 53, transport: .udp, name: "dns"),
        ]
        let pod = Kubernetes.ObjectKey(.pod, namespace: "default", name: "web-1")
        func slice(
            _ endpoints: [Kubernetes.EndpointSlice.Endpoint], _ name: String = "web-a"
        ) -> Kubernetes.Object {
            .endpointSlice(
                .init(
                    namespace: "default", name: name, service: "web",
                    ports: [
                        .init(name: "http", transport: .tcp, number: 8080),
                        .init(name: "dns", transport: .tcp, number: 53),
                    ], endpoints: endpoints))
        }
        var mesh = try Mesh([
            .aService(ports: ports), .aPod(at: ["10.0.0.1", "fd00::1"]), .aPod("web-2", at: ["10.0.0.2"]),
        ])
        #expect(mesh.state.endpoints(of: "web").count == 2)
        // A protocol that the slice has under another name or transport is not served.
        try mesh.put([
            slice([
                .init(addresses: [try address("10.0.0.1")], pod: pod),
                .init(addresses: [try address("10.9.0.1")], health: .terminating, node: "n1", zone: "z9"),
                .init(addresses: [try address("10.9.0.2")], health: nil),
            ])
        ])
        #expect(
            mesh.state.endpoints(of: "web") == [
                "EndpointSlice/default/web-a/10.9.0.1 80→8080 terminating", "Pod/default/web-1 80→8080",
            ])
        #expect(
            mesh.state.workload("EndpointSlice/default/web-a/10.9.0.1")?.locality
                == Locality(zone: "z9", node: "n1"))
        #expect(
            mesh.state.workload("Pod/default/web-1")?.memberships.first?.addresses == [
                try address("10.0.0.1")
            ])
        // The other family's slice completes the pod.
        try mesh.put([slice([.init(addresses: [try address("fd00::1")], pod: pod)], "web-b")])
        #expect(mesh.state.workload("Pod/default/web-1")?.memberships.first?.addresses == [])
        // A pod that goes leaves what the slices say, until they follow.
        try mesh.put([], removing: [pod])
        #expect(mesh.state.endpoints(of: "web").count == 3)
        try mesh.put([.aPod(at: ["10.0.0.1", "fd00::1"])])
        #expect(mesh.state.endpoints(of: "web").count == 2)
        try mesh.put(
            [], removing: ["web-a", "web-b"].map { .init(.endpointSlice, namespace: "default", name: $0) })
        #expect(
            mesh.state.endpoints(of: "web") == [
                "Pod/default/web-1 80→80,53→53", "Pod/default/web-2 80→80,53→53",
            ])
    }

    @Test func oneChangeInALargeMeshIsOneChange() throws {
        var objects: [Kubernetes.Object] = []
        for index in 0..<200 {
            objects.append(
                try .aService("s\(index)", at: ["172.16.1.\(index)"], selector: ["app": "s\(index)"]))
            for replica in 0..<5 {
                objects.append(
                    try .aPod(
                        "s\(index)-\(replica)", at: ["10.\(replica).0.\(index)"], labels: ["app": "s\(index)"]
                    ))
            }
        }
        var mesh = try Mesh(objects)
        let translation = try mesh.put([.aPod("s7-0", at: ["10.0.9.9"], labels: ["app": "s7"])])
        #expect(translation.changes.count == 1)
        #expect(mesh.state.endpoints(of: "s7").count == 5)
        #expect(try mesh.put(objects.filter { $0.key.name != "s7-0" }).changes.isEmpty)
    }

    @Test func theLastOfSeveralChangesCounts() throws {
        var mesh = try Mesh([.aPod()])
        let pod = Kubernetes.ObjectKey(.pod, namespace: "default", name: "web-1")
        let translation = try mesh.translator.apply([
            .remove(pod), .upsert(try .aPod(at: ["10.0.0.7"]), .init()), .upsert(try .aPod(), .init()),
        ])
        #expect(translation.changes.isEmpty)
        #expect(mesh.translator.objectCount == 1)
    }
}
