import KmeshKit
import MeshFile
import Testing

private let head = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"

private func peer(_ spec: String) throws -> Kubernetes.PeerAuthentication {
    let object = try decodeOne(head + "metadata: {name: p, namespace: shop}\nspec: \(spec)")
    guard case .peerAuthentication(let peer) = object else { throw Unexpected(what: spec) }
    return peer
}

@Suite struct PeerAuthenticationDecoderTests {
    @Test func readsAPeerAuthenticationAsPeopleWriteIt() throws {
        let object = try decodeOne(
            """
            apiVersion: security.istio.io/v1beta1
            kind: PeerAuthentication
            metadata: {name: p, namespace: shop, creationTimestamp: "1970-01-02T00:00:00Z"}
            spec:
              selector:
                matchLabels: {app: ratings}
              mtls:
                mode: PERMISSIVE
              portLevelMtls:
                9080:
                  mode: STRICT
                "9081": {mode: DISABLE}
                9082: {}
            status: {observedGeneration: 1}
            """)
        guard case .peerAuthentication(let peer) = object else { throw Unexpected(what: "\(object)") }
        #expect(
            peer
                == Kubernetes.PeerAuthentication(
                    namespace: "shop", name: "p", creationTime: 86400, selector: ["app": "ratings"],
                    mode: .permissive, portModes: [9080: .strict, 9081: .disable, 9082: .unset]))
        #expect(peer.key.description == "PeerAuthentication shop/p")
    }

    @Test func whatIsLeftOutIsUnset() throws {
        for spec in ["{}", "{mtls: {}}", "{mtls: null}", "{mtls: {mode: UNSET}}", "{selector: null}"] {
            let peer = try peer(spec)
            #expect(peer == .init(namespace: "shop", name: "p"), "\(spec)")
        }
        #expect(try peer("{mtls: {mode: STRICT}}").mode == .strict)
        #expect(try peer("{selector: {matchLabels: {}}}").notices.count == 1)
    }

    @Test(arguments: [
        ("null", "spec is missing"),
        ("{mtls: {mode: strict}}", "spec.mtls.mode must be one of UNSET, DISABLE"),
        ("{mtls: STRICT}", "spec.mtls must be a mapping"), ("{mtls: {moode: STRICT}}", "did you mean mode?"),
        ("{selector: {matchLabels: {a: \"*\"}}}", "must be labels without *"),
        ("{portLevelMtls: {80: {mode: STRICT}}}", "spec.portLevelMtls needs a selector"),
        ("{selector: {}, portLevelMtls: {80: {mode: STRICT}}}", "spec.portLevelMtls needs a selector"),
        ("{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {}}}", "ports from 1 to 65535, not http"),
        ("{selector: {matchLabels: {a: b}}, portLevelMtls: {0: {}}}", "ports from 1 to 65535, not 0"),
        ("{selector: {matchLabels: {a: b}}, portLevelMtls: {080: {}}}", "ports from 1 to 65535, not 080"),
        ("{selector: {matchLabels: {a: b}}, portLevelMtls: {80: STRICT}}", "spec.portLevelMtls.80 must be a"),
        (
            "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mod: STRICT}}}",
            "spec.portLevelMtls.80.mod: PeerAuthentication has no such field; did you mean mode?"
        ),
        (
            "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: ON}}}",
            "spec.portLevelMtls.80.mode must be one of"
        ),
        ("{selector: {matchLabels: {a: b}}, portLevelMtls: [80]}", "spec.portLevelMtls must be a mapping"),
    ])
    func mistakesAreNamed(spec: String, message: String) {
        let error = #expect(throws: DecodeError.self) { try peer(spec) }
        #expect(error?.line == (spec == "null" ? 1 : 4), "\(String(describing: error))")
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }
}

@Suite struct WorkloadIdentityDecoderTests {
    private func pod(_ spec: String) throws -> Kubernetes.Pod {
        let object = try decodeOne("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: \(spec)")
        guard case .pod(let pod) = object else { throw Unexpected(what: spec) }
        return pod
    }

