/// Whatever the bytes are: heads and bodies end in a verdict that does not depend on how they arrive, and
/// what is sent on means the same as what came.
import KmeshKit
import Testing

@testable import WaypointProxy

private let requests = [
    "GET /a/b?c=d HTTP/1.1\r\nHost: shop:80\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: keep-alive, x-a\r\nX-A: 1\r\n\r\n",
    "PUT http://b:1/c?d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n",
    "GET / HTTP/1.0\r\nX-Forwarded-For: 1.1.1.1\r\nProxy-Connection: close\r\nKeep-Alive: 1\r\n\r\n",
    "\r\nGET /ws HTTP/1.1\r\nHost: [::1]:8\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nX-Request-Id: 7\r\n\r\n",
].map { Array($0.utf8) }

private let responses = [
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\n",
    "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\nX: y\r\n\r\n",
    "HTTP/1.0 302 Found\r\nLocation: /\r\nKeep-Alive: 1\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
].map { Array($0.utf8) }

private let bodies = [
    "5\r\nhello\r\n0\r\n\r\n", "a;b=\"c\"\r\n0123456789\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n", "0\r\n\r\n",
].map { Array($0.utf8) }

private let dictionary = [
    "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "Connection: a\r\n", "\r\n",
    "\r\n\r\n",
    " chunked", ", ", "HTTP/1.1", "HTTP/1.0", "http://x@y/", "\n ", "close", "upgrade",
    "X-Forwarded-For: 2\r\n",
    "0\r\n", "ffff", "X-Request-Id: 1\r\n", "Upgrade: h2c\r\n", "TE: trailers\r\n",
]

/// Lines that concern one connection: none may be sent on unless the proxy says so itself.
private let hopByHop: Set<String> = ["keep-alive", "proxy-connection", "connection", "upgrade", "te"]

private func replace(_ bytes: [UInt8], _ cut: Int) -> [UInt8] { Array(bytes[..<cut]) }

@Suite struct FuzzHTTPTests {
    @Test func requestHeads() {
        var complete = 0
        FuzzInput.run(1, requests, dictionary: dictionary) { bytes, random in
            let whole = ParsedRequest(bytes)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let early = ParsedRequest(replace(bytes, cut))
            #expect(early.verdict == .incomplete || early.verdict == whole.verdict, "\(bytes) \(cut)")
            guard whole.verdict == .complete else { return }
            complete += 1
            let end = Int(whole.head.count)
            let found = findHeadEnd(bytes.span, from: 0)
            #expect(found == end, "\(bytes)")
            let sniffed = sniffProtocol(bytes.span)
            #expect(sniffed == .http || whole.head.method.count > 20, "\(bytes)")
            for field in whole.fields {
                #expect(field.line.range.upperBound <= end && !field.name.isEmpty)
                #expect(!bytes[field.value.range].contains { $0 < 32 && $0 != 9 || $0 == 127 }, "\(bytes)")
            }
        }
        #expect(complete > FuzzInput.iterations / 50)
    }

    @Test func responseHeads() {
        var complete = 0, untouched = 0
        FuzzInput.run(2, responses, dictionary: dictionary) { bytes, random in
            let whole = ParsedResponse(bytes)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let early = ParsedResponse(replace(bytes, cut))
            #expect(early.verdict == .incomplete || early.verdict == whole.verdict, "\(bytes) \(cut)")
            guard whole.verdict == .complete else { return }
            complete += 1
            guard let text = editedResponse(bytes) else {
                Issue.record("no room: \(bytes)")
                return
            }
            if isSentAsItCame(bytes) == true, bytes.allSatisfy({ $0 < 0x80 }) {
                untouched += 1
                #expect(Array(text.utf8) == Array(bytes.prefix(Int(whole.head.count))), "\(bytes)")
            }
            let edited = ParsedResponse(text)
            #expect(edited.verdict == .complete && edited.head.status == whole.head.status, "\(bytes)")
            #expect(edited.head.framing == whole.head.framing, "\(bytes)")
            #expect(edited.head.contentLength == whole.head.contentLength, "\(bytes)")
            if whole.head.status != 101 {
                #expect(!edited.lines.contains { hopByHop.contains(name($0)) }, "\(bytes)")
            }
        }
        #expect(complete > FuzzInput.iterations / 50 && untouched > 0)
    }

