/// Bytes that are no HTTP, and connections with metadata.
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

private let service = ListenerSpecification.Kind.servicePort(backend(0))
private let metadata = ListenerSpecification.Kind.metadata(option: true, prefix: true)

@Suite(.serialized) struct ProxyStreamTests {
    /// Echoes what comes, and ends when the client has.
    static func echo() throws -> TestServer {
        try TestServer { socket in
            while true {
                let bytes = try socket.receive()
                if bytes.isEmpty { break }
                try socket.send(bytes)
            }
            try socket.send("bye")
            socket.finishSending()
        }
    }

    @Test(arguments: [ApplicationProtocol.detect, .tcp])
    func bytesOfAnyKindPass(kind: ApplicationProtocol) async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: kind)
        try await TestProxy.with(configuration, kind: service) { proxy in
            for first: [UInt8] in [[0x16, 3, 1, 2, 0], Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), [0]] {
                let client = try proxy.connect()
                try client.send(first)
                #expect(try client.receive(exactly: first.count) == first)
                try client.send("more")
                #expect(try client.receive(exactly: 4) == Array("more".utf8))
                // The end of one direction is passed on, and the other one goes on.
                client.finishSending()
                #expect(try client.receiveAll() == Array("bye".utf8))
            }
            try await proxy.settle()
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry.series.keys.allSatisfy { $0.isPassthrough && $0.reason == .completed })
        }
    }

    @Test func aServerMaySpeakFirst() async throws {
        let server = try TestServer { socket in
            try socket.send("220 ready\r\n")
            let line = try socket.receive(through: "\r\n")
            #expect(line == "QUIT\r\n")
            try socket.send("221 bye\r\n")
        }
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .detect)
        try await TestProxy.with(configuration, kind: service) { proxy in
            let client = try proxy.connect()
            #expect(try client.receive(through: "\r\n") == "220 ready\r\n")
            try client.send("QUIT\r\n")
            #expect(try client.receiveAll() == Array("221 bye\r\n".utf8))
            client.close()
            try await proxy.settle()
            #expect(await proxy.statistics.telemetry[.detectionTimeouts] == 1)
        }
    }

    @Test func aStreamHasALineInTheAccessLog() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let configuration = configuration([cluster(0, [server.address])], protocol: .tcp)
        try await TestProxy.with(configuration, kind: service) { proxy in
            proxy.proxy.log(.json, to: try LogFile(path))
            let client = try proxy.connect()
            try client.send("12345")
            client.finishSending()
            #expect(try client.receiveAll() == Array("12345bye".utf8))
            try await proxy.settle()
            let line = try JSONValue(parsing: Files.readText(path))
            #expect(line["protocol"] == .null)
            #expect(line["bytes_received"]?.integer() == 5)
            #expect(line["bytes_sent"]?.integer() == 8)
            #expect(line["upstream_host"]?.string == server.address.description)
        }
    }

    /// The first reading fills a buffer, and more is there when the stream begins.
    @Test func aFirstFlightOfManyBytesBeginsOneStream() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .detect)
        try await TestProxy.with(configuration, kind: service) { proxy in
            let client = try proxy.connect()
            let bytes = [UInt8](repeating: 0x16, count: 100_000)
            try client.send(bytes)
            #expect(try client.receive(exactly: bytes.count) == bytes)
            client.finishSending()
            #expect(try client.receiveAll() == Array("bye".utf8))
            try await proxy.settle()
            #expect(await proxy.statistics.telemetry[.upstreamConnects] == 1)
            #expect(server.connections == 1)
        }
    }

    @Test func manyBytesPassInBothDirections() async throws {
        let size = 6_000_000
        let server = try Self.echo()
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .tcp)
        try await TestProxy.with(configuration, kind: service) { proxy in
            let client = try proxy.connect()
            let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let descriptor = client.descriptor
            try DedicatedThread.start("sender") {
                let sender = TestSocket(descriptor)
                try? sender.send(sent)
                sender.finishSending()
                sender.disown()
            }
            let received = try client.receiveAll()
            #expect(received.count == size + 3)
            #expect(received.dropLast(3).elementsEqual(sent))
            try await proxy.settle()
        }
    }

    @Test func aResetIsPassedOn() async throws {
        let server = try TestServer { socket in
            _ = try socket.receive()
            socket.reset()
        }
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .tcp)
        try await TestProxy.with(configuration, kind: service) { proxy in
            let client = try proxy.connect()
            try client.send("x")
            #expect(throws: Errno.connectionReset) { try client.receive() }
            try await proxy.settle()
        }
    }

    @Test func httpIsFoundOnAnUndeclaredPort() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .detect)
        let patient: (inout ProxyOptions) -> Void = { $0.timeouts.protocolDetection = 20000 }
        try await TestProxy.with(configuration, kind: service, options: patient) { proxy in
            let client = try proxy.connect()
            try client.send("GE")
            pause(.milliseconds(20))
            #expect(try client.request("T / HTTP/1.1\r\nHost: a\r\n\r\n").text == "hello")
            #expect(try client.request(get).text == "hello")
            client.close()
            try await proxy.settle()
            #expect(await proxy.statistics.telemetry[.sniffedHTTP] == 1)
        }
    }

    @Test func anEndpointThatRefusesIsPassedOver() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let clusters = [cluster(0, [try TestServer.refusing(), server.address])]
        try await TestProxy.with(configuration(clusters, protocol: .tcp), kind: service) { proxy in
            for _ in 0..<4 {
                let client = try proxy.connect()
                try client.send("x")
                #expect(try client.receive() == [UInt8(ascii: "x")])
            }
            #expect(await proxy.statistics.telemetry[.upstreamConnectFailures] == 1)
        }
        try await TestProxy.with(
            configuration([cluster(0, [try TestServer.refusing()])], protocol: .tcp), kind: service
        ) { proxy in
            let client = try proxy.connect()
            #expect(throws: Errno.connectionReset) { try client.receive() }
            try await proxy.settle()
        }
    }

    // MARK: Metadata

    /// 10.0.0.1:80, as the tests' configuration knows it.
    static let records: [UInt8] = [1, 0, 0, 0, 6, 10, 0, 0, 1, 0, 80, 0xfe, 0, 0, 0, 0]

    @Test(arguments: [ApplicationProtocol.detect, .tcp, .http])
    func recordsSayWhereAConnectionGoes(kind: ApplicationProtocol) async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: kind)
        try await TestProxy.with(configuration, kind: metadata) { proxy in
            let whole = try proxy.connect()
            try whole.send(Self.records + Array(get.utf8))
            #expect(try whole.readResponse().text == "hello")
            let pieces = try proxy.connect()
            for byte in Self.records + Array(get.utf8) {
                try pieces.send([byte])
                pause(.milliseconds(1))
            }
            #expect(try pieces.readResponse().text == "hello")
            whole.close()
            pieces.close()
            try await proxy.settle()
        }
    }

    /// The port that the client dialed, and not that of the waypoint, which nobody could follow.
    @Test func aRedirectLeadsToWhatWasDialed() async throws {
        let made = configuration([]) { $0.action = .redirect(RedirectAction(path: .full("/there"))) }
        var targets = TargetIndex()
        targets.insert(
            Target(kind: .service(backend(0)), applicationProtocol: .http, cluster: -1, table: 0),
            at: [SocketAddress(IPAddress(v4: 0x0a00_0001), 80)])
        let configuration = WaypointConfiguration(
            version: 1, clusters: [], tables: made.tables, targets: targets, plainTable: nil)
        try await TestProxy.with(configuration, kind: metadata) { proxy in
            let client = try proxy.connect()
            try client.send(Self.records + Array(get.utf8))
            #expect(try client.readResponse()["location"] == "http://a/there")
            client.close()
            try await proxy.settle()
        }
    }

    @Test func whatIsNoFrontendIsNeverConnectedTo() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])]), kind: metadata) { proxy in
            var port = Self.records
            port[10] = 81
            var loopback = Self.records
            loopback.replaceSubrange(
                5..<11,
                with: [127, 0, 0, 1, UInt8(server.address.port >> 8), UInt8(server.address.port & 255)])
            for bytes in [port, loopback, Array(get.utf8), [1, 1]] {
                let client = try proxy.connect()
                try client.send(bytes)
                #expect(throws: Errno.connectionReset) { try client.receive() }
            }
            try await proxy.settle()
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry[.metadataUnknownDestination] == 2)
            #expect(telemetry[.metadataMissing] == 1)
            #expect(telemetry[.metadataMalformed] == 1)
            #expect(server.connections == 0)
        }
    }
}
