/// What is taken for HTTP by its first bytes, and what never is.
import Testing

@testable import WaypointProxy

func sniff(_ text: String) -> SniffVerdict {
    let bytes = Array(text.utf8)
    return sniffProtocol(bytes.span)
}

@Suite struct ProtocolSnifferTests {
    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROPFIND /a", "\r\nPOST /", "get /", "X-CUSTOM~METHOD /", "GET http://a/",
        "GET HTTPS://a/", "OPTIONS * HTTP/1.1", "CONNECT a:443 HTTP/1.1", "UPDATEREDIRECTREF / HTTP/1.1",
    ])
    func isHTTP(text: String) { expect(text, .http) }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "PING\r\n",
        "EHLO host",
        "SET a b\r\n", "KEYS *\r\n", "SSH-2.0-x\r\n", "GET a HTTP/1.1", " GET /", "\n", "\r\r", "\r\n\r\n",
        "\u{0}",
        "GET  /", "GET httpx", "GET http:/a", "TWENTYONECHARACTERSXX /", "SELECT 1;", "PROXY TCP4 1.1.1.1",
    ])
    func isOther(text: String) { expect(text, .other) }

    @Test(arguments: ["", "G", "\r", "\r\n", "GET", "GET ", "GET h", "GET https:/", "ABCDEFGHIJKLMNOPQRST"])
    func moreIsNeeded(text: String) { expect(text, .needMore) }

    /// Never another verdict than the final one, and one within the bound.
    private func expect(_ text: String, _ verdict: SniffVerdict) {
        #expect(sniff(text) == verdict)
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            let early = Array(bytes[..<count])
            let found = sniffProtocol(early.span)
            #expect(found == .needMore || found == verdict, "\(text.debugDescription) at \(count)")
            if count >= maximumSniff { #expect(found != .needMore) }
        }
    }
}
