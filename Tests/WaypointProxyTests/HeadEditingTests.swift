/// What is sent on of a head, and what the proxy answers by itself.
import KmeshKit
import Testing

@testable import WaypointProxy

/// What the proxy adds to a request that has none of these.
private let additions = """
    X-Forwarded-For: 10.1.2.255\r\nX-Forwarded-Proto: http\r\n\
    X-Request-Id: 01234567-89ab-4def-bedc-ba9876543210\r\n
    """

private func request(_ lines: String, _ edits: EditingCase = EditingCase()) -> String? {
    editedRequest(Array("GET /a?b HTTP/1.1\r\nHost: h\r\n\(lines)\r\n".utf8), edits)
}

private func target(_ line: String, _ rewrite: PathRewrite?, prefix: String = "/") -> String? {
    var edits = EditingCase(rewrite: URLRewrite(path: rewrite))
    edits.matchedPrefix = prefix
    let text = editedRequest(Array("\(line) HTTP/1.1\r\nHost: h\r\n\r\n".utf8), edits)
    return text?.split(separator: " ").dropFirst().first.map(String.init)
}

@Suite struct RequestEditingTests {
    /// Lines after the Host, and what is left of them.
    @Test(arguments: [
        ("", ""), ("A: b\r\n", "A: b\r\n"), ("Connection: close\r\nA: b\r\n", "A: b\r\n"),
        (
            "A: b\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nC: d\r\n",
            "A: b\r\nC: d\r\n"
        ),
        ("X-a: 1\r\nConnection: x-A , close\r\nX-B: 2\r\nconnection: x-b\r\nX-C: 3\r\n", "X-C: 3\r\n"),
        ("Connection: host, content-length\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n"),
        ("Upgrade: websocket\r\nA: b\r\n", "A: b\r\n"), ("TE: gzip\r\nA: b\r\n", "A: b\r\n"),
        (
            "Proxy-Authorization: a\r\nTrailer: b\r\nExpect: 100-continue\r\n",
            "Proxy-Authorization: a\r\nTrailer: b\r\nExpect: 100-continue\r\n"
        ),
        (
            "Transfer-Encoding: chunked\r\ntraceparent: 00\r\n",
            "Transfer-Encoding: chunked\r\ntraceparent: 00\r\n"
        ),
        ("TE: gzip, trailers\r\nA: b\r\n", "A: b\r\nConnection: TE\r\nTE: trailers\r\n"),
    ])
    func linesStayOrGo(lines: String, kept: String) {
        #expect(request(lines) == "GET /a?b HTTP/1.1\r\nHost: h\r\n\(kept)\(additions)\r\n")
    }

    @Test func listsAreContinued() {
        let lines = "X-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for: 2.2.2.2 \r\nC: d\r\n"
        let text = request(lines + "X-Forwarded-Proto: https\r\nX-Request-ID: 7\r\n")
        let expected = """
            GET /a?b HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nA: b\r
            x-forwarded-for: 2.2.2.2, 10.1.2.255 \r\nC: d\r\nX-Forwarded-Proto: https\r
            X-Request-ID: 7\r\n\r\n
            """
        #expect(text == expected)
        #expect(request("X-Forwarded-For:\r\n")?.contains("X-Forwarded-For:10.1.2.255\r\n") == true)
        var edits = EditingCase()
        edits.editing.client = IPAddress(high: 0x2001_0db8 << 32, low: 1)
        #expect(request("", edits)?.contains("X-Forwarded-For: 2001:db8::1\r\n") == true)
    }

    @Test func upgradeIsPassedOn() {
        var edits = EditingCase()
        edits.editing.keepsUpgrade = true
        let text = request("Connection: Upgrade, x\r\nX: y\r\nUpgrade: websocket\r\n", edits)
        let kept = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        #expect(text == "GET /a?b HTTP/1.1\r\nHost: h\r\n\(kept)\(additions)\r\n")
        // Nobody asked.
        let unasked = request("Upgrade: websocket\r\n", edits)
        #expect(unasked == "GET /a?b HTTP/1.1\r\nHost: h\r\n\(additions)\r\n")
        edits.editing.dropsExpect = true
        let expects = request("Expect: 100-continue\r\nContent-Length: 1\r\n", edits)
        #expect(expects == "GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\(additions)\r\n")
    }

