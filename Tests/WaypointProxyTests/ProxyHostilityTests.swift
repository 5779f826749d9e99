/// Clients and servers that break the rules, or go to the edges of what is allowed.
import KmeshKit
import Testing

@testable import WaypointProxy

/// A header line of about `size` bytes.
func longHeader(_ size: Int) -> HeaderChanges {
    HeaderChanges(add: [HeaderValue(name: "X-Long", value: String(repeating: "h", count: size))])
}

func ok(_ body: String) -> String { "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }

@Suite(.serialized) struct ProxyHostilityTests {
    // MARK: Heads that grow

    @Test func aLongerHeadFitsBeforeTheBodyOfAPipelinedRequest() async throws {
        let server = try TestServer.http { request in ok("\(request.body.count)") }
        defer { server.stop() }
        let edited = configuration([cluster(0, [server.address])]) { route in
            route.match.path = .prefix("/edit")
            route.requestHeaders = longHeader(3000)
        }
        try await TestProxy.with(edited) { proxy in
            let client = try proxy.connect()
            // The second one does not begin at its buffer's front, and fills the buffer.
            let first = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
            let body = String(repeating: "x", count: 30000)
            let head = "POST /edit HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            try client.send(first + head + body)
            #expect(try client.readResponse().status == 404)
            #expect(try client.readResponse().text == "30000")
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aLongerHeadFitsWhereItIsLongAlready() async throws {
        let server = try TestServer.http { request in ok("\(request.body.count)") }
        defer { server.stop() }
        let edited = configuration([cluster(0, [server.address])]) { route in
            route.requestHeaders = longHeader(3000)
        }
        try await TestProxy.with(edited) { proxy in
            let client = try proxy.connect()
            let cookies = String(repeating: "Cookie: \(String(repeating: "c", count: 4000))\r\n", count: 5)
            let body = String(repeating: "x", count: 100_000)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(cookies)Content-Length: 100000\r\n\r\n" + body)
            #expect(try client.readResponse().text == "100000")
        }
    }

    @Test func aLongerHeadFitsBeforeALargeBody() async throws {
        let body = String(repeating: "x", count: 300_000)
        let server = try TestServer.saying(body)
        defer { server.stop() }
        let edited = configuration([cluster(0, [server.address])]) { route in
            route.responseHeaders = longHeader(3000)
        }
        try await TestProxy.with(edited) { proxy in
            let client = try proxy.connect()
            for _ in 0..<5 {
                let response = try client.request(get)
                #expect(response.status == 200)
                #expect(response.body.count == body.utf8.count)
                #expect(response["x-long"]?.count == 3000)
                // The next response waits in the socket when the proxy looks.
                pause(.milliseconds(20))
            }
            client.close()
            try await proxy.settle()
        }
    }

    // MARK: Connections of servers, between two clients

    @Test func bytesBehindAResponseAreNobodysAnswer() async throws {
        // What one read takes ends exactly with the response.
        let length = Int(BufferPool.small)
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 16000\r\nX-Fill: "
        let fill = String(repeating: "f", count: length - 16000 - head.utf8.count - 4)
        let response = head + fill + "\r\n\r\n" + String(repeating: "x", count: 16000)
        #expect(response.utf8.count == length)
        let server = try TestServer.http { request in
            request.start.contains("/first") ? response + ok("evil") : ok("good")
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            #expect(try client.request("GET /first HTTP/1.1\r\nHost: a\r\n\r\n").body.count == 16000)
            pause(.milliseconds(20))
            #expect(try client.request(get).text == "good")
            client.close()
            try await proxy.settle()
        }
    }

    /// How many bytes of a body the proxy takes while the server reads none.
    private func bytesBeforeTheProxyStops(_ server: TestServer) async throws -> Int {
        var received = 0
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            client.fill(Array(repeating: 120, count: 1 << 16))
            client.reset()
            try await proxy.settle()
            let series = await proxy.statistics.telemetry.series
            received = series.values.reduce(0) { $0 + Int($1.bytesReceived) }
        }
        return received
    }

    @Test func aRequestThatWasNotSentOnWholeEndsItsUpstream() async throws {
        // Answers before it reads the body, and then reads what the head said.
        let server = try TestServer { socket in
            while let head = try socket.receive(through: "\r\n\r\n") {
                if head.contains("/hold") { return pause(.seconds(2)) }
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                pause(.milliseconds(300))
                try socket.send(ok(head.contains("/early") ? "early" : "good"))
                if let length { _ = try socket.receive(exactly: Int(length.dropFirst(16)) ?? 0) }
            }
        }
        defer { server.stop() }
        let most = try await bytesBeforeTheProxyStops(server)
        for size in stride(from: most - 60000, through: most, by: 15000) {
            try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
                let client = try proxy.connect()
                try client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
                try client.send(Array(repeating: 120, count: size))
                #expect(try client.readResponse().text == "early")
                let other = try proxy.connect()
                #expect(try other.request(get).text == "good", "after \(size) bytes")
            }
        }
    }

    // MARK: Waiting

    @Test func aBodyGoesOnAfterItsRequestHasWaited() async throws {
        let server = try TestServer.http { request in
            if request.start.contains("/slow") { pause(.milliseconds(300)) }
            return ok("\(request.body.count)")
        }
        defer { server.stop() }
        let limits = ClusterLimits(connections: 1, pendingRequests: 10)
        try await TestProxy.with(configuration([cluster(0, [server.address], limits: limits)])) { proxy in
            let slow = try proxy.connect()
            try slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            pause(.milliseconds(50))
            let client = try proxy.connect()
            let body = String(repeating: "x", count: 100_000)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body)
            #expect(try slow.readResponse().text == "0")
            #expect(try client.readResponse().text == "100000")
        }
    }

    // MARK: Clients that do not read

    @Test func anAnswerThatIsNotReadIsGivenUpOnce() async throws {
        let slow = configuration([cluster(0, [])]) { route in
            route.action = .forward(
                ForwardAction(backends: [WeightedBackend(backend: backend(0))], requestTimeout: 200))
        }
        try await TestProxy.with(slow) { proxy in
            let client = try proxy.connect()
            client.fill(Array(String(repeating: get, count: 1000).utf8))
            pause(.milliseconds(500))
            let statistics = await proxy.statistics
            #expect(statistics.exchanges == 1)
            #expect(statistics.buffers <= 2)
            #expect(try proxy.connect().request(get).status == 503)
            client.close()
            try await proxy.settle()
        }
    }

    @Test func anAnswerThatIsNeverReadEnds() async throws {
        let impatient: (inout ProxyOptions) -> Void = { $0.timeouts.exchangeIdle = 300 }
        try await TestProxy.with(configuration([cluster(0, [])]), options: impatient) { proxy in
            let client = try proxy.connect()
            client.fill(Array(String(repeating: get, count: 1000).utf8))
            try await proxy.settle()
        }
    }

    @Test func noAnswerComesWithinAnInterimOne() async throws {
        let lines = String(repeating: "X-Hint: " + String(repeating: "h", count: 8000) + "\r\n", count: 7)
        let server = try TestServer { socket in
            while try socket.readMessage() != nil {
                try socket.send("HTTP/1.1 103 Early Hints\r\n\(lines)\r\n")
                pause(.milliseconds(3))
                try socket.send(ok("x"))
            }
        }
        defer { server.stop() }
        let timed = configuration([cluster(0, [server.address])]) { route in
            route.action = .forward(
                ForwardAction(backends: [WeightedBackend(backend: backend(0))], requestTimeout: 1000))
        }
        try await TestProxy.with(timed) { proxy in
            let client = try proxy.connect()
            client.fill(Array(String(repeating: get, count: 100).utf8))
            while let head = try? client.receive(through: "\r\n\r\n") {
                #expect(head.ranges(of: "HTTP/1.1 ").count == 1, "\(head.suffix(200))")
                if head.hasPrefix("HTTP/1.1 200") { _ = try? client.receive(exactly: 1) }
                if head.ranges(of: "HTTP/1.1 ").count > 1 { break }
            }
        }
    }

    @Test(arguments: [10, 16384, 300_000], [false, true])
    func aStreamMayBeginWithMuchAndEndAtOnce(size: Int, isMetadata: Bool) async throws {
        let server = try ProxyStreamTests.echo()
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .detect)
        let kind: ListenerSpecification.Kind =
            isMetadata ? .metadata(option: false, prefix: true) : .servicePort(backend(0))
        let prefix: [UInt8] = isMetadata ? [1, 0, 0, 0, 6, 10, 0, 0, 1, 0, 80, 0xfe, 0, 0, 0, 0] : []
        try await TestProxy.with(configuration, kind: kind) { proxy in
            for _ in 0..<20 {
                let client = try proxy.connect()
                let bytes = [UInt8](repeating: 0x16, count: size)
                try client.send(prefix + bytes)
                client.finishSending()
                #expect(try client.receiveAll() == bytes + Array("bye".utf8))
            }
            try await proxy.settle()
            #expect(server.connections == 20)
            #expect(await proxy.statistics.upstreamConnections == 0)
        }
    }

    @Test func aReaderMayGoAwayInTheMiddleOfAStream() async throws {
        let bytes = [UInt8](repeating: 0x16, count: 1 << 20)
        let server = try TestServer { socket in
            while true { try socket.send(bytes) }
        }
        defer { server.stop() }
        let configuration = configuration([cluster(0, [server.address])], protocol: .tcp)
        try await TestProxy.with(configuration, kind: .servicePort(backend(0))) { proxy in
            for turn in 0..<100 {
                let client = try proxy.connect()
                for _ in 0..<(turn % 10) { _ = try client.receive() }
                if turn % 2 == 0 { client.reset() } else { client.close() }
            }
            try await proxy.settle()
        }
    }

    @Test func anOldClientSeesThatABodyIsBroken() async throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n")
            pause(.milliseconds(500))
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.0\r\n\r\n")
            #expect(throws: Errno(104)) { try client.receiveAll() }
        }
    }
}

extension TestSocket {
    /// Sends `bytes` again and again until the peer has taken nothing for a while. While the other
    /// direction is full too, the kernel may go on only with its next window probe, which comes after 0.2
    /// s, then 0.4 s.
    func fill(_ bytes: [UInt8], patience: Duration = .milliseconds(1500)) {
        let chunk = ByteChunk(capacity: bytes.count)
        chunk.write(bytes.span, at: 0)
        var (done, last) = (0, ContinuousClock.now)
        while ContinuousClock.now < last + patience {
            let count = Streams.send(descriptor, from: chunk, done..<bytes.count)
            if count > 0 {
                (done, last) = ((done + count) % bytes.count, .now)
            } else {
                guard [Streams.again, -107].contains(count) else { return }
                pause(.milliseconds(1))
            }
        }
    }
}
