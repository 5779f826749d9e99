/// The head of a request (RFC 9112 sections 2 and 3), in one pass.
///
/// Only HTTP/1.0 and HTTP/1.1 are taken: nobody speaks HTTP/1.2, and a request that claims to is a probe.

/// Reads the request at the start of `bytes`. Lines go into `fields`, whose capacity is `limits.fields` or
/// more. `head` holds something of use only when the verdict is `complete`. See `findHeadEnd` for when to
/// call it.
func parseRequestHead(
    _ bytes: Span<UInt8>, limits: HeadLimits, into head: inout RequestHead,
    fields: borrowing Slab<HeaderField>
) -> ParseVerdict {
    head = RequestHead()
    var summary = FieldSummary(isRequest: true)
    var verdict = parseRequestLine(bytes, limits, &head)
    if verdict == .complete {
        verdict = parseFields(bytes, from: Int(head.count), limits: limits, fields: fields, into: &summary)
    }
    switch verdict {
    case .complete:
        if let refusal = head.conclude(summary, bytes, fields) { return .refused(refusal) }
    case .incomplete:
        if bytes.count >= limits.head { return .refused(.headTooLarge) }
    case .refused:
        break
    }
    return verdict
}

/// Leaves the line's end in `head.count`.
@inline(__always)
private func parseRequestLine(
    _ bytes: Span<UInt8>, _ limits: HeadLimits, _ head: inout RequestHead
) -> ParseVerdict {
    var start = 0
    if !bytes.isEmpty, bytes[0] == ASCII.carriageReturn {
        guard bytes.count > 1 else { return .incomplete }
        guard bytes[1] == ASCII.lineFeed else { return .refused(.bareLineEnd) }
        start = 2
    }
    let methodEnd = bytes.tokenEnd(from: start, to: bytes.count)
    guard methodEnd < bytes.count else { return incompleteLine(bytes.count - start, limits) }
    guard methodEnd > start, bytes[methodEnd] == ASCII.space else { return .refused(.badRequestLine) }
    head.method = ByteRange(start, methodEnd)
    guard head.classifyMethod(bytes) else { return .refused(.connectRefused) }

    let target = methodEnd &+ 1
    let targetEnd = bytes.targetEnd(from: target)
    guard targetEnd < bytes.count else { return incompleteLine(bytes.count - start, limits) }
    guard targetEnd &+ 9 &- start <= limits.line else { return .refused(.lineTooLong) }
    guard targetEnd > target, bytes[targetEnd] == ASCII.space else {
        return .refused(refusalOfTarget(bytes[targetEnd], isEmpty: targetEnd == target))
    }
    head.target = ByteRange(target, targetEnd)
    if let refusal = head.parseTarget(bytes) { return .refused(refusal) }
    return parseVersion(bytes, targetEnd &+ 1, &head)
}

private func incompleteLine(_ count: Int, _ limits: HeadLimits) -> ParseVerdict {
    count > limits.line ? .refused(.lineTooLong) : .incomplete
}

private func refusalOfTarget(_ byte: UInt8, isEmpty: Bool) -> HTTPRefusal {
    switch byte {
    // A request of HTTP/0.9, or two spaces.
    case ASCII.carriageReturn, ASCII.lineFeed: .badRequestLine
    case ASCII.space where isEmpty: .badRequestLine
    default: .badTarget
    }
}

@inline(__always)
private func parseVersion(_ bytes: Span<UInt8>, _ start: Int, _ head: inout RequestHead) -> ParseVerdict {
    if bytes.matches("HTTP/1.1\r\n", at: start) {
        head.count = Int32(truncatingIfNeeded: start &+ 10)
        return .complete
    }
    if bytes.matches("HTTP/1.0\r\n", at: start) {
        head.minorVersion = 0
        head.count = Int32(truncatingIfNeeded: start &+ 10)
        return .complete
    }
    return verdictOfVersion(bytes, start)
}

private func verdictOfVersion(_ bytes: Span<UInt8>, _ start: Int) -> ParseVerdict {
    let shape: StaticString = "HTTP/"
    for offset in 0..<8 {
        guard start + offset < bytes.count else { return .incomplete }
        let byte = bytes[start + offset]
        let isRight =
            switch offset {
            case 5, 7: ASCII.isDigit(byte)
            case 6: byte == UInt8(ascii: ".")
            default: bytes.matches(shape, at: start) || bytes.isPrefix(of: shape, from: start)
            }
        guard isRight else { return .refused(.badVersion) }
    }
    let end = start + 8
    guard end < bytes.count else { return .incomplete }
    guard bytes[end] == ASCII.carriageReturn else {
        return .refused(bytes[end] == ASCII.lineFeed ? .bareLineEnd : .badVersion)
    }
    guard end + 1 < bytes.count else { return .incomplete }
    return .refused(bytes[end + 1] == ASCII.lineFeed ? .versionNotSupported : .bareLineEnd)
}

extension RequestHead {
    /// `false` for CONNECT.
    @inline(__always)
    fileprivate mutating func classifyMethod(_ bytes: Span<UInt8>) -> Bool {
        let start = Int(method.start)
        switch method.count {
        case 3:
            isIdempotent = bytes.matches("GET", at: start) || bytes.matches("PUT", at: start)
        case 4:
            isHead = bytes.matches("HEAD", at: start)
            isIdempotent = isHead
        case 5: isIdempotent = bytes.matches("TRACE", at: start)
        case 6: isIdempotent = bytes.matches("DELETE", at: start)
        case 7:
            isIdempotent = bytes.matches("OPTIONS", at: start)
            return !bytes.matches("CONNECT", at: start)
        default: break
        }
        return true
    }

