// Policies at work on bytes that are passed through.
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

private let records: [UInt8] = [1, 0, 0, 0, 6, 10, 9, 0, 1, 0, 80, 0xfe, 0, 0, 0, 0]
private let web = PolicyTarget.service(key("web"))
private let gateway = PolicyTarget.gateway(namespace: "default", name: "waypoint")

@Suite(.serialized) struct StreamAuthorizationTests {
    private func with(
        _ policies: [AuthorizationPolicy], protocol kind: ApplicationProtocol = .tcp,
        options: (inout ProxyOptions) -> Void = { _ in },
        _ body: (TestProxy, inout ConfigurationBuilder, TestServer) async throws -> Void
    ) async throws {
        let server = try ProxyStreamTests.echo()
        defer { server.stop() }
        var made = service("web", ports: [80], at: ["10.9.0.1"])
        made.ports[0].applicationProtocol = kind
        made.waypoint = WaypointReference(service: key("waypoint"))
        let endpoint = workload("server", "127.0.0.1", of: "web", ports: [80: server.address.port])
        var builder = ConfigurationBuilder(ConfigurationBuilder.Options(), compile: RouteTable.compile)
        let configuration = builder.apply(
            [.upsert(.service(made)), .upsert(.workload(endpoint))] + policies.map { .upsert(.policy($0)) })
        let listener = ListenerSpecification.Kind.metadata(option: true, prefix: true)
        try await TestProxy.with(configuration, kind: listener, options: options) { proxy in
            try await body(proxy, &builder, server)
            try await proxy.settle()
        }
    }

    private func source(_ block: String) -> PolicyRule {
        rule { $0.sourceBlocks.any = [IPBlock(block)].compactMap { $0 } }
    }

    private func getAt(_ port: UInt16) -> PolicyRule {
        var rule = methods("GET")
        rule.clauses[0][0].destinationPorts.any = [port]
        return rule
    }

    private func stream(_ proxy: TestProxy, from place: String) throws -> TestSocket {
        let client = try TestSocket(to: proxy.proxy.addresses[0], from: address(place))
        try client.send(records + Array("ping".utf8))
        return client
    }

    @Test(arguments: [ApplicationProtocol.tcp, .detect])
    func whatIsDeniedIsResetBeforeAByteIsPassed(kind: ApplicationProtocol) async throws {
        let policies = [policy("p", .deny, for: [web], [source("127.0.1.1")])]
        try await with(policies, protocol: kind) { proxy, builder, server in
            let denied = try stream(proxy, from: "127.0.1.1")
            #expect(throws: Errno.connectionReset) { try denied.receive() }
            try await proxy.settle()
            #expect(server.connections == 0)
            let allowed = try stream(proxy, from: "127.0.1.2")
            #expect(try allowed.receive(exactly: 4) == Array("ping".utf8))
            allowed.close()
            try await proxy.settle()
            let telemetry = await proxy.statistics.telemetry
            let refused = telemetry.series.filter { $0.key.reason == .policyDenied }
            #expect(refused.values.first?.count == 1)
            #expect(refused.keys.first?.isPassthrough == true)
            #expect(refused.keys.first?.cluster == 0)
            let number = try #require(builder.names.policyNames.firstIndex(of: "default/p"))
            #expect(telemetry.denials(by: number) == 1)
        }
    }

    /// Rules that ask for requests: where they allow they never match, where they deny that counts as met.
    @Test func whatCannotBeSeenIsNotAllowed() async throws {
        for (asking, isAllowed) in [
            (policy("p", .allow, for: [web], [methods("GET")]), false),
            (policy("p", .allow, for: [gateway], [methods("GET"), source("127.0.1.0/24")]), true),
            (policy("p", .deny, for: [web], [paths("/admin")]), false),
            (policy("p", .deny, for: [.waypoints], [getAt(80)]), false),
            (policy("p", .deny, for: [.waypoints], [getAt(81)]), true),
        ] {
            try await with([asking]) { proxy, _, _ in
                let client = try stream(proxy, from: "127.0.1.1")
                if isAllowed {
                    #expect(try client.receive(exactly: 4) == Array("ping".utf8))
                } else {
                    #expect(throws: Errno.connectionReset) { try client.receive() }
                }
                client.close()
            }
        }
    }

