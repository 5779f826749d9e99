// Random steps: what the translator says step by step must be what it says of the whole at once.
import KmeshKit
import Testing

struct ObjectGenerator {
    var random: SplitMix64

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func flip(_ odds: Int = 2) -> Bool { below(odds) == 0 }

    mutating func object() -> Kubernetes.Object {
        switch below(24) {
        case 0...1: .service(service())
        case 2...6: .pod(pod())
        case 7...8: .endpointSlice(slice())
        case 9: .node(.init(name: "n\(below(3))", region: "r\(below(2))", zone: "z\(below(3))"))
        case 10: .serviceEntry(serviceEntry())
        case 11...13: .httpRoute(route())
        case 14: flip() ? .gateway(gateway()) : .referenceGrant(grant())
        case 15: .namespace(.init(name: namespace(), labels: waypoint(2)))
        case 16...17: .gateway(waypointGateway())
        case 18...20: .authorizationPolicy(policy())
        case 21...22: .peerAuthentication(peerAuthentication())
        default: .workloadEntry(workloadEntry())
        }
    }

    private mutating func namespace() -> String { flip(4) ? "b" : "a" }

    private mutating func labels() -> Kubernetes.Labels {
        Kubernetes.Labels(
            ["app", "version"].prefix(1 + below(2)).map { Kubernetes.Label(key: $0, value: "v\(below(3))") })
    }

    /// Labels that choose one of the services, or none, as waypoint; one time of `odds`.
    private mutating func waypoint(_ odds: Int) -> Kubernetes.Labels {
        guard flip(odds) else { return [:] }
        var pairs = [
            Kubernetes.Label(key: "istio.io/use-waypoint", value: flip(5) ? "none" : "s\(below(5))")
        ]
        if flip(3) {
            pairs.append(Kubernetes.Label(key: "istio.io/use-waypoint-namespace", value: namespace()))
        }
        return Kubernetes.Labels(pairs)
    }

    private mutating func waypointGateway() -> Kubernetes.Gateway {
        let scope = ["service", "workload", "all", "none", ""][below(5)]
        return Kubernetes.Gateway(
            namespace: namespace(), name: "s\(below(5))",
            className: ["istio-waypoint", "kmesh-waypoint", "nginx"][below(3)],
            labels: scope.isEmpty ? [:] : ["istio.io/waypoint-for": scope])
    }

    private mutating func ports() -> [Kubernetes.Port] {
        (0...below(2)).map { index in
            Kubernetes.Port(
                port: UInt16(80 + index), transport: flip(5) ? .udp : .tcp, name: "p\(index)",
                target: flip(6) ? .name("http") : .number(UInt16(8080 + below(2))))
        }
    }

    private mutating func ip(_ base: UInt32, _ count: Int) -> IPAddress {
        IPAddress(v4: base + UInt32(below(count)))
    }

    private mutating func service() -> Kubernetes.Service {
        var service = Kubernetes.Service(
            namespace: namespace(), name: "s\(below(5))", form: flip(8) ? .headless : .clusterIP,
            addresses: flip(6) ? [] : [ip(0xac10_0000, 30)], ports: ports(),
            selector: flip(6) ? nil : labels())
        service.publishesNotReady = flip(6)
        service.affinityTimeout = flip(5) ? 10 : nil
        service.waypoint = Kubernetes.WaypointChoice(waypoint(4))
        return service
    }

    private mutating func pod() -> Kubernetes.Pod {
        let count = below(8) == 0 ? 0 : 1
        let labels = Kubernetes.Labels(labels().pairs + waypoint(4).pairs)
        var pod = Kubernetes.Pod(
            namespace: namespace(), name: "p\(below(12))", labels: labels,
            addresses: (0..<count).map { _ in ip(0x0a00_0000, 8) }, node: flip(3) ? "" : "n\(below(3))",
            ports: flip(10) ? [] : [.init(name: "http", transport: .tcp, number: UInt16(9000 + below(2)))],
            isReady: !flip(4), isTerminating: flip(6), isFinished: flip(10))
        pod.serviceAccount = "sa\(below(2))"
        pod.probePorts = flip(4) ? [UInt16(8080 + below(2))] : []
        pod.usesHostNetwork = flip(8)
        return pod
    }

