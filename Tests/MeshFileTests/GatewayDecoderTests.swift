import KmeshKit
import MeshFile
import Testing

@Suite struct GatewayDecoderTests {
    @Test func readsAGatewayAndAGrant() throws {
        let decoded = try decodeAll(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: shop, labels: {istio.io/waypoint-for: service}}
            spec:
              gatewayClassName: kmesh-waypoint
              addresses: [{type: IPAddress, value: 10.96.0.9}, {type: Hostname, value: a.example.com}]
              listeners:
              - {name: mesh, port: 15008, protocol: HBONE}
              - name: web
                port: 80
                protocol: HTTP
                hostname: "*.example.com"
                allowedRoutes: {namespaces: {from: All}, kinds: [{kind: TCPRoute}]}
            status:
              addresses: [{value: 172.16.0.9}]
              conditions: [{type: Accepted}]
            ---
            apiVersion: gateway.networking.k8s.io/v1beta1
            kind: ReferenceGrant
            metadata: {name: grant, namespace: back}
            spec:
              from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
              to: [{group: "", kind: Service}, {kind: Service, name: one}]
            """)
        guard case .object(.gateway(let gateway)) = decoded[0],
            case .object(.referenceGrant(let grant)) = decoded[1]
        else { throw Unexpected(what: "\(decoded)") }
        #expect(gateway.className == "kmesh-waypoint" && gateway.labels["istio.io/waypoint-for"] == "service")
        #expect(
            gateway.listeners == [
                .init(name: "mesh", port: 15008, protocolName: "HBONE"),
                .init(
                    name: "web", hostname: "*.example.com", port: 80, protocolName: "HTTP",
                    routeNamespaces: .all, takesHTTPRoutes: false),
            ])
        #expect(gateway.addresses.map(\.description) == ["10.96.0.9"])
        #expect(gateway.statusAddresses.map(\.description) == ["172.16.0.9"])
        #expect(grant.sources.map(\.namespace) == ["shop"] && grant.targets.map(\.name) == [nil, "one"])
    }

    @Test(arguments: [
        ("{listeners: []}", "spec.gatewayClassName is missing"),
        ("{gatewayClassName: a}", "spec.listeners is missing"),
        ("{gatewayClassName: a, listeners: [{name: a, port: 0, protocol: HTTP}]}", "from 1 to 65535"),
        (
            "{gatewayClassName: a, listeners: [{name: a, port: 1, protocol: H}, "
                + "{name: a, port: 2, protocol: H}]}",
            "has two \"a\""
        ),
        (
            "{gatewayClassName: a, listeners: [{name: a, port: 1, protocol: HTTP, hostname: A.b}]}",
            "spec.listeners[].hostname must be a host name in lower case, or *. and one, not A.b"
        ),
        (
            "{gatewayClassName: a, listeners: [{name: a, port: 1, protocol: HTTP, "
                + "allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {a: b}}}}}]}",
            "allowedRoutes.namespaces.selector is not supported: use from: Same or from: All"
        ),
        ("{gatewayClassName: a, lisseners: []}", "did you mean listeners?"),
    ])
    func mistakesAreNamed(spec: String, message: String) {
        let text =
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: \(spec)"
        let error = #expect(throws: DecodeError.self) { try decodeAll(text) }
        #expect(error?.line == 4)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }
}
