/// The head of a response (RFC 9112 sections 4 and 6.3), in one pass.

/// Reads the response at the start of `bytes`; `requestIsHead` when it answers a HEAD. Lines go into
/// `fields`, whose capacity is `limits.fields` or more. A space may be missing after the status, as many
/// servers leave it out where there is no reason phrase. See `findHeadEnd` for when to call it.
func parseResponseHead(
    _ bytes: Span<UInt8>, limits: HeadLimits, requestIsHead: Bool, into head: inout ResponseHead,
    fields: borrowing Slab<HeaderField>
) -> ParseVerdict {
    head = ResponseHead()
    var summary = FieldSummary(isRequest: false)
    var verdict = parseStatusLine(bytes, limits, &head)
    if verdict == .complete {
        verdict = parseFields(bytes, from: Int(head.count), limits: limits, fields: fields, into: &summary)
    }
    switch verdict {
    case .complete:
        if let refusal = head.conclude(summary, requestIsHead: requestIsHead) { return .refused(refusal) }
    case .incomplete:
        if bytes.count >= limits.head { return .refused(.headTooLarge) }
    case .refused:
        break
    }
    return verdict
}

/// Leaves the line's end in `head.count`.
@inline(__always)
private func parseStatusLine(
    _ bytes: Span<UInt8>, _ limits: HeadLimits, _ head: inout ResponseHead
) -> ParseVerdict {
    if bytes.matches("HTTP/1.0 ", at: 0) {
        head.minorVersion = 0
    } else if !bytes.matches("HTTP/1.1 ", at: 0) {
        return verdictOfVersion(bytes)
    }
    // "HTTP/1.1 200" and what ends it is the least.
    guard bytes.count > 12 else { return .incomplete }
    var status: UInt16 = 0
    for at in 9..<12 {
        guard ASCII.isDigit(bytes[at]) else { return .refused(.badStatusLine) }
        status = status &* 10 &+ UInt16(bytes[at] &- UInt8(ascii: "0"))
    }
    guard status >= 100, bytes[12] == ASCII.space || bytes[12] == ASCII.carriageReturn else {
        return .refused(bytes[12] == ASCII.lineFeed ? .bareLineEnd : .badStatusLine)
    }
    head.status = status
    let end = bytes.control(from: 12)
    guard end <= limits.line else { return .refused(.lineTooLong) }
    guard end &+ 1 < bytes.count, bytes[end] == ASCII.carriageReturn, bytes[end &+ 1] == ASCII.lineFeed else {
        let verdict = verdictOfLineEnd(bytes, end)
        return verdict == .refused(.badHeaderValue) ? .refused(.badStatusLine) : verdict
    }
    head.count = Int32(truncatingIfNeeded: end &+ 2)
    return .complete
}

/// Of another beginning than ours, or of fewer bytes. What cannot become one of ours is refused at once.
private func verdictOfVersion(_ bytes: Span<UInt8>) -> ParseVerdict {
    for at in 0..<min(9, bytes.count) {
        let isRight =
            switch at {
            case 5, 7: ASCII.isDigit(bytes[at])
            case 6: bytes[at] == UInt8(ascii: ".")
            case 8: bytes[at] == ASCII.space
            default: bytes.matches("HTTP/", at: 0) || bytes.isPrefix(of: "HTTP/", from: 0)
            }
        guard isRight else { return .refused(.badStatusLine) }
    }
    return bytes.count < 9 ? .incomplete : .refused(.versionNotSupported)
}

extension ResponseHead {
    /// What the header lines mean together, and for this response.
    @inline(__always)
    fileprivate mutating func conclude(_ summary: FieldSummary, requestIsHead: Bool) -> HTTPRefusal? {
        present = summary.present
        fieldCount = summary.count
        count = Int32(truncatingIfNeeded: summary.end)
        namesHeaders = summary.namesHeaders
        keepsAlive = !summary.closes && (minorVersion > 0 || summary.keepsAlive)
        let isChunked = summary.present.contains(.transferEncoding)
        if isChunked {
            guard minorVersion > 0 else { return .encodingInOldVersion }
            guard summary.contentLength < 0 else { return .lengthAndEncoding }
        }
        if requestIsHead || status < 200 || status == 204 || status == 304 {
            framing = .none
        } else if isChunked {
            framing = .chunked
        } else if summary.contentLength >= 0 {
            framing = summary.contentLength == 0 ? .none : .length
            contentLength = summary.contentLength
        } else {
            framing = .untilClose
            keepsAlive = false
        }
        return nil
    }
}