    /// RFC 9112 section 3.2.
    @inline(__always)
    fileprivate mutating func parseTarget(_ bytes: Span<UInt8>) -> HTTPRefusal? {
        let target = self.target.range
        if bytes[target.lowerBound] == ASCII.slash {
            splitPath(bytes, from: target.lowerBound, to: target.upperBound)
            return nil
        }
        return parseOtherTarget(bytes, target)
    }

    private mutating func parseOtherTarget(_ bytes: Span<UInt8>, _ target: Range<Int>) -> HTTPRefusal? {
        if bytes[target.lowerBound] == UInt8(ascii: "*") {
            path = self.target
            let isAllowed = target.count == 1 && bytes.matches("OPTIONS ", at: Int(method.start))
            return isAllowed ? nil : .badTarget
        }
        let plain = ByteRange(target.lowerBound, min(target.upperBound, target.lowerBound + 7))
        let secure = ByteRange(target.lowerBound, min(target.upperBound, target.lowerBound + 8))
        var start = target.lowerBound
        if bytes.equals(plain, ignoringCase: "http://") {
            start += 7
        } else if bytes.equals(secure, ignoringCase: "https://") {
            start += 8
        } else {
            return .badTarget
        }
        var end = start
        while end < target.upperBound, bytes[end] != ASCII.slash, bytes[end] != ASCII.questionMark {
            end += 1
        }
        guard let host = parseAuthority(bytes, start, end), !host.isEmpty else { return .badHost }
        isAbsolute = true
        authority = ByteRange(start, end)
        self.host = host
        splitPath(bytes, from: end, to: target.upperBound)
        return nil
    }

    @inline(__always)
    private mutating func splitPath(_ bytes: Span<UInt8>, from start: Int, to end: Int) {
        let at = bytes.find(ASCII.questionMark, from: start, to: end)
        path = ByteRange(start, at)
        guard at < end else { return }
        hasQuery = true
        query = ByteRange(at &+ 1, end)
    }

    /// What the header lines mean together, and for this request.
    @inline(__always)
    fileprivate mutating func conclude(
        _ summary: FieldSummary, _ bytes: Span<UInt8>, _ fields: borrowing Slab<HeaderField>
    ) -> HTTPRefusal? {
        present = summary.present
        fieldCount = summary.count
        count = Int32(truncatingIfNeeded: summary.end)
        lastForwardedFor = summary.lastForwardedFor
        namesHeaders = summary.namesHeaders
        if summary.host >= 0 {
            let value = fields[summary.host].value
            guard let name = parseAuthority(bytes, value.range.lowerBound, value.range.upperBound) else {
                return .badHost
            }
            if !isAbsolute {
                // RFC 9110 section 4.2.1: no http URI has an empty host.
                guard !name.isEmpty else { return .badHost }
                authority = value
                host = name
            }
        } else if minorVersion > 0 {
            return .missingHost
        }

        if summary.present.contains(.transferEncoding) {
            guard minorVersion > 0 else { return .encodingInOldVersion }
            guard summary.contentLength < 0 else { return .lengthAndEncoding }
            framing = .chunked
        } else if summary.contentLength > 0 {
            framing = .length
            contentLength = summary.contentLength
        }
        keepsAlive = !summary.closes && (minorVersion > 0 || summary.keepsAlive)
        // HTTP/1.0 knows neither (RFC 9110 sections 7.8 and 10.1.1).
        expectsContinue = summary.expectsContinue && minorVersion > 0 && framing != .none
        asksUpgrade = summary.hasUpgrade && summary.namesUpgrade && minorVersion > 0 && framing == .none
        return nil
    }
}

/// The host in an authority; `nil` when it is none. Userinfo is refused, as are the marks and the percent
/// signs that RFC 3986 allows: no name in the DNS has them, and servers disagree about them.
@inline(__always)
func parseAuthority(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> ByteRange? {
    if start < end, bytes[start] == UInt8(ascii: "[") { return parseLiteral(bytes, start, end) }
    let hostEnd = bytes.hostEnd(from: start, to: end)
    guard hostEnd == end || isPort(bytes, hostEnd, end) else { return nil }
    return ByteRange(start, hostEnd)
}

/// `[IPv6]`, by its form.
private func parseLiteral(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> ByteRange? {
    var at = start + 1
    var colons = 0
    while at < end, bytes[at] != UInt8(ascii: "]") {
        switch bytes[at] {
        case ASCII.colon: colons += 1
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."):
            break
        default: return nil
        }
        at += 1
    }
    guard at < end, colons >= 2, at - start <= 46 else { return nil }
    guard at + 1 == end || isPort(bytes, at + 1, end) else { return nil }
    return ByteRange(start, at + 1)
}

/// A colon and a number of 16 bits, or none.
private func isPort(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    guard bytes[start] == ASCII.colon, end - start <= 6 else { return false }
    var port = 0
    for at in (start + 1)..<end {
        guard ASCII.isDigit(bytes[at]) else { return false }
        port = port * 10 + Int(bytes[at] &- UInt8(ascii: "0"))
    }
    return port <= Int(UInt16.max)
}