    @Test func podsHaveAServiceAccount() throws {
        #expect(try pod("{}").serviceAccount == "default")
        #expect(try pod("{serviceAccount: old}").serviceAccount == "old")
        #expect(try pod("{serviceAccountName: new, serviceAccount: old}").serviceAccount == "new")
        #expect(try pod("{serviceAccountName: \"\", serviceAccount: null}").serviceAccount == "default")
        let other = try decodeOne("apiVersion: v1\nkind: Pod\nmetadata: {name: p}")
        guard case .pod(let bare) = other else { throw Unexpected(what: "\(other)") }
        #expect(bare.serviceAccount == "default" && bare.probePorts.isEmpty)
    }

    @Test func entriesMayHaveAServiceAccount() throws {
        let head = "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: w}\nspec: "
        for (spec, account) in [
            ("{address: 10.0.0.1}", ""), ("{address: 10.0.0.1, serviceAccount: vm}", "vm"),
        ] {
            guard case .workloadEntry(let entry) = try decodeOne(head + spec) else {
                throw Unexpected(what: spec)
            }
            #expect(entry.serviceAccount == account)
        }
        let object = try decodeOne(
            """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: e}
            spec:
              hosts: [e.example.com]
              resolution: STATIC
              endpoints: [{address: 10.0.0.1, serviceAccount: vm}, {address: 10.0.0.2}]
            """)
        guard case .serviceEntry(let entry) = object else { throw Unexpected(what: "\(object)") }
        #expect(entry.endpoints.map(\.serviceAccount) == ["vm", ""])
    }

    @Test func theProbedPortsAreRead() throws {
        let probed = try pod(
            """

              containers:
              - name: a
                ports: [{name: http, containerPort: 8080}, {name: other, containerPort: 8081}]
                livenessProbe: {httpGet: {path: /, port: http, scheme: HTTP}, periodSeconds: 5}
                readinessProbe: {tcpSocket: {port: 9000}, failureThreshold: 3}
                startupProbe: {grpc: {port: 70, service: x}}
              - name: b
                ports: [{name: http, containerPort: 9090}]
                livenessProbe: {httpGet: {port: http}}
                readinessProbe: {httpGet: {port: "9000"}}
                startupProbe: {exec: {command: ["true"]}}
              initContainers:
              - {name: side, restartPolicy: Always, startupProbe: {tcpSocket: {port: 15021}}}
              - {name: once, livenessProbe: {tcpSocket: {port: 1}}}
            """)
        #expect(probed.probePorts == [70, 8080, 9000, 9090, 15021])
        // Neither goes to the pod.
        for probe in ["{httpGet: {port: 80, host: example.com}}", "{tcpSocket: {port: nowhere}}", "{}"] {
            let none = try pod("{containers: [{name: a, livenessProbe: \(probe)}]}")
            #expect(none.probePorts.isEmpty, "\(probe)")
        }
    }

    @Test(arguments: [
        (
            "{httpGet: {port: 0}}",
            "spec.containers[].livenessProbe.httpGet.port must be a number from 1 to 65535"
        ),
        ("{tcpSocket: {}}", "spec.containers[].livenessProbe.tcpSocket.port is missing"),
        ("{grpc: {port: http}}", "spec.containers[].livenessProbe.grpc.port must be a number"),
        (
            "{htpGet: {port: 80}}",
            "spec.containers[].livenessProbe.htpGet: Pod has no such field; did you mean"
        ),
    ])
    func mistakesOfProbesAreNamed(probe: String, message: String) {
        let error = #expect(throws: DecodeError.self) {
            try pod("{containers: [{name: a, livenessProbe: \(probe)}]}")
        }
        #expect(error?.line == 4 && error?.message.contains(message) == true, "\(String(describing: error))")
    }
}
