import KmeshKit
import KmeshYAML
import MeshFile
import Testing

func decodeAll(_ text: String) throws -> [ObjectDecoder.Decoded] {
    var reader = YAMLReader(text)
    var decoder = ObjectDecoder()
    var decoded: [ObjectDecoder.Decoded] = []
    while let node = try reader.next() { decoded.append(try decoder.decode(node)) }
    return decoded
}

/// Ends a test that came where it must not.
struct Unexpected: Error {
    var what: String
}

func decodeOne(_ text: String) throws -> Kubernetes.Object {
    guard case .object(let object)? = try decodeAll(text).first else {
        throw Unexpected(what: "no object in \(text)")
    }
    return object
}

@Suite struct ObjectDecoderTests {
    @Test func readsWhatAServiceAsksOfTheKernel() throws {
        let text = Self.annotated(
            "l7: kernel, kmesh.net/max-connections: '100', kmesh.net/http-read-timeout: 300ms,"
                + " kmesh.net/http-idle-timeout: 1m, kmesh.net/load-balancing: least-request")
        guard case .service(let service) = try decodeOne(text) else { throw Unexpected(what: text) }
        #expect(service.prefersKernelRouting && service.maxConnections == 100)
        #expect(service.httpReadTimeout == 300 && service.httpIdleTimeout == 60_000)
        #expect(service.policy == .leastRequest)
        let plain = Self.annotated("l7: waypoint, kmesh.net/load-balancing: round-robin")
        guard case .service(let other) = try decodeOne(plain) else { throw Unexpected(what: plain) }
        #expect(!other.prefersKernelRouting && other.maxConnections == nil && other.policy == .roundRobin)
    }

