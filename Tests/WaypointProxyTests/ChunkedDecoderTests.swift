/// Chunked bodies: where they end, and every way in which one is refused, however their bytes arrive.
import Testing

@testable import WaypointProxy

/// Feeds the pieces between `cuts`; what was consumed in all, and the last verdict.
func decodeChunks(_ bytes: [UInt8], cuts: [Int] = []) -> (consumed: Int, verdict: ParseVerdict) {
    var decoder = ChunkedDecoder()
    var consumed = 0
    var verdict = ParseVerdict.incomplete
    for (start, end) in zip([0] + cuts, cuts + [bytes.count]) where verdict == .incomplete {
        let piece = Array(bytes[start..<end])
        let progress = decoder.advance(piece.span)
        consumed += progress.consumed
        verdict = progress.verdict
    }
    return (consumed, verdict)
}

/// The content alone, by the in-place filter.
func dechunk(_ bytes: [UInt8], cuts: [Int] = []) -> (content: [UInt8], verdict: ParseVerdict) {
    var decoder = ChunkedDecoder()
    var content: [UInt8] = []
    var verdict = ParseVerdict.incomplete
    for (start, end) in zip([0] + cuts, cuts + [bytes.count]) where verdict == .incomplete {
        let piece = Array(bytes[start..<end])
        let chunk = ByteChunk(capacity: piece.count + 3)
        chunk.write(piece.span, at: 2)
        let progress = decoder.dechunk(chunk, 2..<(2 + piece.count))
        content += (0..<progress.kept).map { chunk[2 + $0] }
        verdict = progress.verdict
    }
    return (content, verdict)
}

@Suite struct ChunkedDecoderTests {
    /// Body and content.
    @Test(arguments: [
        ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("000\r\n\r\n", ""),
        ("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "abcd"), ("A\r\n0123456789\r\n00\r\n\r\n", "0123456789"),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "a"),
        ("a\r\n0\r\n\r\n\r\n0\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n0\r\n"),
        ("1;a\r\nb\r\n0;c=d;e\r\n\r\n", "b"), ("1 ; a=\"b;\\\" c\" \r\nx\r\n0\r\n\r\n", "x"),
        ("1;\u{e4}\r\nx\r\n0\r\n\r\n", "x"), ("0\r\nA: b\r\nc:\r\n\r\n", ""),
        ("0\r\nX-Content-Length: 1\r\nDigest:\tx \r\n\r\n", ""),
    ])
    func ends(body: String, content: String) {
        let bytes = Array(body.utf8) + Array("GET /".utf8)
        for cut in 0...bytes.count {
            let decoded = decodeChunks(bytes, cuts: [cut])
            #expect(decoded.verdict == .complete && decoded.consumed == body.utf8.count)
            let stripped = dechunk(bytes, cuts: [cut])
            #expect(stripped.verdict == .complete && stripped.content == Array(content.utf8))
        }
        for count in 0..<body.utf8.count {
            #expect(decodeChunks(Array(bytes[..<count])).verdict == .incomplete)
        }
        let single = decodeChunks(bytes, cuts: Array(1..<bytes.count))
        #expect(single.verdict == .complete && single.consumed == body.utf8.count)
    }

    @Test(arguments: [
        "\r\n", "x\r\n", " 5\r\n", "+5\r\n", "-0\r\n", "-5\r\n", "0x5\r\n", "1_0\r\n", "5 \r\n", "5\t\r\n",
        "5\n",
        "5\r\r\n", "\t5\r\n", "5,5\r\n", "5.0\r\n", "８\r\n", "5 5\r\n", ";a\r\n", "5\u{b}\r\n",
        "5\u{0};a\r\n",
        "00000000000000005\r\n", "10000000000000000\r\n", "ffffffffffffffff\r\n", "8000000000000000\r\n",
        "5;a\nhello", "5;a\rb\r\n", "5;\u{0}\r\n", "5;a=\"b\r\n", "5;a=\"\\\r\n", "5;a=\"b\n\"\r\n",
        "5;\u{7f}\r\n",
        "1\r\nabc", "1\r\na\n0", "1\r\na\r0", "1\r\na0\r\n", "1\r\na\r\r\n", "0\n",
        "5;" + String(repeating: "a", count: 256) + "\r\n",
    ])
    func chunkIsRefused(body: String) { expectRefusal(Array(body.utf8), .badChunk) }

    @Test(arguments: [
        "Content-Length: 5", "content-LENGTH:5", "Transfer-Encoding: chunked", "Host: a", "Connection: close",
        "Trailer: a", "Authorization: a", "Set-Cookie: a", "Content-Type: a",
        " a: b", "a : b", ": a", "a", "a\nb: c", "a: b\nc: d", "\n", "a: \u{0}", "a: b\r c", "ä: b",
        "a: b\r\n c: d",
        "a: " + String(repeating: "b", count: 8192),
    ])
    func trailerIsRefused(line: String) { expectRefusal(Array("0\r\n\(line)\r\n\r\n".utf8), .badTrailer) }

    @Test func extensionsHaveTheirBound() {
        let text = "1;" + String(repeating: "a", count: 255) + "\r\nb\r\n0\r\n\r\n"
        #expect(decodeChunks(Array(text.utf8)).verdict == .complete)
    }

    /// Alike wherever the bytes are cut, and never before the byte that is wrong.
    private func expectRefusal(_ bytes: [UInt8], _ refusal: HTTPRefusal) {
        let whole = decodeChunks(bytes)
        #expect(
            whole.verdict == .refused(refusal), "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
        for cut in 0...min(bytes.count, 100) {
            let decoded = decodeChunks(bytes, cuts: [cut])
            #expect(decoded.verdict == whole.verdict && decoded.consumed == whole.consumed)
            #expect(dechunk(bytes, cuts: [cut]).verdict == whole.verdict)
        }
    }
}
