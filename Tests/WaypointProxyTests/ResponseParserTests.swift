/// Responses that are taken, and every way in which one is refused.
import Testing

@testable import WaypointProxy

@Suite struct ResponseParserTests {
    @Test func partsAreFound() {
        let text = "HTTP/1.1 200 OK then\r\nServer: x\r\nContent-Length: 3\r\n\r\n"
        let parsed = ParsedResponse(text + "abc")
        #expect(parsed.verdict == .complete && parsed.head.status == 200 && parsed.head.minorVersion == 1)
        #expect(parsed.lines == ["server: x", "content-length: 3"])
        #expect(parsed.head.framing == .length && parsed.head.contentLength == 3 && parsed.head.keepsAlive)
        #expect(Int(parsed.head.count) == text.utf8.count && !parsed.head.isInterim)
    }

    /// Head, whether it answers a HEAD, framing, whether the connection stays.
    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\n", false, .untilClose, false),
            ("HTTP/1.1 200 \r\n", false, .untilClose, false),
            ("HTTP/1.1 200\r\n", false, .untilClose, false),
            ("HTTP/1.1 999 \u{e4}\t\r\n", false, .untilClose, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", false, .none, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", true, .none, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", true, .none, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", false, .chunked, true),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", false, .none, true),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", false, .none, true),
            ("HTTP/1.1 100 Continue\r\n", false, .none, true),
            ("HTTP/1.1 101 Switching Protocols\r\n", false, .none, true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", false, .length, false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", false, .length, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n", false, .length, false),
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", false, .untilClose, false),
            // What would be refused in a request means nothing here.
            (
                "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nExpect: c\r\nContent-Length: 1\r\n", false, .length,
                true
            ),
        ] as [(String, Bool, BodyFraming, Bool)])
    func framing(head: String, requestIsHead: Bool, framing: BodyFraming, stays: Bool) {
        let parsed = ParsedResponse(head + "\r\n", requestIsHead: requestIsHead)
        #expect(parsed.verdict == .complete)
        #expect(parsed.head.framing == framing && parsed.head.keepsAlive == stays)
    }

    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\n\n", .bareLineEnd), ("HTTP/1.1 200\n\n\n", .bareLineEnd),
            ("HTTP/1.1 200 O\rK\r\n\r\n", .bareLineEnd), ("HTTP/1.1 200 O\u{0}\r\n\r\n", .badStatusLine),
            ("HTTP/1.1  200 OK\r\n\r\n", .badStatusLine), ("HTTP/1.1 20 OK\r\n\r\n", .badStatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n", .badStatusLine), ("HTTP/1.1 099 OK\r\n\r\n", .badStatusLine),
            ("HTTP/1.1 -20 OK\r\n\r\n", .badStatusLine), ("HTTP/1.1 200OK\r\n\r\n", .badStatusLine),
            ("HTTP/1.1\r\n\r\n", .badStatusLine), ("SSH-2.0-OpenSSH\r\n", .badStatusLine),
            ("http/1.1 200 OK\r\n\r\n", .badStatusLine), ("<html></html>", .badStatusLine),
            ("HTTP/2.0 200 OK\r\n\r\n", .versionNotSupported),
            ("HTTP/1.2 200 OK\r\n\r\n", .versionNotSupported),
            ("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", .bareLineEnd),
            ("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", .foldedHeader),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .spaceBeforeColon),
            ("HTTP/1.1 200 OK\r\nA\r\n\r\n", .badHeaderName),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                .lengthAndEncoding
            ),
            (
                "HTTP/1.1 304 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                .lengthAndEncoding
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .conflictingContentLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", .badContentLength),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferEncoding),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .encodingInOldVersion),
        ] as [(String, HTTPRefusal)])
    func isRefused(text: String, refusal: HTTPRefusal) {
        let bytes = Array(text.utf8)
        #expect(ParsedResponse(bytes).verdict == .refused(refusal))
        for count in 0..<bytes.count {
            let verdict = ParsedResponse(Array(bytes[..<count])).verdict
            #expect(
                verdict == .incomplete || verdict == .refused(refusal), "\(text.debugDescription) at \(count)"
            )
        }
    }

    @Test func beginningsAreIncomplete() {
        let text = "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for count in 0..<text.utf8.count {
            #expect(ParsedResponse(Array(Array(text.utf8)[..<count])).verdict == .incomplete)
        }
        #expect(ParsedResponse(text).verdict == .complete)
    }

    @Test func limitsHold() {
        let limits = HeadLimits(line: 30, head: 60, fields: 1)
        let phrase = String(repeating: "a", count: 40)
        #expect(ParsedResponse("HTTP/1.1 200 \(phrase)", limits: limits).verdict == .refused(.lineTooLong))
        let lines = "HTTP/1.1 200 OK\r\nA: b\r\n"
        #expect(ParsedResponse("\(lines)C: d\r\n\r\n", limits: limits).verdict == .refused(.tooManyFields))
        #expect(
            ParsedResponse("HTTP/1.1 200 OK\r\nA: \(phrase)\r\n\r\n", limits: limits).verdict
                == .refused(.headTooLarge))
    }
}
