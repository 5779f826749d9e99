/// Where the parts of a message's head are: offsets into the bytes that it was parsed from.
struct ByteRange: BitwiseCopyable, Equatable {
    var start: Int32 = 0
    var count: Int32 = 0

    var isEmpty: Bool { count == 0 }
    var range: Range<Int> { Int(start)..<(Int(start) + Int(count)) }
}

/// One header line. The name is as the sender wrote it; the value is without white space around it.
struct HeaderField: BitwiseCopyable {
    var name = ByteRange()
    var value = ByteRange()
    /// The whole line with its end.
    var line = ByteRange()
    var known = KnownHeader.other
}

/// Headers that mean something to a proxy.
enum KnownHeader: UInt8, BitwiseCopyable {
    case other = 0
    case host, connection, contentLength, transferEncoding, expect, upgrade, keepAlive, te, trailer
    case proxyConnection, proxyAuthorization, proxyAuthenticate
    case forwardedFor, forwardedProto, requestID, userAgent
}

/// How far a body goes (RFC 9112 section 6.3).
enum BodyFraming: UInt8, BitwiseCopyable {
    case none = 0
    case length, chunked
    /// Only responses: to the end of the connection.
    case untilClose
}

struct RequestHead: BitwiseCopyable {
    var method = ByteRange()
    /// As in the request line.
    var target = ByteRange()
    /// Of the target, also of an absolute one; `/` is meant where it is empty.
    var path = ByteRange()
    /// Without its question mark.
    var query = ByteRange()
    var hasQuery = false
    /// From an absolute target, else from the Host header; may hold a port.
    var authority = ByteRange()
    /// The authority without its port.
    var host = ByteRange()
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var contentLength: Int64 = 0
    /// HEAD: the response has no body, whatever its head says.
    var isHead = false
    /// GET, HEAD, OPTIONS, TRACE, PUT, DELETE: may be sent again (RFC 9110 section 9.2.2).
    var isIdempotent = false
    /// The client wants its connection to stay.
    var keepsAlive = true
    var expectsContinue = false
    /// The client asks for another protocol, by an Upgrade header that Connection names.
    var asksUpgrade = false
    var fieldCount: Int32 = 0
    /// Bytes of the head, from the request line to the empty line.
    var count: Int32 = 0
}

struct ResponseHead: BitwiseCopyable {
    var status: UInt16 = 0
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var contentLength: Int64 = 0
    /// The upstream's connection stays.
    var keepsAlive = true
    var fieldCount: Int32 = 0
    var count: Int32 = 0

    var isInterim: Bool { status < 200 && status != 101 }
}

/// Bounds of what is taken, in bytes and lines.
struct HeadLimits: Sendable {
    /// Of the request line: 414 beyond.
    var line = 8192
    /// Of the whole head: 431 beyond.
    var head = 65536
    /// Header lines: 431 beyond.
    var fields: Int32 = 100
}

/// What a parser says of the bytes so far.
enum ParseVerdict: Equatable {
    /// More bytes are needed.
    case incomplete
    case complete
    /// Answer with this status, and close.
    case refused(HTTPRefusal)
}
