// Policies at work: over real sockets, from configurations as the builder makes them.
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

/// One service, `web`, behind the proxy, and who its clients are.
private final class Mesh: Sendable {
    let server: TestServer
    static let place = "10.9.0.1"
    /// Each address of the machine with the account that runs there.
    static let clients = ["127.0.1.1": "shop", "127.0.1.2": "batch"]

    init(_ server: TestServer) { self.server = server }

    func changes(
        _ policies: [AuthorizationPolicy], protocol kind: ApplicationProtocol = .http,
        through waypoint: String? = nil
    ) -> [ResourceChange<MeshResource>] {
        var web = service("web", ports: [80], at: [Self.place])
        web.ports[0].applicationProtocol = kind
        web.waypoint = waypoint.map { WaypointReference(service: key($0)) }
        let endpoint = workload(
            "server", server.address.address.description, of: "web", ports: [80: server.address.port])
        let pods = Self.clients.map { place, account in
            var pod = workload(account, place, of: "none", ports: [:])
            pod.serviceAccount = account
            return pod
        }
        return [.upsert(.service(web)), .upsert(.workload(endpoint))] + pods.map { .upsert(.workload($0)) }
            + policies.map { .upsert(.policy($0)) }
    }
}

private func makeRealBuilder() -> ConfigurationBuilder {
    ConfigurationBuilder(ConfigurationBuilder.Options(), compile: RouteTable.compile)
}

private let web = PolicyTarget.service(key("web"))
private let dialed = ListenerSpecification.Kind.metadata(option: true, prefix: true)
/// 10.9.0.1:80
private let records: [UInt8] = [1, 0, 0, 0, 6, 10, 9, 0, 1, 0, 80, 0xfe, 0, 0, 0, 0]

private func request(
    _ path: String = "/", method: String = "GET", host: String = "web", _ lines: String...
) -> String {
    "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(lines.map { "\($0)\r\n" }.joined())\r\n"
}

extension TestProxy {
    fileprivate func connect(from source: String) throws -> TestSocket {
        try TestSocket(to: proxy.addresses[0], from: address(source))
    }

    /// Requests by the reason they ended with.
    fileprivate func count(_ reason: ExchangeReason) async -> UInt64 {
        await statistics.telemetry.series.filter { $0.key.reason == reason }.reduce(0) { $0 + $1.value.count }
    }

    fileprivate func denials(_ name: String, _ names: StatisticNames) async -> (UInt64, trial: UInt64) {
        guard let number = names.policyNames.firstIndex(of: name) else { return (0, 0) }
        let telemetry = await statistics.telemetry
        return (telemetry.denials(by: number), telemetry.trialDenials(by: number))
    }
}

