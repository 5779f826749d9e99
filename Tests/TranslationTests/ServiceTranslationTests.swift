import KmeshKit
import Testing

@Suite struct ServiceTranslationTests {
    @Test func aServiceHasAHostNameAndItsAddresses() throws {
        let mesh = try Mesh([.aService(at: ["172.16.0.1", "fd00::1", "192.0.2.1"])])
        let service = try #require(mesh.state.service("web"))
        #expect(service.addresses.map(\.description) == ["172.16.0.1", "fd00::1", "192.0.2.1"])
        #expect(service.ports == [ServicePort(port: 80, transport: .tcp)])
        #expect(service.policy == .random && service.locality == nil && service.affinityTimeout == nil)
    }

    @Test func headlessServicesAndExternalNamesHaveNoAddresses() throws {
        let mesh = try Mesh([
            .aService("headless", at: []) { $0.form = .headless },
            .aService("external", at: ["172.16.0.9"]) { $0.form = .externalName },
            .aPod(),
        ])
        #expect(mesh.state.service("headless")?.addresses == [])
        #expect(mesh.state.service("external")?.addresses == [])
        #expect(mesh.state.endpoints(of: "headless") == ["Pod/default/web-1 80→8080"])
        #expect(mesh.state.endpoints(of: "external") == [])
    }