    @Test func readsAServiceAsKubectlPrintsIt() throws {
        let object = try decodeOne(
            """
            apiVersion: v1
            kind: Service
            metadata:
              annotations:
                kmesh.net/load-balancing: maglev
                kmesh.net/locality: strict
                other.example.com/x: y
              creationTimestamp: null
              labels: {app: reviews}
              name: reviews
              namespace: shop
              ownerReferences: [{apiVersion: v1, kind: X, name: y, uid: z}]
            spec:
              clusterIP: 172.16.0.1
              clusterIPs: [172.16.0.1, "fd00::1"]
              externalIPs: [192.0.2.1, 172.16.0.1]
              internalTrafficPolicy: Local
              ipFamilies: [IPv4, IPv6]
              ports:
              - {name: http, nodePort: 30080, port: 80, protocol: TCP, targetPort: web}
              - {name: dns, port: 53, protocol: UDP}
              - {name: sctp, port: 54, protocol: SCTP, targetPort: 5400}
              publishNotReadyAddresses: true
              selector: {app: reviews}
              sessionAffinity: ClientIP
              trafficDistribution: PreferSameNode
              type: LoadBalancer
            status:
              loadBalancer:
                ingress: [{ip: 192.0.2.2}, {ip: 192.0.2.3, ipMode: Proxy}, {hostname: lb.example.com}]
            """)
        guard case .service(let service) = object else { throw Unexpected(what: "\(object)") }
        #expect(service.addresses.map(\.description) == ["172.16.0.1", "fd00::1", "192.0.2.1", "192.0.2.2"])
        #expect(service.outerAddresses.map(\.description).sorted() == ["192.0.2.1", "192.0.2.2"])
        #expect(
            service.ports == [
                .init(port: 80, name: "http", target: .name("web"), applicationProtocol: .http),
                .init(port: 53, transport: .udp, name: "dns"),
                .init(port: 54, transport: nil, name: "sctp", target: .number(5400)),
            ])
        #expect(
            service.selector == ["app": "reviews"] && service.namespace == "shop"
                && service.form == .clusterIP)
        #expect(service.isNodeLocal && service.publishesNotReady && service.distribution == .preferSameNode)
        #expect(
            service.affinityTimeout == 10800 && service.policy == .maglev && service.localityMode == .strict)
    }

    @Test func readsFormsOfServices() throws {
        let head = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: "
        let cases: [(String, Kubernetes.Service.Form)] = [
            ("{clusterIP: None, ports: [{port: 80}]}", .headless), ("{clusterIPs: [None]}", .headless),
            ("{type: ExternalName, externalName: x.example.com}", .externalName),
            ("{ports: [{port: 80}]}", .clusterIP),
            ("{clusterIP: \"\", ports: [{port: 80}]}", .clusterIP),
        ]
        for (spec, form) in cases {
            guard case .service(let service) = try decodeOne(head + spec) else {
                throw Unexpected(what: "\(spec)")
            }
            #expect(service.form == form && service.addresses.isEmpty, "\(spec)")
        }
    }

    @Test func readsPods() throws {
        func pod(_ rest: String) throws -> Kubernetes.Pod {
            let object = try decodeOne("apiVersion: v1\nkind: Pod\nmetadata: {name: p\(rest)")
            guard case .pod(let pod) = object else { throw Unexpected(what: rest) }
            return pod
        }
        let full = try pod(
            """
            , labels: {app: a, version: 1.10}}
            spec:
              nodeName: n1
              containers:
              - name: c
                image: i
                env: [{name: X, value: y}]
                ports: [{name: http, containerPort: 8080}, {containerPort: 1}, {name: d, containerPort: 2, protocol: UDP}]
              initContainers:
              - {name: side, restartPolicy: Always, ports: [{name: metrics, containerPort: 3}]}
              - {name: once, ports: [{name: never, containerPort: 4}]}
            status:
              phase: Running
              podIP: 10.0.0.1
              podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
              conditions: [{type: Ready, status: "True"}, {type: Initialized, status: "True"}]
            """)
        #expect(full.isReady && !full.isTerminating && !full.isFinished && full.node == "n1")
        #expect(full.labels == ["app": "a", "version": "1.10"])
        #expect(full.addresses.map(\.description) == ["10.0.0.1", "fd00::1"])
        #expect(full.ports.map(\.name) == ["http", "d", "metrics"])
        #expect(try pod("}\nstatus: {podIP: 10.0.0.1}").isReady)
        #expect(try !pod("}\nstatus: {}").isReady)
        #expect(try !pod("}\nstatus: {phase: Pending, podIP: 10.0.0.1}").isReady)
        #expect(try pod("}\nstatus: {phase: Failed, podIP: 10.0.0.1}").isFinished)
        #expect(
            try !pod("}\nstatus: {podIP: 10.0.0.1, conditions: [{type: Ready, status: \"False\"}]}").isReady)
        #expect(
            try !pod("}\nstatus: {podIP: 10.0.0.1, conditions: [{type: Other, status: \"True\"}]}").isReady)
        #expect(
            try pod(", deletionTimestamp: \"2026-01-01T00:00:00Z\"}\nstatus: {podIP: 10.0.0.1}").isTerminating
        )
    }

    @Test func readsSlicesNodesAndEntries() throws {
        let decoded = try decodeAll(
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            endpoints:
            - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: p}, nodeName: n, zone: z}
            - {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}
            - {addresses: [10.0.0.3], conditions: {ready: false}}
            ports: [{name: http, port: 8080}]
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: names}
            addressType: FQDN
            endpoints: [{addresses: [a.example.com]}]
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: n, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z}}
            spec: {anything: true}
            ---
            apiVersion: networking.istio.io/v1beta1
            kind: WorkloadEntry
            metadata: {name: w, labels: {app: x, tier: t}}
            spec: {address: "fd00::9", ports: {http: 81}, labels: {app: y}, locality: r/z/s, weight: 0}
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: e}
            spec:
              hosts: [e.example.com]
              addresses: [192.0.2.1/32, "2001:db8::1/128"]
              ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]
              resolution: STATIC
              endpoints: [{address: 10.0.0.9, weight: 7}]
            ---
            apiVersion: serving.knative.dev/v1
            kind: Service
            metadata: {name: k}
            ---
            apiVersion: apps/v1
            kind: Deployment
            """)
        #expect(decoded.count == 7)
        guard case .object(.endpointSlice(let slice)) = decoded[0],
            case .object(.workloadEntry(let workload)) = decoded[3],
            case .object(.serviceEntry(let entry)) = decoded[4]
        else { throw Unexpected(what: "\(decoded)") }
        #expect(slice.service == "web" && slice.endpoints.map(\.health) == [.ready, .terminating, nil])
        #expect(slice.endpoints[0].pod == Kubernetes.ObjectKey(.pod, namespace: "shop", name: "p"))
        #expect(decoded[1] == .skipped(kind: "EndpointSlice of addressType FQDN"))
        #expect(decoded[2] == .object(.node(.init(name: "n", region: "r", zone: "z"))))
        #expect(
            workload.labels == ["app": "y", "tier": "t"] && workload.weight == 1
                && workload.locality.zone == "z")
        #expect(entry.addresses.map(\.description) == ["192.0.2.1", "2001:db8::1"])
        #expect(
            entry.ports == [
                .init(port: 443, name: "tls", target: .number(8443), applicationProtocol: .tcp)
            ])
        #expect(entry.endpoints.first?.weight == 7)
        #expect(decoded[5] == .skipped(kind: "Service.serving.knative.dev"))
        #expect(decoded[6] == .skipped(kind: "Deployment"))
    }

    static let mistakes: [(String, String)] = [
        ("kind: Service", "line 1: Service has no apiVersion: add it"),
        ("a: b", "line 1: an object has no kind: add it"),
        ("[1]", "line 1: a Kubernetes object must be a mapping"),
        ("apiVersion: v2\nkind: Service\n", "line 2: Service is read in v1, not v2"),
        ("apiVersion: v2\nkind: Service", "line 2"),
        (
            "apiVersion: v1\nkind: Servce\nmetadata: {name: a}",
            "line 2: the API v1 has no kind Servce; did you mean Service?"
        ),
        ("apiVersion: v1\nkind: Service\nmetadata: {}", "a Service has no metadata.name: add it"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: A/b}", "lower-case letters"),
        (
            service("spec: {selectr: {a: b}}"),
            "line 4: Service default/a: spec.selectr: Service has no such field; did you mean selector?"
        ),
        (
            service("spec: {ports: [{port: 80, targetport: 1}]}"),
            "spec.ports[].targetport: Service has no such field; did you mean targetPort?"
        ),
        (service("spec: {ports: [{port: 80}], zzz: 1}"), "spec.zzz: Service has no such field; remove it"),
        (
            service("spec: {topologyKeys: [a], ports: [{port: 80}]}"),
            "spec.topologyKeys is not supported: use trafficDistribution"
        ),
        (service("spec: {ports: [{port: 0}]}"), "spec.ports[].port must be a number from 1 to 65535, not 0"),
        (service("spec: {ports: [{port: \"80\"}]}"), "must be a number from 1 to 65535, not \"80\""),
        (service("spec: {ports: [{port: 80, targetPort: \"80\"}]}"), "write it without quotes"),
        (service("spec: {ports: [{port: 80, protocol: TPC}]}"), "must be TCP, UDP or SCTP, not TPC"),
        (service("spec: {ports: [{port: 80, name: a}, {port: 81, name: a}]}"), "two ports \"a\""),
        (service("spec: {ports: {port: 80}}"), "spec.ports must be a list"),
        (service("spec: {ports: [80]}"), "spec.ports must be a list of mappings"),
        (
            service("spec: {clusterIP: 10.0.0.256, ports: [{port: 80}]}"),
            "spec.clusterIP must be an IP address, not 10.0.0.256"
        ),
        (service("spec: {clusterIP: 127.0.0.1, ports: [{port: 80}]}"), "must not be a loopback address"),
        (
            service("spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.1], ports: [{port: 80}]}"),
            "must be the first of spec.clusterIPs"
        ),
        (service("spec: {clusterIP: 10.0.0.1}"), "spec.ports is missing"),
        (service("metadata2: 1"), "metadata2"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "spec is missing"),
        (
            service("spec: {type: Foo, ports: [{port: 80}]}"),
            "must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, not Foo"
        ),
        (service("spec: {trafficDistribution: Near, ports: [{port: 80}]}"), "PreferSameZone"),
        (service("spec: {publishNotReadyAddresses: yes, ports: [{port: 80}]}"), "must be true or false"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {kmesh.net/loadbalancing: x}}\nspec: {ports: [{port: 80}]}",
            "did you mean kmesh.net/load-balancing?"
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {kmesh.net/upstream-load-balancing: best}}\nspec: {ports: [{port: 80}]}",
            "must be one of least-request, round-robin, random, source-hash, not best"
        ),
        (annotated("load-balancing: best"), "must be one of random, weighted, maglev, round-robin"),
        (annotated("max-connections: '0'"), "must be a number from 1 to 4294967295, not \"0\""),
        (annotated("max-connections: '+5'"), "must be a number from 1 to 4294967295"),
        (annotated("max-connections: many"), "must be a number from 1 to 4294967295, not many"),
        (annotated("l7: proxy"), "annotation kmesh.net/l7 must be one of kernel, waypoint, not proxy"),
        (annotated("http-read-timeout: 61s"), "http-read-timeout must be from 1ms to 60s, not 61s"),
        (annotated("http-idle-timeout: 0s"), "http-idle-timeout must be from 1ms to 60s, not 0s"),
        (annotated("http-idle-timeout: '5'"), "must be a duration such as 10s"),
        (annotated("http-idle-timeot: 5s"), "did you mean kmesh.net/http-idle-timeout?"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {kmesh.net/locality: near}}\nspec: {ports: [{port: 80}]}",
            "must be one of failover, strict, not near"
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, ports: [{containerport: 1}]}]}",
            "line 4: Pod default/p: spec.containers[].ports[].containerport: Pod has no such field; did you mean containerPort?"
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: p, lables: {}}", "did you mean labels?"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus: {podIP: 10.0.0}",
            "status.podIP must be an IP address, not 10.0.0"
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus: {phase: Runing}",
            "status.phase must be one of"
        ),
        (
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4",
            "endpoints is missing"
        ),
        (
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]",
            "must be of the addressType"
        ),
        (entry("{hosts: [a], addresses: [10.0.0.0/24]}"), "a CIDR of many addresses is not supported"),
        (entry("{hosts: [a], addresses: [10.0.0.0/33]}"), "an invalid CIDR, not 10.0.0.0/33"),
        (entry("{hosts: [a], addresses: [10.0.0/32]}"), "must be IP addresses or CIDRs"),
        (entry("{hosts: []}"), "spec.hosts is missing"),
        (entry("{hosts: [a], exportTo: [.]}"), "spec.exportTo"),
        (
            entry("{hosts: [a], resolution: STATIC, endpoints: [{address: db.example.com}]}"),
            "spec.endpoints[].address must be an IP address"
        ),
        (
            entry("{hosts: [a], endpoints: [{address: 10.0.0.1, network: n}]}"),
            "spec.endpoints[].network is not supported"
        ),
        (
            entry("{hosts: [a], endpoints: [{address: 10.0.0.1}], workloadSelector: {labels: {a: b}}}"),
            "remove one of them"
        ),
        (entry("{hosts: [a], workloadSelector: {}}"), "has no labels"),
    ]

    static func annotated(_ annotation: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: a, annotations: {kmesh.net/\(annotation)}}
        spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
        """
    }

    static func service(_ spec: String) -> String {
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n\(spec)"
    }

    static func entry(_ spec: String) -> String {
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec: \(spec)"
    }

    @Test(arguments: mistakes)
    func mistakesAreNamed(text: String, message: String) throws {
        let error = #expect(throws: DecodeError.self) { try decodeAll(text) }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
}