@Suite(.serialized) struct ProxyAuthorizationTests {
    /// Runs `body` with a proxy in front of a server that says `hello`.
    private func with(
        _ policies: [AuthorizationPolicy], kind: ListenerSpecification.Kind = .plain,
        _ body: (TestProxy, inout ConfigurationBuilder, Mesh) async throws -> Void
    ) async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let mesh = Mesh(server)
        var builder = makeRealBuilder()
        let configuration = builder.apply(mesh.changes(policies))
        try await TestProxy.with(configuration, kind: kind) { proxy in
            try await body(proxy, &builder, mesh)
            try await proxy.settle()
        }
    }

    @Test func methodsPathsHeadersAndHostsDecide() async throws {
        let denials = [
            policy("method", .deny, for: [web], [methods("DELETE", "PU*")]),
            policy("path", .deny, for: [web], [paths("/admin", "/admin/*", "*.secret")]),
            policy(
                "header", .deny, for: [web],
                [
                    requestRule {
                        $0.headers = [
                            .init(name: "x-role", values: Patterns(any: [.exact("a,b"), .exact("x")]))
                        ]
                    }
                ]),
            policy("host", .deny, for: [web], [requestRule { $0.hosts.any = [.exact("web.default")] }]),
        ]
        try await with(denials) { proxy, builder, _ in
            let client = try proxy.connect()
            for (text, status) in [
                (request(), 200), (request(method: "DELETE"), 403), (request(method: "PUT"), 403),
                (request(method: "delete"), 200), (request("/admin"), 403), (request("/admin/x?y"), 403),
                (request("/administrator"), 200), (request("/a.secret?b"), 403),
                (request("/a?b.secret"), 200),
                (request("/", "X-Role: x"), 403), (request("/", "x-role: y"), 200),
                (request("/", "x-role: a", "X-ROLE: b"), 403), (request("/", "x-role: b", "x-role: a"), 200),
                (request(host: "web.default"), 403), (request(host: "WEB.Default:80"), 403),
                (request(host: "web.default.svc"), 200),
            ] {
                let response = try client.request(text)
                #expect(response.status == status, "\(text)")
                #expect(response.text == (status == 200 ? "hello" : "RBAC: access denied"), "\(text)")
            }
            client.close()
            try await proxy.settle()
            #expect(await proxy.denials("default/path", builder.names) == (3, trial: 0))
            #expect(await proxy.denials("default/host", builder.names) == (2, trial: 0))
            #expect(await proxy.count(.policyDenied) == 9)
            #expect(await proxy.count(.completed) == 7)
        }
    }

    /// What is matched is the path that a server resolves, whichever way it is written; and a path that
    /// servers read in two ways must be allowed in both.
    @Test func pathsCannotBeDisguised() async throws {
        let denials = [policy("p", .deny, for: [web], [paths("/admin", "/admin/*")])]
        try await with(denials) { proxy, _, _ in
            let client = try proxy.connect()
            for path in [
                "/admin/", "/./admin", "/x/../admin", "/%61dmin", "/%2e/admin", "/x/%2E%2e/admin/y",
                "/x\\..\\admin", "/admin/../x", "/admin/..", "http://web/admin", "http://web/x/../admin",
            ] {
                #expect(try client.request(request(path)).status == 403, "\(path)")
            }
            for path in ["/Admin", "/x/%2fadmin", "/x/admin", "/", "http://web", "/..admin"] {
                #expect(try client.request(request(path)).status == 200, "\(path)")
            }
            client.close()
        }
        let allowed = [policy("p", .allow, for: [web], [paths("/public/*", "/")])]
        try await with(allowed) { proxy, _, _ in
            let client = try proxy.connect()
            for path in ["/public/x", "/public/./x", "/%70ublic/x", "/public/a/../b", "http://web"] {
                #expect(try client.request(request(path)).status == 200, "\(path)")
            }
            for path in [
                "/public/../admin", "/public/%2e%2e/admin", "/public/..\\admin", "/admin/../public/x",
                "/admin/%2e./public/x", "/admin\\..\\public/x", "/admin/..",
            ] {
                #expect(try client.request(request(path)).status == 403, "\(path)")
            }
            client.close()
        }
    }

    @Test func onlyWhatIsAllowedPasses() async throws {
        let policies = [
            policy("get", .allow, for: [web], [methods("GET")]),
            policy("nothing", .allow, for: [web]),
        ]
        try await with(policies) { proxy, builder, _ in
            let client = try proxy.connect()
            #expect(try client.request(request()).status == 200)
            #expect(try client.request(request(method: "POST")).status == 403)
            // A host that nobody has is nothing that policies protect.
            #expect(try client.request(request(host: "nowhere")).status == 404)
            client.close()
            try await proxy.settle()
            #expect(await proxy.denials("none", builder.names) == (1, trial: 0))
        }
    }

    @Test(arguments: [ListenerSpecification.Kind.plain, dialed])
    func policiesAreAskedBeforeRoutes(kind: ListenerSpecification.Kind) async throws {
        try await with([policy("p", .deny, for: [web], [methods("POST")])], kind: kind) { proxy, builder, _ in
            var own = routes("web", 80, to: "web")
            own.virtualHosts[0].routes[0].match.path = .exact("/only")
            proxy.proxy.replace(builder.apply([.upsert(.routes(own))]))
            _ = await proxy.statistics
            let client = try proxy.connect()
            if kind != .plain { try client.send(records) }
            for (text, status) in [
                (request("/only"), 200), (request("/other"), 404), (request("/only", method: "POST"), 403),
                (request("/other", method: "POST"), 403),
            ] {
                #expect(try client.request(text).status == status, "\(text)")
            }
            client.close()
        }
    }

    @Test func theSourceIsWhoItsAddressSays() async throws {
        let policies = [
            policy(
                "shops", .allow, for: [web],
                [rule { $0.principals.any = [.exact("cluster.local/ns/default/sa/shop")] }])
        ]
        try await with(policies) { proxy, builder, mesh in
            for (source, status) in [("127.0.1.1", 200), ("127.0.1.2", 403), ("127.0.1.3", 403)] {
                let client = try proxy.connect(from: source)
                for _ in 0..<2 { #expect(try client.request(request()).status == status, "\(source)") }
                client.close()
            }
            // Another workload with the address: nobody knows who it is any more. Open connections notice.
            let client = try proxy.connect(from: "127.0.1.1")
            #expect(try client.request(request()).status == 200)
            var double = workload("double", "127.0.1.1", of: "none", ports: [:])
            double.serviceAccount = "shop"
            proxy.proxy.replace(builder.apply([.upsert(.workload(double))]))
            _ = await proxy.statistics
            #expect(try client.request(request()).status == 403)
            proxy.proxy.replace(builder.apply([.remove(.workload(uid: "double"))]))
            _ = await proxy.statistics
            #expect(try client.request(request()).status == 200)
            client.close()
        }
    }

    @Test func theDestinationIsWhatWasDialed() async throws {
        let policies = [
            policy(
                "p", .allow, for: [web],
                [
                    rule {
                        $0.destinationBlocks.any = [IPBlock("10.9.0.0/24")].compactMap { $0 }
                        $0.destinationPorts.any = [80]
                        $0.sourceBlocks.any = [IPBlock("127.0.1.0/24")].compactMap { $0 }
                    }
                ])
        ]
        try await with(policies, kind: dialed) { proxy, _, _ in
            for (source, status) in [("127.0.1.1", 200), ("127.0.2.1", 403)] {
                let client = try proxy.connect(from: source)
                try client.send(records)
                #expect(try client.request(request(host: "whatever")).status == status)
                #expect(try client.request(request(host: "whatever")).status == status)
                client.close()
            }
        }
    }

    @Test func aRefusalKeepsTheConnectionWhenTheRequestIsWhole() async throws {
        try await with([policy("p", .deny, for: [web], [methods("POST")])]) { proxy, _, mesh in
            let client = try proxy.connect()
            let small = request(method: "POST", "Content-Length: 5") + "12345"
            for _ in 0..<3 {
                let response = try client.request(small)
                #expect(response.status == 403)
                #expect(response["content-length"] == "19")
                #expect(response["connection"] == nil)
            }
            let chunked = request(method: "POST", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"
            #expect(try client.request(chunked).status == 403)
            // Pipelined behind a refusal.
            try client.send(small + request() + small)
            #expect(try client.readResponse().status == 403)
            #expect(try client.readResponse().text == "hello")
            #expect(try client.readResponse().status == 403)
            client.close()
            // A body that is not there yet is not waited for.
            let large = try proxy.connect()
            let answer = try large.request(request(method: "POST", "Content-Length: 1000000"))
            #expect(answer.status == 403)
            #expect(answer["connection"] == "close")
            try large.send([UInt8](repeating: 0x61, count: 100_000))
            large.close()
            // The client that asks first sends nothing.
            let polite = try proxy.connect()
            let refusal = try polite.request(
                request(method: "POST", "Content-Length: 5", "Expect: 100-continue"))
            #expect(refusal.status == 403)
            polite.close()
            #expect(mesh.server.connections == 1)
        }
    }

    @Test func aHeadIsRefusedWithoutABody() async throws {
        try await with([policy("p", .deny, for: [web], [methods("HEAD")])]) { proxy, _, _ in
            let client = try proxy.connect()
            let response = try client.request(request(method: "HEAD"), hasBody: false)
            #expect(response.status == 403)
            #expect(response["content-length"] == "19")
            #expect(try client.request(request()).text == "hello")
            client.close()
        }
    }

    @Test func aTrialCountsAndLetsThrough() async throws {
        let policies = [
            policy("try-deny", .deny, for: [web], isDryRun: true, [paths("/a")]),
            policy("try-allow", .allow, for: [web], isDryRun: true, [paths("/a", "/b")]),
        ]
        try await with(policies) { proxy, builder, _ in
            let client = try proxy.connect()
            for path in ["/a", "/b", "/c", "/x/../c"] {
                #expect(try client.request(request(path)).status == 200)
            }
            client.close()
            try await proxy.settle()
            #expect(await proxy.denials("default/try-deny", builder.names) == (0, trial: 1))
            #expect(await proxy.denials("default/try-allow", builder.names) == (0, trial: 2))
            let metrics = await metrics(proxy, builder)
            #expect(metrics.contains(#"authorization_trial_denied_total{policy="default/try-deny"} 1"#))
            #expect(metrics.contains(#"authorization_denied_total{policy="default/try-deny"} 0"#))
        }
    }

    @Test func changesHoldForTheNextRequest() async throws {
        try await with([]) { proxy, builder, _ in
            let client = try proxy.connect()
            #expect(try client.request(request()).status == 200)
            for (change, status) in [
                (policy("p", .deny, for: [web], [methods("GET")]), 403),
                (policy("p", .deny, for: [web], [methods("PUT")]), 200),
                (policy("p", .allow, for: [web]), 403),
                (policy("p", .deny, for: [.service(key("other"))], [methods("GET")]), 200),
            ] {
                proxy.proxy.replace(builder.apply([.upsert(.policy(change))]))
                // Workers have taken it once they answer.
                _ = await proxy.statistics
                #expect(try client.request(request()).status == status)
            }
            client.close()
        }
    }

    private func metrics(_ proxy: TestProxy, _ builder: ConfigurationBuilder) async -> String {
        let exposition = MetricsExposition(
            statistics: await proxy.proxy.statistics(), facts: OperationRecord.Facts(), names: builder.names,
            version: 1, process: ProcessUse.now())
        return String(decoding: exposition.text(), as: UTF8.self)
    }

    @Test func denialsAreSeen() async throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let policies = [policy("p", .deny, for: [web, .waypoints], [paths("/b"), paths("/a")])]
        try await with(policies, kind: dialed) { proxy, builder, _ in
            proxy.proxy.log(.json, to: try LogFile(path))
            let client = try proxy.connect()
            try client.send(records)
            #expect(try client.request(request("/a")).status == 403)
            client.close()
            try await proxy.settle()
            let metrics = await metrics(proxy, builder)
            let service = "web.default.svc.cluster.local:80"
            let labels =
                #"route="",destination_service="\#(service)",response_code="403",reason="policy_denied""#
            #expect(metrics.contains("requests_total{\(labels)} 1"))
            #expect(metrics.contains(#"authorization_denied_total{policy="default/p"} 1"#))
            var line = ""
            for _ in 0..<100 where line.isEmpty {
                line = (try? Files.readText(path)) ?? ""
                pause(.milliseconds(10))
            }
            let logged = try JSONValue(parsing: line)
            let details = "rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[1]]"
            #expect(logged["response_code_details"]?.string == details)
            #expect(logged["response_code"]?.integer() == 403)
            #expect(logged["bytes_sent"]?.integer() == 19)

            var dump = ConfigurationDump(
                proxy.proxy.currentConfiguration, listeners: [], facts: OperationRecord.Facts())
            var text: [UInt8] = []
            while let piece = dump.next() { text += piece }
            let shown = try JSONValue(parsing: text)["policies"]?.array?.first
            #expect(shown?["name"]?.string == "default/p")
            #expect(shown?["action"]?.string == "DENY")
            #expect(shown?["targets"]?.array?.count == 2)
            #expect(shown?["rules"]?.array?.count == 2)
        }
    }

    /// The word of a trusted proxy on the source counts.
    @Test func aConveyedSourceIsTheSource() async throws {
        let policies = [
            policy(
                "shops", .allow, for: [web],
                [rule { $0.serviceAccounts.any = [.init(namespace: "default", name: "shop")] }])
        ]
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        var builder = makeRealBuilder()
        let configuration = builder.apply(Mesh(server).changes(policies))
        var options = ProxyOptions()
        options.workers = 1
        let loopback = try #require(AddressPrefix(address("127.0.0.0"), length: 8))
        let proxy = try WaypointProxy(
            options: options,
            listeners: [
                ListenerSpecification(
                    address: SocketAddress(address("127.0.0.1"), 0), kind: .plain,
                    acceptsProxyProtocolFrom: [loopback])
            ], configuration: configuration)
        try proxy.start()
        for (line, status) in [
            ("PROXY TCP4 127.0.1.1 127.0.0.1 1 2\r\n", 200), ("PROXY TCP4 127.0.1.2 127.0.0.1 1 2\r\n", 403),
            ("", 403),
        ] {
            let client = try TestSocket(to: proxy.addresses[0])
            #expect(try client.request(line + request()).status == status, "\(line)")
        }
        await proxy.stop()
    }
}