    @Test func sctpPortsAndMissingAddressesAreWarnedOf() throws {
        var mesh = try Mesh()
        let translation = try mesh.put([
            .aService(
                at: [], ports: [Kubernetes.Port(port: 80), Kubernetes.Port(port: 81, transport: nil)])
        ])
        #expect(
            translation.warnings.map(\.description) == [
                "Service default/web port 81 is SCTP and is not steered",
                "Service default/web has no clusterIP, so no address leads to it: give it one",
            ])
        #expect(mesh.state.service("web")?.ports.map(\.port) == [80])
    }

    @Test func localityFollowsPolicyDistributionAndAnnotation() throws {
        let cases: [(LocalityPreference?, (inout Kubernetes.Service) -> Void)] = [
            (nil, { _ in }),
            (
                LocalityPreference(mode: .strict, scopes: [.node]),
                {
                    $0.isNodeLocal = true; $0.localityMode = .failover
                }
            ),
            (
                LocalityPreference(mode: .failover, scopes: [.region, .zone]),
                { $0.distribution = .preferClose }
            ),
            (
                LocalityPreference(mode: .failover, scopes: [.region, .zone]),
                { $0.distribution = .preferSameZone }
            ),
            (
                LocalityPreference(mode: .strict, scopes: [.region, .zone, .node]),
                {
                    $0.distribution = .preferSameNode; $0.localityMode = .strict
                }
            ),
            (LocalityPreference(mode: .strict, scopes: [.region, .zone]), { $0.localityMode = .strict }),
        ]
        for (wanted, change) in cases {
            let mesh = try Mesh([.aService("web", change)])
            #expect(mesh.state.service("web")?.locality == wanted)
        }
    }

    @Test func twoServicesCannotShareAFrontend() throws {
        var mesh = try Mesh([.aService("one"), .aPod()])
        let before = mesh.state
        let error = #expect(throws: TranslationError.self) {
            try mesh.put([.aService("two", at: ["fd00::1", "172.16.0.1"]), .aPod("web-2", at: ["10.0.0.2"])])
        }
        let message =
            "Service default/two: uses 172.16.0.1:80/TCP, as Service default/one does: change one of them"
        #expect(error?.description == message)
        #expect(mesh.state == before)
        // Other ports and protocols are other frontends; an address can move in one step.
        try mesh.put([
            .aService("two", ports: [Kubernetes.Port(port: 80, transport: .udp), Kubernetes.Port(port: 81)])
        ])
        try mesh.put([.aService("one", at: ["172.16.0.3"]), .aService("two", at: ["172.16.0.1"])])
        #expect(throws: TranslationError.self) { try mesh.put([.aService("one")]) }
        try mesh.put(
            [.aService("one")], removing: [Kubernetes.ObjectKey(.service, namespace: "default", name: "two")])
        #expect(mesh.state.service("two") == nil)
    }

    @Test func aPortTwiceIsAnError() throws {
        var mesh = try Mesh()
        let error = #expect(throws: TranslationError.self) {
            try mesh.put([
                .aService(ports: [Kubernetes.Port(port: 80), Kubernetes.Port(port: 80, name: "b")])
            ])
        }
        #expect(error?.description == "Service default/web: uses 172.16.0.1:80/TCP twice: remove one")
        #expect(mesh.translator.objectCount == 0)
    }

    @Test func anUnknownPortNameIsAnErrorOnlyWhileNoPodHasIt() throws {
        let named = try Kubernetes.Object.aService(ports: [Kubernetes.Port(port: 80, target: .name("http"))])
        var mesh = try Mesh([named])
        let error = #expect(throws: TranslationError.self) { try mesh.put([.aPod()]) }
        #expect(error?.message.contains("unknown port name \"http\"") == true)
        #expect(error?.message.contains("Pod default/web-1") == true)
        #expect(mesh.state.workload("Pod/default/web-1") == nil)
        try mesh.put([
            .aPod(),
            .aPod("web-2", at: ["10.0.0.2"]) {
                $0.ports = [.init(name: "http", transport: .tcp, number: 8081)]
            },
            .aPod("web-3", at: ["10.0.0.3"]) {
                $0.ports = [.init(name: "http", transport: .udp, number: 8082)]
            },
        ])
        #expect(mesh.state.endpoints(of: "web") == ["Pod/default/web-2 80→8081"])
        #expect(throws: TranslationError.self) {
            try mesh.put([], removing: [Kubernetes.ObjectKey(.pod, namespace: "default", name: "web-2")])
        }
        #expect(mesh.state.endpoints(of: "web") == ["Pod/default/web-2 80→8081"])
    }

    @Test func serviceEntriesHaveEndpointsOfTheirOwnOrSelected() throws {
        let port = Kubernetes.Port(port: 80, name: "http", target: .number(8080))
        let inline = Kubernetes.ServiceEntry(
            namespace: "default", name: "inline", hosts: ["db.example.com", "other.example.com"],
            addresses: [try address("192.0.2.1")], ports: [port],
            endpoints: [
                .init(
                    address: try address("10.1.0.1"), ports: [.init(name: "http", number: 9000)], weight: 3),
                .init(address: try address("10.1.0.1"), locality: Locality(region: "r")),
            ])
        let selecting = Kubernetes.ServiceEntry(
            namespace: "default", name: "selecting", hosts: ["vm.example.com"],
            addresses: [try address("192.0.2.2")], ports: [port], selector: ["app": "web"])
        let unresolved = Kubernetes.ServiceEntry(
            namespace: "default", name: "dns", hosts: ["dns.example.com"],
            addresses: [try address("192.0.2.3")],
            ports: [port], resolution: .dns)
        let entry = Kubernetes.WorkloadEntry(
            namespace: "default", name: "vm", labels: ["app": "web"], address: try address("10.2.0.1"),
            ports: [.init(name: "http", number: 9001)], locality: Locality(region: "r", zone: "z"), weight: 5)
        var mesh = try Mesh()
        let translation = try mesh.put([
            .serviceEntry(inline), .serviceEntry(selecting), .serviceEntry(unresolved), .workloadEntry(entry),
            .aPod(),
            .aService("web", at: ["172.16.0.1"]),
        ])
        #expect(
            translation.warnings.map(\.description) == [
                "ServiceEntry default/dns has resolution DNS and is not steered: use STATIC"
            ])
        let first = try #require(mesh.state.workload("ServiceEntry/default/inline/10.1.0.1"))
        #expect(first.weight == 3 && first.memberships.first?.ports.first?.targetPort == 9000)
        let second = try #require(mesh.state.workload("ServiceEntry/default/inline/10.1.0.1#1"))
        #expect(second.locality.region == "r" && second.memberships.first?.ports.first?.targetPort == 8080)
        #expect(first.memberships.first?.service.hostname == "db.example.com")
        let vm = try #require(mesh.state.workload("WorkloadEntry/default/vm"))
        #expect(vm.weight == 5 && vm.locality.zone == "z")
        // Only entries' selectors pick workload entries.
        #expect(vm.memberships.map(\.service.hostname) == ["vm.example.com"])
        #expect(vm.memberships.first?.ports.first?.targetPort == 9001)
        let pod = try #require(mesh.state.workload("Pod/default/web-1"))
        #expect(
            pod.memberships.map(\.service.hostname) == ["vm.example.com", "web.default.svc.cluster.local"])
        let key = ServiceKey(namespace: "default", hostname: "dns.example.com")
        #expect(mesh.state.resources[.service(key)] == nil)
    }
}
