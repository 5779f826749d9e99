/// Header lines, in requests and responses alike: where they are, and what they say about the message.
///
/// Strict by RFC 9112: what two servers could read in two ways is refused, not repaired.

enum ASCII {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let slash = UInt8(ascii: "/")
    static let questionMark = UInt8(ascii: "?")

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}

/// The end of the head in `bytes`, of which those before `searched` were looked through before; `nil` while
/// it is not whole. A parser starts over at each call: call it once for what comes first, and then only when
/// this says that the head is whole, or `HeadLimits.head` is reached. So a sender of single bytes costs no
/// more than others.
///
/// An empty line ends a head however badly its end is written: the parser then refuses it.
func findHeadEnd(_ bytes: Span<UInt8>, from searched: Int) -> Int? {
    var at = max(0, searched)
    while true {
        at = bytes.lineFeed(from: at)
        guard at < bytes.count else { return nil }
        if at >= 1, bytes[at - 1] == ASCII.lineFeed { return at + 1 }
        if at >= 2, bytes[at - 1] == ASCII.carriageReturn, bytes[at - 2] == ASCII.lineFeed { return at + 1 }
        at += 1
    }
}

/// What the header lines say, before it is known whether it is allowed.
struct FieldSummary: BitwiseCopyable {
    /// Host and Expect mean nothing in a response.
    let isRequest: Bool
    var present = KnownHeaders()
    var count: Int32 = 0
    /// After the empty line.
    var end = 0
    var host: Int32 = -1
    var lastForwardedFor: Int32 = -1
    /// -1 without a Content-Length.
    var contentLength: Int64 = -1
    /// Options of Connection.
    var closes = false
    var keepsAlive = false
    var namesUpgrade = false
    var namesHeaders = false
    var optionCount: Int32 = 0
    /// The Upgrade header holds something that may be forwarded.
    var hasUpgrade = false
    var expectsContinue = false

    init(isRequest: Bool) { self.isRequest = isRequest }
}

/// Options of all Connection headers together. More have no use, and each is looked for in all lines.
private let maximumConnectionOptions: Int32 = 64

/// Reads the lines from `start` to the empty line.
@inline(__always)
func parseFields(
    _ bytes: Span<UInt8>, from start: Int, limits: HeadLimits, fields: borrowing Slab<HeaderField>,
    into summary: inout FieldSummary
) -> ParseVerdict {
    let count = bytes.count
    var at = start
    while at < count {
        if bytes[at] == ASCII.carriageReturn {
            guard at &+ 1 < count else { return .incomplete }
            guard bytes[at &+ 1] == ASCII.lineFeed else { return .refused(.bareLineEnd) }
            summary.end = at &+ 2
            return summary.end <= limits.head ? .complete : .refused(.headTooLarge)
        }
        guard var field = bytes.headerField(from: at) else {
            return verdictOfLine(bytes, at, hasRoom: summary.count < limits.fields)
        }
        guard summary.count < limits.fields else { return .refused(.tooManyFields) }
        field.known = knownHeader(bytes, field.name)
        if field.known != .other {
            if let refusal = summary.add(field, bytes) { return .refused(refusal) }
        }
        fields[summary.count] = field
        summary.count &+= 1
        at = field.line.range.upperBound
    }
    return .incomplete
}

/// Why there is no header line at `start`. `hasRoom`: one more would be taken.
private func verdictOfLine(_ bytes: Span<UInt8>, _ start: Int, hasRoom: Bool) -> ParseVerdict {
    let colon = bytes.tokenEnd(from: start, to: bytes.count)
    guard colon < bytes.count else { return .incomplete }
    guard bytes[colon] == ASCII.colon, colon > start else {
        return .refused(refusalOfName(bytes, start, colon))
    }
    guard hasRoom else { return .refused(.tooManyFields) }
    return verdictOfLineEnd(bytes, bytes.control(from: colon + 1))
}

