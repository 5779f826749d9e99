import KmeshKit
import KmeshYAML
import Testing

@testable import KmeshSandbox

private let services = """
    kind: Service
    metadata: {name: plain}
    spec: {selector: {app: web}, ports: [{name: a, port: 80, targetPort: http}]}
    ---
    kind: Service
    metadata: {name: both}
    spec: {ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6], selector: {app: web}, ports: [{port: 80}]}
    ---
    kind: Service
    metadata: {name: fixed}
    spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}
    ---
    kind: Service
    metadata: {name: headless}
    spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
    ---
    kind: Service
    metadata: {name: elsewhere}
    spec: {type: ExternalName, externalName: plain.default.svc.cluster.local}
    ---
    kind: Service
    metadata: {name: bare}
    spec: {ports: [{port: 80}]}

    """

@Suite struct MeshDocumentTests {
    private func objects(_ mesh: ResolvedMesh) throws -> [KubernetesObject] {
        try KubernetesObject.read(mesh.document)
    }

    private func addresses(_ objects: [KubernetesObject], _ name: String) -> [String] {
        let service = objects.first { $0.kind == "Service" && $0.name == name }
        return (service?.spec?["clusterIPs"]?.sequence ?? []).compactMap(\.string)
    }

    @Test func servicesGetAddresses() throws {
        let objects = try objects(resolved(services + deployment("web")))
        #expect(addresses(objects, "plain") == ["10.96.0.2"])
        #expect(addresses(objects, "both") == ["fd00:10:96::3", "10.96.0.3"])
        #expect(addresses(objects, "fixed") == ["10.96.0.1"])
        #expect(addresses(objects, "headless") == ["None"])
        #expect(addresses(objects, "elsewhere").isEmpty)
    }

    @Test func oneFamilyAlone() throws {
        let text = services.split(separator: "---").first.map(String.init) ?? ""
        #expect(addresses(try objects(resolved(text, families: [.v6])), "plain") == ["fd00:10:96::1"])
        #expect(throws: SandboxError.self) { _ = try resolved(services, families: [.v4]) }
    }

    @Test func podsAreAsAClusterShowsThem() throws {
        let pod = try #require(try objects(resolved(deployment("web"))).first { $0.kind == "Pod" })
        let status = try #require(pod.node["status"])
        #expect(status["phase"]?.string == "Running")
        #expect(status["podIP"]?.string == "10.244.1.1")
        #expect(status["podIPs"]?[1]?["ip"]?.string == "fd00:10:244::101")
        #expect(status["hostIP"]?.string == "10.244.0.1")
        #expect(status["conditions"]?[0]?["status"]?.string == "True")
        #expect(pod.spec?["nodeName"]?.string == "sandbox")
        #expect(pod.spec?["serviceAccountName"]?.string == "default")
        #expect(pod.node["metadata"]?["labels"]?["app"]?.string == "web")
    }

    @Test func aHostNetworkPodHasItsNodesAddress() throws {
        let mesh = try resolved(deployment("web", pod: "hostNetwork: true"))
        #expect(mesh.pods[0].record.addresses.first?.description == "10.244.0.1")
    }

    @Test func slicesListServingPods() throws {
        var mesh = try resolved(services + deployment("web", replicas: 3))
        func slices(_ mesh: ResolvedMesh, _ service: String) throws -> [KubernetesObject] {
            try objects(mesh).filter {
                $0.kind == "EndpointSlice"
                    && $0.node["metadata"]?["labels"]?["kubernetes.io/service-name"]?.string == service
            }
        }
        let plain = try slices(mesh, "plain")
        #expect(plain.map { $0.node["addressType"]?.string } == ["IPv4"])
        #expect(plain[0].node["ports"]?[0]?["port"]?.int == 8080)
        #expect(plain[0].node["endpoints"]?.sequence?.count == 3)
        #expect(plain[0].node["endpoints"]?[0]?["zone"]?.string == "local-a")
        #expect(try slices(mesh, "both").map { $0.node["addressType"]?.string } == ["IPv6", "IPv4"])
        #expect(try slices(mesh, "bare").isEmpty)
        var state = mesh.state
        state.pods[0].isServing = false
        mesh = ResolvedMesh(mesh.plan, state)
        #expect(try slices(mesh, "plain")[0].node["endpoints"]?.sequence?.count == 2)
        #expect(try objects(mesh).count { $0.kind == "Pod" } == 2)
    }

    @Test func slicesAreBounded() throws {
        let slices = try objects(resolved(services + deployment("web", replicas: 250))).filter {
            $0.kind == "EndpointSlice" && $0.name.hasPrefix("plain-")
        }
        #expect(slices.map { $0.node["endpoints"]?.sequence?.count } == [100, 100, 50])
        #expect(Set(slices.map(\.name)).count == 3)
    }

    @Test func podsWithOtherPortsOfANameHaveTheirOwnSlice() throws {
        let other = """
            ---
            kind: Pod
            metadata: {name: odd, labels: {app: web}}
            spec: {containers: [{name: c, ports: [{name: http, containerPort: 9999}]}]}
            """
        let slices = try objects(resolved(services + deployment("web") + other)).filter {
            $0.kind == "EndpointSlice" && $0.name.hasPrefix("plain-")
        }
        #expect(slices.compactMap { $0.node["ports"]?[0]?["port"]?.int } == [8080, 9999])
    }

    @Test func hostsNameServices() throws {
        let mesh = try resolved(services + deployment("web", replicas: 2))
        let text = mesh.hosts(of: mesh.pods[0], serviceLines: mesh.serviceLines(seenFrom: "default"))
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines[0] == "127.0.0.1 localhost")
        #expect(lines.contains("10.244.1.1 \(mesh.pods[0].record.name)"))
        #expect(
            lines.contains("10.96.0.2 plain.default.svc.cluster.local plain.default.svc plain.default plain"))
        #expect(
            lines.filter { $0.hasSuffix(" headless") }.map { $0.prefix(11) } == [
                "10.244.1.1 ", "10.244.1.2 ",
            ])
        #expect(lines.contains { $0.hasPrefix("10.96.0.2 elsewhere.default") })
        // Another namespace needs the longer names.
        #expect(!mesh.serviceLines(seenFrom: "other").contains(" plain\n"))
        #expect(mesh.serviceLines(seenFrom: "other").contains(" plain.default\n"))
    }
}
