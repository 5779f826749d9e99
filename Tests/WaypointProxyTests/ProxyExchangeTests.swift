/// Requests and responses through the proxy, over real sockets.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct ProxyExchangeTests {
    @Test func requestsOfAConnectionShareAnUpstream() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<3 {
                let response = try client.request(get)
                #expect(response.status == 200)
                #expect(response.text == "hello")
            }
            #expect(server.connections == 1)
            client.close()
            try await proxy.settle()
            let statistics = await proxy.statistics
            #expect(statistics.idleUpstreamConnections == 1)
            #expect(statistics.telemetry[.connectionsAccepted] == 1)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let server = try TestServer.http { request in
            let text = request.start
            return "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            let numbers = 0..<200
            try client.send(numbers.map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for number in numbers {
                #expect(try client.readResponse().text == "GET /\(number) HTTP/1.1")
            }
            client.close()
            try await proxy.settle()
        }
    }

    @Test(arguments: [0, 1, 100, 16000, 17000, 70000, 3_000_000], [false, true])
    func bodiesArriveWhole(size: Int, isChunked: Bool) async throws {
        // Answers with the body that it got, framed as the request was.
        let server = try TestServer.http { request in
            #expect(request.body.count == size)
            return "HTTP/1.1 200 OK\r\n" + framed(request.body, isChunked: request["transfer-encoding"] != nil)
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251 + 1) & 0x7f }
                let response = try client.request(
                    "POST / HTTP/1.1\r\nHost: a\r\n" + framed(body, isChunked: isChunked))
                #expect(response.status == 200)
                #expect(response.body == body)
            }
            client.close()
            try await proxy.settle()
            #expect(server.connections == 1)
        }
    }

    @Test(arguments: ["HEAD", "GET"], [204, 304, 200])
    func responsesWithoutBodiesEndWithTheirHeads(method: String, status: Int) async throws {
        let server = try TestServer.http { _ in
            let body = method == "GET" && status == 200 ? "hello" : ""
            let length = status == 204 ? "" : "Content-Length: 5\r\n"
            return "HTTP/1.1 \(status) X\r\n\(length)\r\n\(body)"
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                let response = try client.request(
                    "\(method) / HTTP/1.1\r\nHost: a\r\n\r\n", hasBody: method == "GET")
                #expect(response.status == status)
                #expect(response.text == (method == "GET" && status == 200 ? "hello" : ""))
            }
            client.close()
            try await proxy.settle()
        }
    }

    @Test func interimResponsesAreForwarded() async throws {
        let server = try TestServer { socket in
            while let head = try socket.receive(through: "\r\n\r\n") {
                #expect(head.lowercased().contains("expect: 100-continue"))
                try socket.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
                let body = try socket.receive(exactly: 4)
                #expect(body == Array("abcd".utf8))
                try socket.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
                #expect(try client.readResponse(hasBody: false).status == 103)
                #expect(try client.readResponse(hasBody: false).status == 100)
                try client.send("abcd")
                #expect(try client.readResponse(hasBody: false).status == 102)
                #expect(try client.readResponse().text == "ok")
            }
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aResponseUntilTheEndEndsTheConnection() async throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            try socket.send("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 100_000))
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            let response = try client.request(get)
            #expect(response.body.count == 100_000)
            #expect(response["connection"] == "close")
            client.close()
            try await proxy.settle()
            #expect(await proxy.statistics.upstreamConnections == 0)
        }
    }

    @Test func oldClientsAreServed() async throws {
        let server = try TestServer.http { request in
            let isChunked = request.start.hasPrefix("GET /chunked")
            return "HTTP/1.1 200 OK\r\n" + framed(Array("hello".utf8), isChunked: isChunked)
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            let kept = try client.request("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            #expect(kept.text == "hello")
            #expect(kept["connection"]?.lowercased() == "keep-alive")
            let last = try client.request("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            #expect(last.text == "hello")
            #expect(try client.isClosed())
            let other = try proxy.connect()
            let plain = try other.request("GET /chunked HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            #expect(plain.text == "hello")
            #expect(plain["transfer-encoding"] == nil)
            #expect(try other.isClosed())
            client.close()
            other.close()
            try await proxy.settle()
        }
    }

    @Test func closeIsHonouredOnBothSides() async throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            // The upstream's wish is its own affair.
            #expect(try client.request(get).text == "ok")
            let last = try client.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(last.text == "ok")
            #expect(last["connection"] == "close")
            #expect(try client.isClosed())
            #expect(server.connections == 2)
            try await proxy.settle()
        }
    }

    @Test func badRequestsAreRefusedAndTheConnectionEnds() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let bad: [(String, Int)] = [
                ("GET / HTTP/1.1\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
                ("GET / HTTP/1.1\r\nHost: a\r\nA: \(String(repeating: "a", count: 70000))\r\n\r\n", 431),
                ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
            ]
            for (request, status) in bad {
                let client = try proxy.connect()
                try client.send(request)
                let response = try client.readResponse()
                #expect(response.status == status, "\(request.prefix(80))")
                #expect(response["connection"] == "close")
                #expect(try client.isClosed())
            }
            try await proxy.settle()
        }
    }

    @Test func aRequestMayComeByteByByte() async throws {
        let server = try TestServer.http { request in
            "HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n\(request.text)"
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for byte in "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8 {
                try client.send([byte])
                pause(.milliseconds(1))
            }
            #expect(try client.readResponse().text == "abc")
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aResponseMayComeByteByByte() async throws {
        let server = try TestServer { socket in
            while try socket.readMessage() != nil {
                for byte in "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8 {
                    try socket.send([byte])
                    pause(.milliseconds(1))
                }
            }
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            #expect(try client.request(get).text == "abc")
            #expect(try client.request(get).text == "abc")
            #expect(server.connections == 1)
            client.close()
            try await proxy.settle()
        }
    }

    @Test func aClientMayFinishSendingBeforeItsAnswer() async throws {
        let server = try TestServer { socket in
            while try socket.readMessage() != nil {
                pause(.milliseconds(50))
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send(get + get)
            client.finishSending()
            #expect(try client.readResponse().text == "ok")
            #expect(try client.readResponse().text == "ok")
            #expect(try client.isClosed())
            try await proxy.settle()
        }
    }

    @Test func anAnswerBeforeTheBodysEndIsForwarded() async throws {
        let server = try TestServer { socket in
            _ = try socket.receive(through: "\r\n\r\n")
            try socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            pause(.milliseconds(300))
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
            let response = try client.readResponse()
            #expect(response.status == 413)
            #expect(response["connection"] == "close")
            // More of the body does not keep the answer from being read.
            try? client.send(String(repeating: "x", count: 1000))
            #expect(try client.isClosed())
            client.close()
            try await proxy.settle()
        }
    }
}

/// Header lines of a framing, and the body in it.
func framed(_ body: [UInt8], isChunked: Bool) -> String {
    let text = String(decoding: body, as: UTF8.self)
    guard isChunked else { return "Content-Length: \(body.count)\r\n\r\n\(text)" }
    var result = "Transfer-Encoding: chunked\r\n\r\n"
    var rest = text.utf8[...]
    while !rest.isEmpty {
        let chunk = rest.prefix(7000)
        result += "\(String(chunk.count, radix: 16));x=y\r\n\(String(chunk) ?? "")\r\n"
        rest = rest.dropFirst(chunk.count)
    }
    return result + "0\r\nX-Sum: a\r\n\r\n"
}