/// What ends a name that no colon ends.
private func refusalOfName(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> HTTPRefusal {
    let byte = bytes[end]
    if byte == ASCII.lineFeed, start == end { return .bareLineEnd }
    guard ASCII.isBlank(byte) else { return .badHeaderName }
    return start == end ? .foldedHeader : .spaceBeforeColon
}

/// What is meant by a control byte, or the end of the bytes, in a line that is not ended well.
func verdictOfLineEnd(_ bytes: Span<UInt8>, _ end: Int) -> ParseVerdict {
    guard end < bytes.count else { return .incomplete }
    switch bytes[end] {
    case ASCII.carriageReturn: return end + 1 < bytes.count ? .refused(.bareLineEnd) : .incomplete
    case ASCII.lineFeed: return .refused(.bareLineEnd)
    default: return .refused(.badHeaderValue)
    }
}

extension ByteRange {
    @inline(__always)
    init(_ start: Int, _ end: Int) {
        self.init(start: Int32(truncatingIfNeeded: start), count: Int32(truncatingIfNeeded: end &- start))
    }
}

/// `name` is known to be a token.
@inline(__always)
private func knownHeader(_ bytes: Span<UInt8>, _ name: ByteRange) -> KnownHeader {
    switch name.count {
    case 2: return bytes.isName(name, "te") ? .te : .other
    case 4: return bytes.isName(name, "host") ? .host : .other
    case 6: return bytes.isName(name, "expect") ? .expect : .other
    case 7: return bytes.isName(name, "upgrade") ? .upgrade : .other
    case 10:
        if bytes.isName(name, "user-agent") { return .userAgent }
        if bytes.isName(name, "connection") { return .connection }
        return bytes.isName(name, "keep-alive") ? .keepAlive : .other
    case 12: return bytes.isName(name, "x-request-id") ? .requestID : .other
    case 14: return bytes.isName(name, "content-length") ? .contentLength : .other
    case 15: return bytes.isName(name, "x-forwarded-for") ? .forwardedFor : .other
    case 16: return bytes.isName(name, "proxy-connection") ? .proxyConnection : .other
    case 17:
        if bytes.isName(name, "transfer-encoding") { return .transferEncoding }
        return bytes.isName(name, "x-forwarded-proto") ? .forwardedProto : .other
    default: return .other
    }
}

extension FieldSummary {
    /// Takes a known header. `nil` when nothing is wrong with it.
    @inline(__always)
    mutating func add(_ field: HeaderField, _ bytes: Span<UInt8>) -> HTTPRefusal? {
        let isRepeated = present.contains(field.known)
        present.insert(field.known)
        switch field.known {
        case .host:
            guard !isRepeated || !isRequest else { return .duplicateHost }
            host = count
        case .contentLength:
            guard !isRepeated else { return .conflictingContentLength }
            guard let length = parseContentLength(bytes, field.value) else { return .badContentLength }
            contentLength = length
        case .transferEncoding:
            guard !isRepeated else { return .badTransferEncoding }
            return refusalOfEncoding(bytes, field.value)
        case .connection:
            return addOptions(bytes, field.value)
        case .expect:
            guard !isRequest || bytes.equals(field.value, ignoringCase: "100-continue") else {
                return .expectationUnknown
            }
            expectsContinue = true
        case .upgrade:
            hasUpgrade = (hasUpgrade || !isRepeated) && isForwardedProtocol(bytes, field.value)
        case .forwardedFor:
            lastForwardedFor = count
        case .other, .keepAlive, .te, .proxyConnection, .forwardedProto, .requestID, .userAgent:
            break
        }
        return nil
    }

    private mutating func addOptions(_ bytes: Span<UInt8>, _ value: ByteRange) -> HTTPRefusal? {
        var at = value.range.lowerBound
        while let option = nextElement(bytes, &at, value.range.upperBound) {
            guard optionCount < maximumConnectionOptions else { return .tooManyConnectionOptions }
            optionCount &+= 1
            if bytes.equals(option, ignoringCase: "keep-alive") {
                keepsAlive = true
            } else if bytes.equals(option, ignoringCase: "close") {
                closes = true
            } else if bytes.equals(option, ignoringCase: "upgrade") {
                namesUpgrade = true
            } else {
                namesHeaders = true
            }
        }
        return nil
    }
}

/// The next element, without white space around it, of the list in the bytes from `at` to `end`; empty ones
/// are passed over (RFC 9110 section 5.6.1).
@inline(__always)
func nextElement(_ bytes: Span<UInt8>, _ at: inout Int, _ end: Int) -> ByteRange? {
    while at < end, ASCII.isBlank(bytes[at]) || bytes[at] == ASCII.comma { at &+= 1 }
    guard at < end else { return nil }
    let start = at
    while at < end, bytes[at] != ASCII.comma { at &+= 1 }
    var elementEnd = at
    while ASCII.isBlank(bytes[elementEnd &- 1]) { elementEnd &-= 1 }
    return ByteRange(start, elementEnd)
}

/// Digits only: no sign, no list.
private func parseContentLength(_ bytes: Span<UInt8>, _ value: ByteRange) -> Int64? {
    guard !value.isEmpty else { return nil }
    var length: Int64 = 0
    for at in value.range {
        let byte = bytes[at]
        guard ASCII.isDigit(byte) else { return nil }
        let (product, overflows) = length.multipliedReportingOverflow(by: 10)
        let (sum, overflowsToo) = product.addingReportingOverflow(Int64(byte &- UInt8(ascii: "0")))
        guard !overflows, !overflowsToo else { return nil }
        length = sum
    }
    return length
}

/// `nil` for `chunked` alone, the one coding that we know.
private func refusalOfEncoding(_ bytes: Span<UInt8>, _ value: ByteRange) -> HTTPRefusal? {
    if bytes.equals(value, ignoringCase: "chunked") { return nil }
    // Which of the others are well formed, and could be understood by somebody.
    var at = value.range.lowerBound
    let end = value.range.upperBound
    var isChunkedLast = false, isUnknown = false
    while at < end {
        let start = at
        while at < end, bytes[at] != ASCII.comma { at += 1 }
        var element = start..<at
        while let first = element.first, ASCII.isBlank(bytes[first]) { element.removeFirst() }
        while let last = element.last, ASCII.isBlank(bytes[last]) { element.removeLast() }
        guard !isChunkedLast, !element.isEmpty, at != end - 1 else { return .badTransferEncoding }
        isChunkedLast = bytes.equals(
            ByteRange(element.lowerBound, element.upperBound), ignoringCase: "chunked")
        guard bytes.tokenEnd(from: element.lowerBound, to: element.upperBound) == element.upperBound else {
            return .badTransferEncoding
        }
        isUnknown = isUnknown || !isChunkedLast
        at += 1
    }
    return isUnknown ? .unknownTransferEncoding : .badTransferEncoding
}

/// An upgrade to HTTP/2 would take its requests past the routes.
private func isForwardedProtocol(_ bytes: Span<UInt8>, _ value: ByteRange) -> Bool {
    var at = value.range.lowerBound
    var isAny = false
    while let element = nextElement(bytes, &at, value.range.upperBound) {
        let head = ByteRange(start: element.start, count: min(3, element.count))
        let long = ByteRange(start: element.start, count: min(4, element.count))
        if bytes.equals(head, ignoringCase: "h2c") || bytes.equals(long, ignoringCase: "http") {
            return false
        }
        isAny = true
    }
    return isAny
}