    @Test func otherFormsBecomeOurs() {
        let absolute = editedRequest(Array("GET http://x:1/p?q HTTP/1.1\r\nHost: y\r\nA: b\r\n\r\n".utf8))
        #expect(absolute == "GET /p?q HTTP/1.1\r\nA: b\r\nHost: x:1\r\n\(additions)\r\n")
        let bare = editedRequest(Array("\r\nOPTIONS http://x HTTP/1.1\r\nHost: y\r\n\r\n".utf8))
        #expect(bare == "OPTIONS * HTTP/1.1\r\nHost: x\r\n\(additions)\r\n")
        let old = editedRequest(Array("GET / HTTP/1.0\r\n\r\n".utf8))
        #expect(old == "GET / HTTP/1.1\r\nHost: 172.16.0.1:80\r\n\(additions)\r\n")
        let hosted = editedRequest(Array("GET / HTTP/1.0\r\nA: b\r\nHost: c\r\n\r\n".utf8))
        #expect(hosted == "GET / HTTP/1.1\r\nA: b\r\nHost: c\r\n\(additions)\r\n")
        var edits = EditingCase(rewrite: URLRewrite(host: "z.example"))
        edits.editing.destination = SocketAddress(IPAddress(high: 0, low: 1), 8)
        #expect(request("", edits) == "GET /a?b HTTP/1.1\r\nHost: z.example\r\n\(additions)\r\n")
        edits.rewrite = nil
        let six = editedRequest(Array("GET / HTTP/1.0\r\n\r\n".utf8), edits)
        #expect(six?.contains("Host: [::1]:8\r\n") == true)
    }

    /// Path, matched prefix, replacement, result: the table of Gateway API, and more.
    @Test(arguments: [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"), ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"), ("/foo", "/foo", "", "/"), ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"), ("/bar", "/", "/xyz", "/xyz/bar"), ("/", "/", "/xyz", "/xyz/"),
        ("/foo?q=/foo", "/foo", "/xyz", "/xyz?q=/foo"), ("/foobar", "/foo", "/xyz", "/foobar"),
        ("http://h/foo/bar", "/foo", "/xyz", "/xyz/bar"), ("http://h?q", "/", "/xyz", "/xyz?q"),
    ])
    func prefixIsReplaced(path: String, prefix: String, replacement: String, result: String) {
        #expect(target("GET \(path)", .prefix(replacement), prefix: prefix) == result)
    }

    @Test func pathIsReplaced() {
        #expect(target("GET /a/b?c", .full("/x")) == "/x?c")
        #expect(target("GET /a", .full("")) == "/")
        #expect(target("OPTIONS *", .full("/x")) == "*")
    }

    @Test func editsAreAppliedInOrder() {
        var edits = EditingCase()
        edits.route = HeaderEdits(["a", "x-request-id", "x-forwarded-for"], "A: 1\r\nB: 2\r\n")
        let lines = "a: 0\r\nB: 0\r\nC: 0\r\nX-Forwarded-For: 1.1.1.1\r\n"
        let start = "GET /a?b HTTP/1.1\r\nHost: h\r\n", proto = "X-Forwarded-Proto: http\r\n"
        #expect(request(lines, edits) == start + "B: 0\r\nC: 0\r\n\(proto)A: 1\r\nB: 2\r\n\r\n")
        edits.backend = HeaderEdits(["b"], "D: 3\r\n")
        #expect(request(lines, edits) == start + "C: 0\r\n\(proto)A: 1\r\nD: 3\r\n\r\n")
        #expect(HeaderChanges.mayChange("x-a") && !HeaderChanges.mayChange("content-length"))
    }

    @Test func lackOfRoomIsSaid() {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        #expect(editedRequest(bytes, capacity: 20) == nil && editedRequest(bytes, capacity: 200) != nil)
    }
}