    private mutating func policy() -> Kubernetes.AuthorizationPolicy {
        let namespace = flip(4) ? "istio-system" : namespace()
        var match = PolicyMatch()
        match.destinationPorts.any = [UInt16(80 + below(3))]
        if flip(4) {
            match.request = RequestMatch()
            match.request?.paths.any = [.exact("/\(below(2))")]
        }
        var policy = Kubernetes.AuthorizationPolicy(
            namespace: namespace, name: "a\(below(4))", action: flip() ? .allow : .deny,
            rules: flip(4) ? [] : [PolicyRule(clauses: flip(5) ? [] : [[match]])])
        if flip() {
            policy.selector = labels()
        } else if flip() {
            policy.targets = Set((0...below(2)).map { _ in target(in: namespace) }).sorted {
                $0.description < $1.description
            }
        }
        return policy
    }

    private mutating func target(in namespace: String) -> Kubernetes.AuthorizationPolicy.Target {
        switch below(5) {
        case 0: .gatewayClass(flip() ? "kmesh-waypoint" : "nginx")
        case 1: .object(.init(.gateway, namespace: namespace, name: "s\(below(5))"))
        case 2: .object(.init(.serviceEntry, namespace: namespace, name: "x\(below(3))"))
        default: .object(.init(.service, namespace: namespace, name: "s\(below(5))"))
        }
    }

    private mutating func peerAuthentication() -> Kubernetes.PeerAuthentication {
        typealias Mode = Kubernetes.PeerAuthentication.Mode
        let modes = Mode.allCases
        let isSelecting = flip()
        return Kubernetes.PeerAuthentication(
            namespace: flip(3) ? "istio-system" : namespace(), name: "m\(below(3))",
            creationTime: flip() ? nil : Int64(below(3)), selector: isSelecting ? labels() : nil,
            mode: modes[below(4)],
            portModes: isSelecting && flip()
                ? [80: modes[below(4)], 81: modes[below(4)]] : [:])
    }

    private mutating func slice() -> Kubernetes.EndpointSlice {
        let namespace = namespace()
        return Kubernetes.EndpointSlice(
            namespace: namespace, name: "e\(below(4))", service: flip(8) ? "" : "s\(below(5))",
            ports: [
                .init(name: "p0", transport: .tcp, number: 8080),
                .init(name: "p1", transport: .tcp, number: 8081),
            ],
            endpoints: (0..<below(4)).map { _ in
                .init(
                    addresses: [ip(0x0a00_0000, 8)], health: [.ready, .terminating, nil][below(3)],
                    pod: flip()
                        ? Kubernetes.ObjectKey(.pod, namespace: namespace, name: "p\(below(12))") : nil,
                    node: flip() ? "n\(below(3))" : "", zone: flip(3) ? "z9" : "")
            })
    }

    private mutating func serviceEntry() -> Kubernetes.ServiceEntry {
        var entry = Kubernetes.ServiceEntry(
            namespace: namespace(), name: "x\(below(3))", hosts: ["h\(below(4)).example.com"],
            addresses: [ip(0xac10_0000, 30)], ports: [Kubernetes.Port(port: 80, name: "p0")],
            resolution: flip(5) ? .dns : .fixed)
        if flip() {
            entry.selector = labels()
        } else {
            entry.endpoints = (0..<below(3)).map { _ in
                .init(address: ip(0x0b00_0000, 3), weight: UInt32(1 + below(2)))
            }
        }
        return entry
    }

