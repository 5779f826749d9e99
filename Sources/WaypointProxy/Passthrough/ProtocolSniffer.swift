/// Tells HTTP/1 from everything else by a stream's first bytes.
internal import CLinux

enum SniffVerdict: Equatable {
    /// Fewer than `maximumSniff` bytes, and they could become either.
    case needMore
    case http
    /// Passed through untouched: TLS, HTTP/2 with prior knowledge, anything else.
    case other
}

/// Longer methods are not taken for HTTP. No registered one has more than 17 bytes.
private let maximumMethod = 20

/// An empty line, a method, a space and `https://`.
let maximumSniff = 2 + maximumMethod + 1 + 8

/// HTTP is a token, a space and the start of a target: `/`, `http://`, `https://`; `*` after OPTIONS and
/// anything after CONNECT. Every request that the parser takes is HTTP to this, and so are some that it
/// refuses.
func sniffProtocol(_ bytes: Span<UInt8>) -> SniffVerdict {
    var start = 0
    if bytes.isPrefix(of: "\r\n", from: 0) { return .needMore }
    if bytes.matches("\r\n", at: 0) { start = 2 }
    var end = start
    while end < bytes.count, kmesh_is_token_byte(bytes[end]) {
        guard end - start < maximumMethod else { return .other }
        end += 1
    }
    guard end < bytes.count else { return .needMore }
    guard end > start, bytes[end] == ASCII.space else { return .other }
    guard end + 1 < bytes.count else { return .needMore }
    switch bytes[end + 1] {
    case ASCII.slash: return .http
    case UInt8(ascii: "*"): return bytes.matches("OPTIONS ", at: start) ? .http : .other
    case _ where bytes.matches("CONNECT ", at: start): return .http
    default: return sniffScheme(bytes, from: end + 1)
    }
}

private func sniffScheme(_ bytes: Span<UInt8>, from start: Int) -> SniffVerdict {
    let available = bytes.count - start
    var couldBe = false
    for scheme in ["http://", "https://"] as [StaticString] {
        let isWhole = available >= scheme.utf8CodeUnitCount
        let range = ByteRange(start, start + min(available, scheme.utf8CodeUnitCount))
        guard bytes.beginsIgnoringCase(range, scheme) else { continue }
        if isWhole { return .http }
        couldBe = true
    }
    return couldBe ? .needMore : .other
}
