// Whatever the bytes are, reading ends with objects or a clean error, and a refused text changes nothing.
import KmeshKit
import KmeshYAML
import Testing

@testable import MeshFile

/// A store that holds one file, and what it emitted.
private struct LoadedMesh {
    var store = MeshFileStore(root: "mesh", options: MeshFileOptions())
    var resources: [MeshResourceName: MeshResource] = [:]

    /// Whether the text was taken.
    mutating func load(_ bytes: [UInt8]) throws -> Bool {
        var limits = YAMLLimits()
        limits.nodes = 20_000
        var reader = YAMLReader(bytes: bytes, limits: limits)
        do {
            let contents = try store.contents(of: &reader, path: "mesh.yaml")
            for change in try store.apply(["mesh.yaml": contents], gone: []).changes {
                switch change {
                case .upsert(let resource): resources[resource.name] = resource
                case .remove(let name): resources[name] = nil
                }
            }
            return true
        } catch {
            #expect(!error.message.isEmpty && error.path == "mesh.yaml" || error.path == "mesh")
            return false
        }
    }
}

private let sample = """
    apiVersion: v1
    items:
    - apiVersion: v1
      kind: Service
      metadata: {name: web, namespace: shop}
      spec:
        clusterIP: 172.16.0.1
        ports:
        - {name: http, port: 80, targetPort: http}
        selector:
          app: web
    - apiVersion: v1
      kind: Pod
      metadata:
        labels: {app: web}
        name: web-1
        namespace: shop
      spec:
        containers:
        - name: c
          ports: [{containerPort: 8080, name: http, protocol: TCP}]
        nodeName: n1
      status: {phase: Running, podIP: 10.0.0.1}
    - apiVersion: discovery.k8s.io/v1
      kind: EndpointSlice
      metadata: {name: api-1, labels: {kubernetes.io/service-name: "api"}}
      addressType: IPv4
      endpoints:
      - addresses: ["10.0.0.9"]
      ports: [{port: 1, name: ""}]
    - apiVersion: networking.istio.io/v1
      kind: ServiceEntry
      metadata: {name: e}
      spec: {hosts: [e.example.com], addresses: [192.0.2.1], resolution: STATIC,
        endpoints: [{address: 10.9.0.1}], ports: [{number: 443, name: tls, protocol: TLS}]}
    - apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: r, namespace: shop}
      spec:
        parentRefs: [{group: "", kind: Service, name: web, port: 80}]
        rules:
        - matches: [{path: {type: RegularExpression, value: "/a(b|c)+"}, headers: [{name: x, value: y}]}]
          filters:
          - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}
          backendRefs: [{name: web, port: 80, weight: 3}]
          timeouts: {request: 10s}
    - apiVersion: security.istio.io/v1
      kind: AuthorizationPolicy
      metadata: {name: a, namespace: shop, annotations: {istio.io/dry-run: "true"}}
      spec:
        selector: {matchLabels: {app: web}}
        action: DENY
        rules:
        - from: [{source: {principals: ["cluster.local/ns/shop/*"], ipBlocks: [10.0.0.0/8, "fd00::/8"]}}]
          to: [{operation: {ports: ["8080"], methods: [GET]}}]
          when: [{key: "request.headers[x-a]", values: ["*"], notValues: [b]}]
    - apiVersion: security.istio.io/v1beta1
      kind: PeerAuthentication
      metadata: {name: b, namespace: shop}
      spec: {selector: {matchLabels: {app: web}}, mtls: {mode: STRICT},
        portLevelMtls: {8080: {mode: DISABLE}}}
    kind: List
    metadata: {resourceVersion: ""}

    """

@Suite struct FuzzTests {
    @Test func theSampleItselfIsTaken() throws {
        var mesh = LoadedMesh()
        #expect(try mesh.load(Array(sample.utf8)))
        #expect(mesh.resources.count == 8)
    }

    @Test func aFileCutAnywhereIsRefusedAndChangesNothing() throws {
        let bytes = Array(sample.utf8)
        var mesh = LoadedMesh()
        #expect(try mesh.load(bytes))
        let before = mesh.resources
        // After "kind: List" nothing is missing that means anything.
        let complete = bytes.count - "metadata: {resourceVersion: \"\"}\n".utf8.count
        for length in 0..<complete {
            #expect(try !mesh.load(Array(bytes[..<length])), "cut at \(length)")
            #expect(mesh.resources == before, "cut at \(length)")
        }
        #expect(try mesh.load(bytes))
        #expect(mesh.resources == before)
    }

    @Test func aJSONFileCutAnywhereIsRefused() throws {
        var reader = YAMLReader("kind: A\nspec: {a: [1, b, null], c: \"d\"}\n")
        let json = Array(YAMLWriter.json(try #require(try reader.next())).utf8)
        for length in 1..<json.count {
            var reader = YAMLReader(bytes: Array(json[..<length]))
            #expect(throws: YAMLError.self, "cut at \(length)") { while try reader.next() != nil {} }
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func randomBytesEndCleanly(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let signs = Array("{}[]:,-&*!|>'\"%@`?#\n\t \\ab01~".utf8)
        var mesh = LoadedMesh()
        for round in 0..<1500 {
            let count = Int.random(in: 0..<200, using: &random)
            let bytes = (0..<count).map { _ in
                round % 2 == 0
                    ? UInt8.random(in: 0...255, using: &random) : signs.randomElement(using: &random) ?? 0
            }
            _ = try mesh.load(bytes)
        }
        #expect(mesh.resources.isEmpty, "seed \(seed)")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func mutatedManifestsEndCleanly(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let original = Array(sample.utf8)
        var mesh = LoadedMesh()
        var taken = 0
        for _ in 0..<500 {
            var bytes = original
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                let end = min(bytes.count, at + Int.random(in: 0..<40, using: &random))
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(at..<end)
                case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
                case _:
                    let other = Int.random(in: 0..<bytes.count, using: &random)
                    bytes.swapAt(at, other)
                }
            }
            let before = mesh.resources
            if try mesh.load(bytes) {
                taken += 1
                // The same text in an empty store must mean the same.
                var fresh = LoadedMesh()
                #expect(try fresh.load(bytes) && fresh.resources == mesh.resources, "seed \(seed)")
            } else {
                #expect(mesh.resources == before, "seed \(seed)")
            }
        }
        #expect(taken > 0 && taken < 500, "seed \(seed): \(taken) of 500 were taken")
    }
}