    private mutating func route() -> Kubernetes.HTTPRoute {
        let namespace = namespace()
        var route = Kubernetes.HTTPRoute(
            namespace: namespace, name: "r\(below(4))", creationTime: flip() ? nil : Int64(below(3)),
            parents: (0..<below(3)).map { _ in
                let target = flip(5) ? self.namespace() : namespace
                return flip(3)
                    ? .init(
                        .init(
                            group: "gateway.networking.k8s.io", kind: "Gateway", namespace: target,
                            name: "g\(below(2))"), section: flip() ? "l\(below(2))" : nil)
                    : .init(
                        .init(
                            namespace: target, name: "s\(below(5))",
                            port: flip() ? UInt16(80 + below(3)) : nil))
            }, hostnames: flip() ? [] : ["h\(below(2)).example.com", "*.example.com"], rules: [])
        route.rules = (0...below(2)).map { _ in
            .init(
                matches: [RouteMatch(path: [.prefix("/"), .exact("/a"), .regex("/.*")][below(3)])],
                backends: (0..<below(3)).map { _ in
                    .init(
                        .init(
                            namespace: flip(4) ? self.namespace() : namespace, name: "s\(below(5))",
                            port: UInt16(80 + below(2))), weight: UInt32(below(3)))
                })
        }
        return route
    }

    private mutating func gateway() -> Kubernetes.Gateway {
        Kubernetes.Gateway(
            namespace: namespace(), name: "g\(below(2))", className: "kmesh",
            listeners: (0...below(2)).map {
                .init(
                    name: "l\($0)", hostname: flip() ? "" : "*.example.com", port: 80, protocolName: "HTTP",
                    routeNamespaces: flip() ? .same : .all)
            })
    }

    private mutating func grant() -> Kubernetes.ReferenceGrant {
        Kubernetes.ReferenceGrant(
            namespace: namespace(), name: "g",
            sources: [.init(group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: namespace())],
            targets: [.init(kind: "Service", name: flip() ? nil : "s\(below(5))")])
    }

    private mutating func workloadEntry() -> Kubernetes.WorkloadEntry {
        Kubernetes.WorkloadEntry(
            namespace: namespace(), name: "w\(below(4))", labels: labels(), address: ip(0x0c00_0000, 4),
            ports: flip() ? [.init(name: "p0", number: 7000)] : [], weight: UInt32(1 + below(2)))
    }
}

@Suite struct RandomTranslationTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func stepsLeadWhereTheWholeLeads(seed: UInt64) throws {
        var generator = ObjectGenerator(random: SplitMix64(seed: seed))
        var translator = MeshTranslator()
        var state = MeshState()
        var objects: [Kubernetes.ObjectKey: Kubernetes.Object] = [:]
        var refused = 0
        for _ in 0..<60 {
            var wanted = objects
            var changes: [ObjectChange] = []
            for _ in 0...generator.below(6) {
                if let gone = objects.keys.sorted(by: { $0.description < $1.description })
                    .randomElement(using: &generator.random), generator.flip(3)
                {
                    wanted[gone] = nil
                    changes.append(.remove(gone))
                } else {
                    let object = generator.object()
                    wanted[object.key] = object
                    changes.append(.upsert(object, .init()))
                }
            }
            var whole = MeshTranslator()
            let all = wanted.values.map { ObjectChange.upsert($0, .init()) }
            do {
                let translation = try translator.apply(changes)
                state.apply(translation.changes)
                objects = wanted
                var expected = MeshState()
                expected.apply(try whole.apply(all).changes)
                #expect(state == expected, "seed \(seed)")
                #expect(state.missingPolicies.isEmpty, "seed \(seed)")
            } catch {
                refused += 1
                #expect(throws: TranslationError.self, "seed \(seed)") { try whole.apply(all) }
            }
            #expect(translator.objectCount == objects.count)
        }
        // Both outcomes must have been seen for the test to mean anything.
        #expect(refused < 55, "seed \(seed): nearly every step was refused")
    }

    @Test func bothOutcomesHappen() throws {
        var generator = ObjectGenerator(random: SplitMix64(seed: 7))
        var translator = MeshTranslator()
        var outcomes = (accepted: 0, refused: 0)
        for _ in 0..<1000 {
            do {
                _ = try translator.apply([.upsert(generator.object(), .init())])
                outcomes.accepted += 1
            } catch {
                outcomes.refused += 1
            }
        }
        #expect(outcomes.accepted > 100 && outcomes.refused > 20, "\(outcomes)")
    }
}