    /// A request that comes late, or in a way that is not told from other bytes, does not pass for a stream.
    @Test func whoWaitsDoesNotSlipThrough() async throws {
        try await with([policy("p", .deny, for: [web], [paths("/admin")])], protocol: .detect) {
            proxy, _, server in
            for first in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""] {
                let client = try TestSocket(to: proxy.proxy.addresses[0], from: address("127.0.1.1"))
                try client.send(records + Array(first.utf8))
                #expect(throws: Errno.connectionReset) { try client.receive() }
            }
            try await proxy.settle()
            #expect(server.connections == 0)
            #expect(await proxy.statistics.telemetry[.detectionTimeouts] == 1)
        }
    }

    @Test func aNewPolicyEndsStreams() async throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let trial = policy("trial", .deny, for: [web], isDryRun: true, [source("127.0.0.0/8")])
        try await with([trial]) { proxy, builder, server in
            proxy.proxy.log(.text, to: try LogFile(path))
            let (first, second) = (try stream(proxy, from: "127.0.1.1"), try stream(proxy, from: "127.0.1.2"))
            for client in [first, second] {
                #expect(try client.receive(exactly: 4) == Array("ping".utf8))
            }
            proxy.proxy.replace(
                builder.apply([.upsert(.policy(policy("p", .deny, for: [web], [source("127.0.1.1")])))]))
            #expect(throws: Errno.connectionReset) { try first.receive() }
            try second.send("more")
            #expect(try second.receive(exactly: 4) == Array("more".utf8))
            second.close()
            try await proxy.settle()
            // Each stream counts once for a policy under trial.
            let number = try #require(builder.names.policyNames.firstIndex(of: "default/trial"))
            #expect(await proxy.statistics.telemetry.trialDenials(by: number) == 2)
            let log = try Files.readText(path)
            #expect(log.contains("\"rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[0]]\""))
            #expect(log.split(separator: "\n").count == 2)
        }
    }

    /// The first bytes decide on the protocol, and the policies that count are those of that moment.
    @Test func aPolicyThatComesWhileBytesAreAwaitedCounts() async throws {
        let patient: (inout ProxyOptions) -> Void = { $0.timeouts.protocolDetection = 20000 }
        try await with([], protocol: .detect, options: patient) { proxy, builder, server in
            let client = try TestSocket(to: proxy.proxy.addresses[0], from: address("127.0.1.1"))
            try client.send(records)
            while await proxy.statistics.telemetry[.metadataFromTLV] == 0 { pause(.milliseconds(1)) }
            // The target has another number in the last one, and its old number belongs to another.
            let made = try #require(builder.services[key("web")])
            for change: ResourceChange<MeshResource> in [
                .remove(.service(key("web"))),
                .upsert(.service(service("other", ports: [80], at: ["10.9.0.9"]))),
                .upsert(.service(made)),
                .upsert(.policy(policy("p", .deny, for: [web], [source("127.0.1.1")]))),
            ] {
                proxy.proxy.replace(builder.apply([change]))
            }
            _ = await proxy.statistics
            try client.send([0x16, 3, 1])
            #expect(throws: Errno.connectionReset) { try client.receive() }
            try await proxy.settle()
            #expect(server.connections == 0)
            let reasons = await proxy.statistics.telemetry.series.keys.map(\.reason)
            #expect(reasons == [.policyDenied])
        }
    }

    @Test func workloadsByTheirOwnAddressesAreProtected() async throws {
        let server = try ProxyStreamTests.echo()
        defer { server.stop() }
        var pod = workload("pod", "127.0.0.1", of: "none", ports: [:])
        pod.waypoint = WaypointReference(service: key("waypoint"))
        var builder = ConfigurationBuilder(ConfigurationBuilder.Options(), compile: RouteTable.compile)
        let configuration = builder.apply([
            .upsert(.workload(pod)),
            .upsert(.policy(policy("p", .allow, for: [gateway], [source("127.0.1.1")]))),
        ])
        var prefix: [UInt8] = [1, 0, 0, 0, 6, 127, 0, 0, 1]
        prefix += [UInt8(server.address.port >> 8), UInt8(server.address.port & 255), 0xfe, 0, 0, 0, 0]
        try await TestProxy.with(configuration, kind: .metadata(option: true, prefix: true)) { proxy in
            for (place, isAllowed) in [("127.0.1.1", true), ("127.0.1.2", false)] {
                let client = try TestSocket(to: proxy.proxy.addresses[0], from: address(place))
                try client.send(prefix + Array("ping".utf8))
                if isAllowed {
                    #expect(try client.receive(exactly: 4) == Array("ping".utf8))
                } else {
                    #expect(throws: Errno.connectionReset) { try client.receive() }
                }
                client.close()
            }
            try await proxy.settle()
        }
    }
}