@Suite struct ResponseEditingTests {
    @Test(arguments: [
        (
            "HTTP/1.1 200 OK\r\nA: b\r\nConnection: keep-alive, x\r\nKeep-Alive: 1\r\nX: y\r\n"
                + "Content-Length: 1\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n"
        ),
        ("HTTP/1.0 200 OK\r\nUpgrade: h2\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"),
        ("HTTP/1.1 200\r\nA: b\r\n", "HTTP/1.1 200 \r\nA: b\r\n"),
        ("HTTP/1.0 200\r\n", "HTTP/1.1 200 \r\n"),
        ("HTTP/1.1 204 N\r\nContent-Length: 1\r\nA: b\r\n", "HTTP/1.1 204 N\r\nA: b\r\n"),
        ("HTTP/1.1 304 N\r\nContent-Length: 1\r\n", "HTTP/1.1 304 N\r\nContent-Length: 1\r\n"),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        ),
    ])
    func linesStayOrGo(head: String, kept: String) {
        let bytes = Array((head + "\r\n").utf8)
        #expect(editedResponse(bytes) == kept + "\r\n")
        #expect(isSentAsItCame(bytes) == (head == kept && !head.contains(" 101 ")))
        #expect(isSentAsItCame(bytes, ResponseEditing(connection: .close)) == false)
    }

    @Test func connectionAndEdits() {
        let bytes = Array("HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        let plain = editedResponse(bytes, ResponseEditing(connection: .close, dropsChunks: true))
        #expect(plain == "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n")
        let edited = editedResponse(
            bytes, ResponseEditing(connection: .keepAlive), route: HeaderEdits(["x"], "Y: 2\r\n"),
            backend: HeaderEdits(["a"], "X: 1\r\nZ: 1\r\n"))
        let lines = "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nZ: 1\r\nY: 2\r\n"
        #expect(edited == "HTTP/1.1 200 OK\r\n\(lines)\r\n")
    }
}

@Suite struct LocalReplyTests {
    private func reply(_ write: (inout ByteWriter) -> Void) -> String {
        var writer = ByteWriter(capacity: 1024)
        write(&writer)
        return written(writer)
    }

    @Test func repliesAreWhole() {
        let text = reply { writeReply(status: 404, body: "no route\n", connection: .close, into: &$0) }
        let lines = "Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n"
        #expect(text == "HTTP/1.1 404 Not Found\r\n\(lines)no route\n")
        let head = reply { writeReply(status: 503, body: "a", requestIsHead: true, into: &$0) }
        #expect(head.hasSuffix("Content-Length: 1\r\n\r\n"))
        #expect(reply { writeReply(status: 204, into: &$0) } == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(reply { writeReply(status: 599, into: &$0) } == "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n")
        #expect(reply { $0.appendContinue() } == "HTTP/1.1 100 Continue\r\n\r\n")
        for status in 400...599 {
            let text = reply { writeReply(status: UInt16(status), body: "a", into: &$0) }
            #expect(ParsedResponse(text).verdict == .complete)
        }
    }

    /// Redirect, the listener's port, location.
    @Test(
        arguments: [
            (RedirectAction(), 80, "http://h/a/b?c"), (RedirectAction(), 8080, "http://h:8080/a/b?c"),
            (RedirectAction(scheme: "https"), 8080, "https://h/a/b?c"),
            (RedirectAction(scheme: "http"), 8080, "http://h/a/b?c"),
            (RedirectAction(scheme: "https", port: 80), 80, "https://h:80/a/b?c"),
            (RedirectAction(scheme: "https", port: 443), 80, "https://h/a/b?c"),
            (RedirectAction(port: 80), 8080, "http://h/a/b?c"),
            (RedirectAction(port: 443), 80, "http://h:443/a/b?c"),
            (RedirectAction(host: "x", path: .full("/y")), 80, "http://x/y?c"),
            (RedirectAction(path: .prefix("/y")), 80, "http://h/y/b?c"),
        ] as [(RedirectAction, UInt16, String)])
    func redirects(redirect: RedirectAction, port: UInt16, location: String) {
        let parsed = ParsedRequest("GET /a/b?c HTTP/1.1\r\nHost: h:9\r\n\r\n")
        let text = reply { writer in
            writeRedirect(
                redirect, parsed.head, parsed.bytes.span, matchedPrefix: Array("/a".utf8), listenerPort: port,
                into: &writer)
        }
        #expect(text == "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: \(location)\r\n\r\n")
    }

    @Test func redirectWithoutHost() {
        let parsed = ParsedRequest("GET /a HTTP/1.0\r\n\r\n")
        let text = reply { writer in
            writeRedirect(
                RedirectAction(scheme: "https", status: 301), parsed.head, parsed.bytes.span,
                matchedPrefix: Array("/".utf8), listenerPort: 80, into: &writer)
        }
        #expect(text.contains("301 Moved Permanently\r\n") && text.hasSuffix("Location: /a\r\n\r\n"))
    }
}
