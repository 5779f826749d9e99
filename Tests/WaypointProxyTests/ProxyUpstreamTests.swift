/// Upstreams that fail, are slow, or are too few.
import KmeshKit
import Synchronization
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct ProxyUpstreamTests {
    private func post(_ body: String) -> String {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// Answers one request for each connection, says nothing of closing, and closes.
    private func forgetful(after delay: Duration = .zero) throws -> TestServer {
        try TestServer { socket in
            guard try socket.readMessage() != nil else { return }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            pause(delay)
        }
    }

    @Test func aStalePooledConnectionIsReplaced() async throws {
        // It closes when the next request comes: nothing of that is taken.
        let server = try TestServer { socket in
            guard try socket.readMessage() != nil else { return }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try Poll.readable([socket.descriptor], timeout: .seconds(5))
            _ = try socket.receive()
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<5 { #expect(try client.request(get).text == "ok") }
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry[.staleRetries] == 4)
            // It was taken this time, and may have been worked on.
            #expect(try client.request(post("x")).status == 502)
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aClosedPooledConnectionIsNotUsed() async throws {
        let server = try forgetful()
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<20 {
                #expect(try client.request(post("x")).text == "ok")
                if Bool.random() { pause(.milliseconds(2)) }
            }
            client.close()
            try await proxy.settle()
        }
    }

    @Test(arguments: 0..<75)
    func aResponseMayEndAtEachByte(count: Int) async throws {
        let response = Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nServer: test\r\n\r\n0123456789".utf8)
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            try socket.send(Array(response.prefix(count)))
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let received = String(decoding: try client.receiveAll(), as: UTF8.self)
            let bodyStart = response.count - 10
            if count < bodyStart {
                #expect(received.hasPrefix("HTTP/1.1 502 "))
            } else {
                #expect(received.hasPrefix("HTTP/1.1 200 "))
                #expect(received.hasSuffix("\r\n" + "0123456789".prefix(count - bodyStart)))
            }
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aClientMayEndAtEachByte() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let request = Array(post("body").utf8)
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            for count in 0..<request.count {
                let client = try proxy.connect()
                try client.send(Array(request.prefix(count)))
                if count % 2 == 0 { client.reset() } else { client.close() }
            }
            try await proxy.settle()
        }
    }

    @Test func anEndpointThatRefusesIsPassedOver() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let clusters = [cluster(0, [try TestServer.refusing(), server.address])]
        try await TestProxy.with(configuration(clusters)) { proxy in
            let client = try proxy.connect()
            for _ in 0..<10 { #expect(try client.request(post("x")).text == "hello") }
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry[.upstreamConnectFailures] == 1)
            #expect(telemetry[.endpointsPassedOver] == 1)
        }
    }

    @Test func aLaterTierServesWhenTheFirstRefuses() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let clusters = [cluster(0, [try TestServer.refusing(), server.address], tiers: [0, 1])]
        try await TestProxy.with(configuration(clusters)) { proxy in
            let client = try proxy.connect()
            for _ in 0..<3 { #expect(try client.request(get).text == "hello") }
        }
    }

    @Test func withoutAnEndpointTheAnswerSaysSo() async throws {
        try await TestProxy.with(configuration([cluster(0, [])])) { proxy in
            let client = try proxy.connect()
            #expect(try client.request(get).status == 503)
            #expect(try client.request(get).status == 503)
            let reasons = await proxy.statistics.telemetry.series.keys.map(\.reason)
            #expect(reasons == [.noEndpoint])
        }
        try await TestProxy.with(configuration([cluster(0, [try TestServer.refusing()])])) { proxy in
            let client = try proxy.connect()
            #expect(try client.request(get).status == 503)
            let reasons = await proxy.statistics.telemetry.series.keys.map(\.reason)
            #expect(reasons == [.connectFailed])
        }
    }

    @Test func codesOfThePolicyAreTriedAgain() async throws {
        let bad = try TestServer.http { _ in "HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nbad" }
        let good = try TestServer.saying("good")
        defer {
            bad.stop()
            good.stop()
        }
        let clusters = [cluster(0, [bad.address, good.address])]
        let retries = configuration(clusters) { route in
            route.action = .forward(
                ForwardAction(
                    backends: [WeightedBackend(backend: backend(0))],
                    retry: RetryPolicy(attempts: 2, codes: [503], backoff: 5)))
        }
        try await TestProxy.with(retries) { proxy in
            let client = try proxy.connect()
            for _ in 0..<6 { #expect(try client.request(get).text == "good") }
            #expect(await proxy.statistics.telemetry[.retries] >= 2)
            // What is not to be repeated is not.
            var statuses: Set<Int> = []
            for _ in 0..<6 { statuses.insert(try client.request(post("x")).status) }
            #expect(statuses == [200, 503])
            client.close()
            try await proxy.settle()
        }
    }

    @Test(arguments: [true, false])
    func slowUpstreamsAreTimedOut(isWholeRequest: Bool) async throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            pause(.seconds(5))
        }
        defer { server.stop() }
        let limited = configuration([cluster(0, [server.address])]) { route in
            route.action = .forward(
                ForwardAction(
                    backends: [WeightedBackend(backend: backend(0))],
                    requestTimeout: isWholeRequest ? 100 : nil,
                    backendTimeout: isWholeRequest ? nil : 100))
        }
        try await TestProxy.with(limited) { proxy in
            let client = try proxy.connect()
            let start = ContinuousClock.now
            #expect(try client.request(get).status == 504)
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(95) && took < .seconds(4))
            client.close()
            try await proxy.settle()
        }
    }

    /// A server that goes down has taken new connections, too.
    @Test func aNewConnectionThatIsLostIsRepeatedElsewhere() async throws {
        let dying = try TestServer { socket in _ = try socket.readMessage() }
        let other = try TestServer.saying("other")
        defer { for server in [dying, other] { server.stop() } }
        try await TestProxy.with(configuration([cluster(0, [dying.address, other.address])])) { proxy in
            for _ in 0..<20 {
                let client = try proxy.connect()
                #expect(try client.request(get).text == "other")
                client.close()
            }
            // A request with an effect may have had it.
            let statuses = try (0..<20).map { _ in
                let client = try proxy.connect()
                defer { client.close() }
                return try client.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").status
            }
            #expect(Set(statuses) == [200, 502])
            try await proxy.settle()
        }
    }

    @Test func aTimeoutOfZeroIsNone() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let patient: (inout ProxyOptions) -> Void = { options in
            options.timeouts.requestHead = 0
            options.timeouts.downstreamIdle = 0
            options.timeouts.connect = 0
        }
        let configuration = configuration([cluster(0, [server.address])])
        try await TestProxy.with(configuration, options: patient) { proxy in
            let client = try proxy.connect()
            pause(milliseconds: 100)
            try client.send("GET / HTTP/1.1\r\n")
            pause(milliseconds: 100)
            try client.send("Host: a\r\n\r\n")
            #expect(try client.readResponse().status == 200)
            client.close()
            try await proxy.settle()
        }
    }

    @Test func slowClientsAreTimedOut() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let impatient: (inout ProxyOptions) -> Void = { options in
            options.timeouts.requestHead = 100
            options.timeouts.downstreamIdle = 200
        }
        let configuration = configuration([cluster(0, [server.address])])
        try await TestProxy.with(configuration, options: impatient) { proxy in
            let slow = try proxy.connect()
            try slow.send("GET / HTTP/1.1\r\n")
            #expect(try slow.readResponse().status == 408)
            #expect(try slow.isClosed())
            let idle = try proxy.connect()
            #expect(try idle.request(get).text == "hello")
            #expect(try idle.isClosed())
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry[.headTimeouts] == 1)
            #expect(telemetry[.idleTimeouts] == 1)
        }
    }

    @Test func connectionsAndWaitingRequestsAreBounded() async throws {
        let gate = TestGate()
        let server = try TestServer { socket in
            while try socket.readMessage() != nil {
                gate.wait()
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        defer { server.stop() }
        let limits = ClusterLimits(connections: 2, pendingRequests: 3)
        try await TestProxy.with(configuration([cluster(0, [server.address], limits: limits)])) { proxy in
            let clients = try (0..<8).map { _ in try proxy.connect() }
            for (index, client) in clients.enumerated() {
                try client.send(get)
                // One after the other: the last three are refused.
                let wanted = (min(index + 1, 5), max(index - 4, 0))
                let isThere = try await proxy.wait {
                    ($0.exchanges, Int($0.telemetry[.pendingOverflow])) == wanted
                }
                #expect(isThere)
            }
            gate.open()
            let statuses = try clients.map { try $0.readResponse().status }
            #expect(statuses == [200, 200, 200, 200, 200, 503, 503, 503])
            #expect(server.connections == 2)
            for client in clients { client.close() }
            try await proxy.settle()
            let telemetry = await proxy.statistics.telemetry
            #expect(telemetry[.pendingOverflow] == 3)
            #expect(telemetry[.pendingRequests] == 0)
        }
    }

    @Test func aSlowReaderCostsBoundedMemory() async throws {
        let size = 6_000_000
        let body = String(repeating: "0123456789", count: size / 10)
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n" + body)
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send(get)
            pause(.milliseconds(300))
            #expect(await proxy.statistics.buffers <= 2)
            let response = try client.readResponse()
            #expect(response.body.count == size)
            #expect(response.body.elementsEqual(body.utf8))
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aSlowUpstreamCostsBoundedMemory() async throws {
        let size = 6_000_000
        let server = try TestServer { socket in
            let head = try socket.receive(through: "\r\n\r\n")
            #expect(head != nil)
            pause(.milliseconds(300))
            let body = try socket.receive(exactly: size)
            let sum = body.reduce(0) { $0 &+ Int($1) }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \("\(sum)".count)\r\n\r\n\(sum)")
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            let descriptor = client.descriptor
            let body = [UInt8](repeating: 7, count: size)
            try DedicatedThread.start("sender") {
                let sender = TestSocket(descriptor)
                try? sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
                try? sender.send(body)
                sender.disown()
            }
            pause(.milliseconds(150))
            #expect(await proxy.statistics.buffers <= 2)
            #expect(try client.readResponse().text == "\(7 * size)")
            client.close()
            try await proxy.settle()
        }
    }

    @Test func anUpgradedConnectionIsAStream() async throws {
        let server = try TestServer { socket in
            let request = try socket.readMessage()
            #expect(request?["upgrade"] == "echo")
            #expect(request?["connection"]?.lowercased() == "upgrade")
            try socket.send(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst")
            while true {
                let bytes = try socket.receive()
                if bytes.isEmpty { break }
                try socket.send(bytes)
            }
            try socket.send("bye")
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearly")
            let response = try client.readResponse(hasBody: false)
            #expect(response.status == 101)
            #expect(response["upgrade"] == "echo")
            #expect(try client.receive(exactly: 10) == Array("firstearly".utf8))
            try client.send("more")
            #expect(try client.receive(exactly: 4) == Array("more".utf8))
            client.finishSending()
            #expect(try client.receiveAll() == Array("bye".utf8))
            client.close()
            try await proxy.settle()
            #expect(await proxy.statistics.upstreamConnections == 0)
        }
    }
}
