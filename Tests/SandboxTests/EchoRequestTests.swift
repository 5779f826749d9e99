import Testing

@testable import KmeshSandbox

@Suite struct EchoRequestTests {
    private func read(_ text: String) -> EchoRequest.Reading {
        let bytes = Array(text.utf8)
        return EchoRequest.read(bytes, from: 0, to: bytes.count)
    }

    @Test func heads() throws {
        let text = "POST /a HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 12 \r\nExpect: 100-continue\r\n\r\nbody"
        guard case .complete(let request) = read(text) else {
            Issue.record("not complete")
            return
        }
        let bytes = Array(text.utf8)
        #expect(String(decoding: bytes[request.method], as: UTF8.self) == "POST")
        #expect(String(decoding: bytes[request.target], as: UTF8.self) == "/a")
        #expect(request.headLength == bytes.count - 4)
        #expect(request.bodyLength == 12 && request.keepsAlive && request.expectsContinue && !request.isHead)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false), ("GET / HTTP/1.1\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", false), ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ])
    func keepingAlive(text: String, expected: Bool) {
        guard case .complete(let request) = read(text) else {
            Issue.record("not complete")
            return
        }
        #expect(request.keepsAlive == expected)
    }

    @Test(arguments: [
        ("\r\n\r\n", 400), ("GET /\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 400),
        ("GET  HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400), ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 9000) + "\r\n\r\n", 431),
        (String(repeating: "x", count: 9000), 431),
    ])
    func refusals(text: String, status: Int) {
        #expect(read(text) == .refused(status: status))
    }

    @Test func anyCutNeedsMoreBytes() {
        let text = Array("GET /path HTTP/1.1\r\nHost: reviews\r\nAccept: */*\r\n\r\n".utf8)
        for end in 0..<text.count { #expect(EchoRequest.read(text, from: 0, to: end) == .incomplete) }
    }

    @Test func hostileBytesEndInAnAnswer() {
        var state: UInt64 = 99
        let letters = Array("GET / HTTP/1.1\r\n\r\n: content-length0123\n".utf8)
        for _ in 0..<50_000 {
            var bytes = Array("GET / HTTP/1.1\r\nA: b\r\n\r\n".utf8)
            for _ in 0..<4 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = letters[Int(state >> 20) % 36]
            }
            if case .complete(let request) = EchoRequest.read(bytes, from: 0, to: bytes.count) {
                #expect(request.headLength <= bytes.count && request.target.upperBound <= bytes.count)
            }
        }
    }
}