    @Test func editedRequests() {
        var complete = 0
        FuzzInput.run(3, requests, dictionary: dictionary) { bytes, random in
            let whole = ParsedRequest(bytes)
            guard whole.verdict == .complete else { return }
            complete += 1
            var edits = EditingCase()
            edits.editing.keepsUpgrade = Bool.random(using: &random)
            if Bool.random(using: &random) {
                edits.route = HeaderEdits(["x-a", "accept"], "X-A: 2\r\n")
                edits.backend = HeaderEdits(["x-a"])
            }
            if Bool.random(using: &random) {
                edits.rewrite = URLRewrite(host: "z", path: .prefix("/q"))
                edits.matchedPrefix = ["/", "/a", "/a/"].randomElement(using: &random) ?? "/"
            }
            guard let text = editedRequest(bytes, edits, capacity: bytes.count + 1024) else {
                Issue.record("no room: \(bytes)")
                return
            }
            check(text, edits, whole)
        }
        #expect(complete > FuzzInput.iterations / 50)
    }

    private func check(_ text: String, _ edits: EditingCase, _ whole: ParsedRequest) {
        // Bytes that are no UTF-8 would have other lengths in the text.
        guard whole.bytes.allSatisfy({ $0 < 0x80 }) else { return }
        let edited = ParsedRequest(text)
        let (old, new) = (whole.head, edited.head)
        #expect(edited.verdict == .complete && Int(new.count) == text.utf8.count, "\(whole.bytes)")
        #expect(edited.text(new.method) == whole.text(old.method), "\(whole.bytes)")
        #expect(new.framing == old.framing && new.contentLength == old.contentLength, "\(whole.bytes)")
        #expect(new.minorVersion == 1 && !new.isAbsolute && edited.values("host").count == 1)
        if old.hasQuery { #expect(edited.text(new.query) == whole.text(old.query)) }
        if edits.rewrite != nil {
            #expect(edited.text(new.host) == "z")
        } else {
            if !old.authority.isEmpty { #expect(edited.text(new.authority) == whole.text(old.authority)) }
            if !old.path.isEmpty { #expect(edited.text(new.path) == whole.text(old.path)) }
        }
        for value in edited.values("connection") { #expect(value == "TE" || value.hasPrefix("Upgrade")) }
        #expect(edited.values("connection").count <= 1 && edited.values("te").allSatisfy { $0 == "trailers" })
        #expect(new.asksUpgrade == (old.asksUpgrade && edits.editing.keepsUpgrade), "\(whole.bytes)")
        #expect(edited.values("keep-alive").isEmpty && edited.values("proxy-connection").isEmpty)
        if !edits.route.isEmpty { #expect(edited.values("x-a").isEmpty && edited.values("accept").isEmpty) }
        let last = edited.values("x-forwarded-for").last
        #expect(last?.hasSuffix(testClient.description) == true, "\(whole.bytes)")
        #expect(!edited.values("x-request-id").isEmpty && !edited.values("x-forwarded-proto").isEmpty)
    }

    @Test func chunkedBodies() {
        var complete = 0
        FuzzInput.run(4, bodies, dictionary: dictionary) { bytes, random in
            let whole = decodeChunks(bytes)
            let cuts = FuzzInput.cuts(bytes.count, &random)
            let pieces = decodeChunks(bytes, cuts: cuts)
            #expect(pieces == whole, "\(bytes) \(cuts)")
            let content = dechunk(bytes), inPieces = dechunk(bytes, cuts: cuts)
            #expect(content == inPieces && content.verdict == whole.verdict, "\(bytes) \(cuts)")
            #expect(whole.verdict != .incomplete || whole.consumed == bytes.count)
            if whole.verdict == .complete { complete += 1 }
        }
        #expect(complete > FuzzInput.iterations / 50)
    }

    private func name(_ line: String) -> String { String(line.prefix { $0 != ":" }) }
}
