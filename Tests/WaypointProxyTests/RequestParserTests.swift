/// Requests that are taken, and every way in which one is refused.
import Testing

@testable import WaypointProxy

private let ordinary =
    "GET /a/b?c=d HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent:curl\r\nAccept: \t */* \t\r\n\r\n"

/// A request with these lines after its Host.
private func request(_ lines: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n" }

@Suite struct RequestParserTests {
    @Test func partsAreFound() {
        let parsed = ParsedRequest(ordinary + "body")
        let head = parsed.head
        #expect(parsed.verdict == .complete)
        #expect(parsed.text(head.method) == "GET" && parsed.text(head.target) == "/a/b?c=d")
        #expect(parsed.text(head.path) == "/a/b" && parsed.text(head.query) == "c=d" && head.hasQuery)
        #expect(parsed.text(head.authority) == "shop:8080" && parsed.text(head.host) == "shop")
        #expect(parsed.lines == ["host: shop:8080", "user-agent: curl", "accept: */*"])
        let lines = parsed.fields.map { parsed.text($0.line) }.joined()
        #expect("GET /a/b?c=d HTTP/1.1\r\n" + lines + "\r\n" == ordinary)
        #expect(Int(head.count) == ordinary.utf8.count && head.minorVersion == 1)
        #expect(head.framing == .none && head.keepsAlive && head.isIdempotent && !head.isHead)
        #expect(parsed.fields.map(\.known) == [.host, .userAgent, .other])
    }

    /// Text, path, query, authority, host; `nil` for no query.
    @Test(
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", nil, "a", "a"),
            ("GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", "a", "a"),
            ("GET /?a?b HTTP/1.1\r\nHost: a\r\n\r\n", "/", "a?b", "a", "a"),
            ("GET //a HTTP/1.1\r\nHost: a\r\n\r\n", "//a", nil, "a", "a"),
            ("GET http://b:1/c HTTP/1.1\r\nHost: a\r\n\r\n", "/c", nil, "b:1", "b"),
            ("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", "", nil, "b", "b"),
            ("GET http://b?c HTTP/1.1\r\nHost:\r\n\r\n", "", "c", "b", "b"),
            ("GET http://[::1]:80/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", nil, "[::1]:80", "[::1]"),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", nil, "a", "a"),
            ("GET / HTTP/1.1\r\nHost: [fe80::a]\r\n\r\n", "/", nil, "[fe80::a]", "[fe80::a]"),
            ("GET / HTTP/1.1\r\nhOST: A_b.c~d-e:\r\n\r\n", "/", nil, "A_b.c~d-e:", "A_b.c~d-e"),
            ("GET / HTTP/1.0\r\n\r\n", "/", nil, "", ""),
            ("GET / HTTP/1.0\r\nHost: a:65535\r\n\r\n", "/", nil, "a:65535", "a"),
            ("\r\nM-SEARCH /a\"<>\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n", "/a\"<>\\^`{|}", nil, "a", "a"),
        ] as [(String, String, String?, String, String)])
    func targets(text: String, path: String, query: String?, authority: String, host: String) {
        let parsed = ParsedRequest(text)
        #expect(parsed.verdict == .complete)
        #expect(parsed.text(parsed.head.path) == path)
        #expect((parsed.head.hasQuery ? parsed.text(parsed.head.query) : nil) == query)
        #expect(parsed.text(parsed.head.authority) == authority && parsed.text(parsed.head.host) == host)
        #expect(Int(parsed.head.count) == text.utf8.count)
    }

    @Test(
        arguments: [
            ("GET  / HTTP/1.1", .badRequestLine), (" GET / HTTP/1.1", .badRequestLine),
            ("\r\n\r\nGET / HTTP/1.1", .badRequestLine), ("\nGET / HTTP/1.1", .badRequestLine),
            ("GE(T / HTTP/1.1", .badRequestLine), ("GET\t/ HTTP/1.1", .badRequestLine),
            ("GET", .badRequestLine), ("GET /", .badRequestLine), ("G\u{0}T / HTTP/1.1", .badRequestLine),
            ("GET / HTTP/1.1 ", .badVersion), ("GET /  HTTP/1.1", .badVersion),
            ("GET / http/1.1", .badVersion),
            ("GET / HTTP/11", .badVersion), ("GET / HTTP/1.11", .badVersion), ("GET / HTTP/x.1", .badVersion),
            ("GET / XTTP/1.1", .badVersion), ("GET / a", .badVersion), ("GET / HTTP/1,1", .badVersion),
            ("GET /a b HTTP/1.1", .badVersion), ("GET / HTTP/+1.1", .badVersion),
            ("GET / HTTP/2.0", .versionNotSupported), ("PRI * HTTP/2.0", .badTarget),
            ("GET / HTTP/1.2", .versionNotSupported), ("GET / HTTP/0.9", .versionNotSupported),
            ("GET /a#b HTTP/1.1", .badTarget), ("GET /a\u{7f} HTTP/1.1", .badTarget),
            ("GET /ä HTTP/1.1", .badTarget), ("GET /\u{0} HTTP/1.1", .badTarget),
            ("GET /\t HTTP/1.1", .badTarget), ("GET a HTTP/1.1", .badTarget), ("GET * HTTP/1.1", .badTarget),
            ("OPTIONS *a HTTP/1.1", .badTarget), ("GET a:80 HTTP/1.1", .badTarget),
            ("GET ftp://a/ HTTP/1.1", .badTarget), ("GET http:/a HTTP/1.1", .badTarget),
            ("GET ?a HTTP/1.1", .badTarget), ("GET http//a HTTP/1.1", .badTarget),
            ("GET http:///a HTTP/1.1", .badHost), ("GET http://a@b/ HTTP/1.1", .badHost),
            ("GET http://a:b@c/ HTTP/1.1", .badHost), ("GET http://a:b/ HTTP/1.1", .badHost),
            ("GET http://a:65536/ HTTP/1.1", .badHost), ("GET http://:80/ HTTP/1.1", .badHost),
            ("GET http://[::1/ HTTP/1.1", .badHost), ("GET http://a%2fb/ HTTP/1.1", .badHost),
            ("CONNECT a:443 HTTP/1.1", .connectRefused), ("CONNECT / HTTP/1.1", .connectRefused),
        ] as [(String, HTTPRefusal)])
    func requestLineIsRefused(line: String, refusal: HTTPRefusal) {
        #expect(ParsedRequest("\(line)\r\nHost: a\r\n\r\n").verdict == .refused(refusal))
    }

    @Test(
        arguments: [
            ("a", .badHeaderName), (": a", .badHeaderName), ("a b: c", .spaceBeforeColon),
            ("a : b", .spaceBeforeColon),
            ("Transfer-Encoding : chunked", .spaceBeforeColon), ("Content-Length\t: 1", .spaceBeforeColon),
            ("a[: b", .badHeaderName), ("ä: b", .badHeaderName), ("a\u{0}: b", .badHeaderName),
            ("\u{b}Transfer-Encoding: chunked", .badHeaderName), ("a\"b: c", .badHeaderName),
            (" a: b", .foldedHeader), ("\ta: b", .foldedHeader), ("a: b\r\n c", .foldedHeader),
            ("a: b\r\n\tc", .foldedHeader), ("a: b\r\n \r\n", .foldedHeader),
            ("a: b\nc: d", .bareLineEnd), ("a: b\rc: d", .bareLineEnd), ("a: b\r\r", .bareLineEnd),
            ("a:\n", .bareLineEnd), ("\na: b", .bareLineEnd), ("\ra: b", .bareLineEnd),
            ("a: b\n", .bareLineEnd),
            ("a: \u{0}", .badHeaderValue), ("a: b\u{1}c", .badHeaderValue), ("a: b\u{7f}", .badHeaderValue),
            ("a: \u{b}", .badHeaderValue), ("a: \u{1f}c", .badHeaderValue), ("a: b\u{c}", .badHeaderValue),
            ("a: " + String(repeating: "x", count: 40) + "\u{8}", .badHeaderValue),
            ("Host: b", .duplicateHost), ("HOST: a", .duplicateHost),
            ("Expect: 200-ok", .expectationUnknown), ("Expect:", .expectationUnknown),
            ("Expect: 100-continue, a", .expectationUnknown),
            ("Connection: " + String(repeating: "a,", count: 65), .tooManyConnectionOptions),
        ] as [(String, HTTPRefusal)])
    func headerLineIsRefused(line: String, refusal: HTTPRefusal) {
        #expect(ParsedRequest(request(line)).verdict == .refused(refusal))
    }

    @Test(
        arguments: [
            ("Content-Length: ", .badContentLength), ("Content-Length: -1", .badContentLength),
            ("Content-Length: +1", .badContentLength), ("Content-Length: -0", .badContentLength),
            ("Content-Length: 1, 1", .badContentLength), ("Content-Length: 5, 6", .badContentLength),
            ("Content-Length: 1 1", .badContentLength), ("Content-Length: 0x1", .badContentLength),
            ("Content-Length: 1_0", .badContentLength), ("Content-Length: 1.0", .badContentLength),
            ("Content-Length: 1e1", .badContentLength), ("Content-Length: \"1\"", .badContentLength),
            ("Content-Length: 9223372036854775808", .badContentLength),
            ("Content-Length: 1;a", .badContentLength),
            ("Content-Length: 18446744073709551617", .badContentLength),
            ("Content-Length: １", .badContentLength),
            ("Content-Length: 1\r\nContent-Length: 1", .conflictingContentLength),
            ("Content-Length: 1\r\ncontent-length: 2", .conflictingContentLength),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", .lengthAndEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0", .lengthAndEncoding),
            ("Transfer-Encoding:", .badTransferEncoding), ("Transfer-Encoding: ,", .badTransferEncoding),
            ("Transfer-Encoding: chunked,", .badTransferEncoding),
            ("Transfer-Encoding: ,chunked", .badTransferEncoding),
            ("Transfer-Encoding: chunked, chunked", .badTransferEncoding),
            ("Transfer-Encoding: chunked, identity", .badTransferEncoding),
            ("Transfer-Encoding: chunked;a=b", .badTransferEncoding),
            ("Transfer-Encoding: chunked chunked", .badTransferEncoding),
            ("Transfer-Encoding: \"chunked\"", .badTransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .badTransferEncoding),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", .unknownTransferEncoding),
            ("Transfer-Encoding: gzip, chunked", .unknownTransferEncoding),
            ("Transfer-Encoding: identity", .unknownTransferEncoding),
            ("Transfer-Encoding: xchunked", .unknownTransferEncoding),
            ("Transfer-Encoding: chunke", .unknownTransferEncoding),
            ("Transfer-Encoding: \u{b}chunked", .badHeaderValue),
            ("Transfer-Encoding:\r\n chunked", .badTransferEncoding),
            ("X: y\r\n Transfer-Encoding: chunked", .foldedHeader),
        ] as [(String, HTTPRefusal)])
    func framingIsRefused(lines: String, refusal: HTTPRefusal) {
        #expect(ParsedRequest(request(lines)).verdict == .refused(refusal))
    }

    @Test(
        arguments: [
            ("", .missingHost), ("Host: \r\n", .badHost), ("Host: a, b\r\n", .badHost),
            ("Host: a,b\r\n", .badHost),
            ("Host: a b\r\n", .badHost), ("Host: a@b\r\n", .badHost), ("Host: a/b\r\n", .badHost),
            ("Host: a:b\r\n", .badHost), ("Host: a:-1\r\n", .badHost), ("Host: a:65536\r\n", .badHost),
            ("Host: a:1:2\r\n", .badHost), ("Host: a:000080\r\n", .badHost), ("Host: ::1\r\n", .badHost),
            ("Host: [::1\r\n", .badHost), ("Host: [a]\r\n", .badHost), ("Host: [::1]x\r\n", .badHost),
            ("Host: [::g]\r\n", .badHost), ("Host: a%2e\r\n", .badHost), ("Host: :80\r\n", .badHost),
            ("Host: ä\r\n", .badHost), ("Host: http://a\r\n", .badHost), ("Host: a?b\r\n", .badHost),
            ("Host: a\\b\r\n", .badHost), ("Host: a#b\r\n", .badHost),
        ] as [(String, HTTPRefusal)])
    func hostIsRefused(line: String, refusal: HTTPRefusal) {
        #expect(ParsedRequest("GET / HTTP/1.1\r\n\(line)\r\n").verdict == .refused(refusal))
    }

    @Test func oldVersionHasNoEncoding() {
        let text = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(ParsedRequest(text).verdict == .refused(.encodingInOldVersion))
        #expect(
            ParsedRequest("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").verdict == .refused(.duplicateHost))
    }

    @Test(
        arguments: [
            ("Content-Length: 0", .none, 0), ("Content-Length: 12", .length, 12),
            ("Content-Length:\t007 ", .length, 7),
            ("Content-Length: 9223372036854775807", .length, Int64.max),
            ("TRANSFER-ENCODING: Chunked", .chunked, 0), ("Transfer-Encoding:chunked", .chunked, 0),
            ("X-Transfer-Encoding: gzip", .none, 0), ("Transfer_Encoding: gzip", .none, 0),
        ] as [(String, BodyFraming, Int64)])
    func framing(line: String, framing: BodyFraming, length: Int64) {
        let parsed = ParsedRequest(request(line))
        #expect(parsed.verdict == .complete)
        #expect(parsed.head.framing == framing && parsed.head.contentLength == length)
        #expect(!parsed.head.isIdempotent)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: a, CLOSE ,b\r\n", false), ("HTTP/1.1", "Connection: closed\r\n", true),
        ("HTTP/1.1", "Connection: keep-alive\r\nconnection: close\r\n", false),
        ("HTTP/1.0", "", false), ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false), ("HTTP/1.0", "Keep-Alive: 5\r\n", false),
    ])
    func connectionStays(version: String, lines: String, stays: Bool) {
        let parsed = ParsedRequest("GET / \(version)\r\nHost: a\r\n\(lines)\r\n")
        #expect(parsed.verdict == .complete && parsed.head.keepsAlive == stays)
    }

    @Test(arguments: [
        ("Connection: Upgrade\r\nUpgrade: websocket", true), ("Upgrade: websocket", false),
        ("Connection: keep-alive, upgrade\r\nUpgrade: websocket", true),
        ("Connection: upgrade", false), ("Connection: upgrade\r\nUpgrade:", false),
        ("Connection: upgrade, http2-settings\r\nUpgrade: h2c", false),
        ("Connection: upgrade\r\nUpgrade: websocket, H2C", false),
        ("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket", false),
        ("Connection: upgrade\r\nUpgrade: HTTP/2.0", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1", false),
    ])
    func upgrades(lines: String, asks: Bool) {
        let parsed = ParsedRequest(request(lines))
        #expect(parsed.verdict == .complete && parsed.head.asksUpgrade == asks)
        let old = ParsedRequest("GET / HTTP/1.0\r\n\(lines)\r\n\r\n")
        #expect(old.verdict == .complete && !old.head.asksUpgrade)
    }

    @Test func expectationNeedsABody() {
        #expect(ParsedRequest(request("Expect: 100-Continue\r\nContent-Length: 1")).head.expectsContinue)
        #expect(!ParsedRequest(request("Expect: 100-continue")).head.expectsContinue)
        let old = ParsedRequest("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        #expect(old.verdict == .complete && !old.head.expectsContinue)
    }

    @Test(arguments: ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "POST", "PATCH", "get", "CONNEC"])
    func methods(method: String) {
        let parsed = ParsedRequest("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parsed.verdict == .complete && parsed.head.isHead == (method == "HEAD"))
        let repeatable = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"].contains(method)
        #expect(parsed.head.isIdempotent == repeatable)
    }
}

@Suite struct RequestLimitTests {
    private let limits = HeadLimits(line: 40, head: 200, fields: 3)

    @Test func lineIsBounded() {
        let fits = "GET /" + String(repeating: "a", count: 26) + " HTTP/1.1"
        #expect(fits.utf8.count == 40)
        #expect(ParsedRequest("\(fits)\r\nHost: a\r\n\r\n", limits: limits).verdict == .complete)
        let long = fits.replacing("/a", with: "/aa")
        #expect(ParsedRequest("\(long)\r\nHost: a\r\n\r\n", limits: limits).verdict == .refused(.lineTooLong))
        let method = String(repeating: "A", count: 41)
        #expect(ParsedRequest(method, limits: limits).verdict == .refused(.lineTooLong))
        #expect(ParsedRequest("GET /" + method, limits: limits).verdict == .refused(.lineTooLong))
    }

    @Test func headIsBounded() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\na: "
        let room = 200 - start.utf8.count - 4
        let fits = start + String(repeating: "b", count: room) + "\r\n\r\n"
        #expect(ParsedRequest(fits, limits: limits).verdict == .complete)
        let long = start + String(repeating: "b", count: room + 1) + "\r\n\r\n"
        #expect(ParsedRequest(long, limits: limits).verdict == .refused(.headTooLarge))
        let endless = start + String(repeating: "b", count: room + 3)
        #expect(ParsedRequest(endless, limits: limits).verdict == .incomplete)
        #expect(ParsedRequest(endless + "b", limits: limits).verdict == .refused(.headTooLarge))
    }

    @Test func linesAreCounted() {
        let fits = "GET / HTTP/1.1\r\nHost: a\r\na: b\r\nc: d\r\n"
        #expect(ParsedRequest(fits + "\r\n", limits: limits).verdict == .complete)
        #expect(ParsedRequest(fits + "e: f\r\n\r\n", limits: limits).verdict == .refused(.tooManyFields))
    }

    @Test func everyRefusalHasAStatus() {
        for refusal in HTTPRefusal.allCases { #expect((400...505).contains(refusal.status)) }
        #expect(HTTPRefusal.lineTooLong.status == 414 && HTTPRefusal.tooManyFields.status == 431)
    }

    /// Every beginning of a head is incomplete, and the end is found from wherever the search went on.
    @Test func beginningsAreIncomplete() {
        let bytes = Array((ordinary + "GET").utf8)
        let end = ordinary.utf8.count
        for count in 0..<end {
            let beginning = Array(bytes[..<count])
            #expect(ParsedRequest(beginning).verdict == .incomplete)
            let early = findHeadEnd(beginning.span, from: 0), found = findHeadEnd(bytes.span, from: count)
            #expect(early == nil && found == end)
        }
    }

    @Test(arguments: ["a\n\n", "a\r\n\r\n", "a\n\r\n", "\r\na\r\n\r\n", "\n\n", "\r\n\r\n"])
    func emptyLineEndsAHead(text: String) {
        let bytes = Array(text.utf8)
        let found = findHeadEnd(bytes.span, from: 0)
        #expect(found == bytes.count)
    }

    /// A beginning is refused only for what refuses the whole.
    @Test func refusalsComeEarlyOrLate() {
        let texts = [
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\nb: c\r\n\r\n", "GET /a HTTP/3.0\r\n\r\n",
            "GET /\u{1} HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\na : b\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\nGET",
            "GET / HTTP/1.1\r\n\r\r\n",
        ]
        for text in texts {
            let bytes = Array(text.utf8)
            let whole = ParsedRequest(bytes).verdict
            #expect(whole != .complete && whole != .incomplete)
            for count in 0..<bytes.count {
                let verdict = ParsedRequest(Array(bytes[..<count])).verdict
                #expect(verdict == .incomplete || verdict == whole, "\(text.debugDescription) at \(count)")
            }
        }
    }
}
