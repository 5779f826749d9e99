/// Where the parts of a message's head are: offsets into the bytes that it was parsed from.
struct ByteRange: BitwiseCopyable, Equatable {
    var start: Int32 = 0
    var count: Int32 = 0

    var isEmpty: Bool { count == 0 }
    var range: Range<Int> { Int(start)..<(Int(start) &+ Int(count)) }
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
    case host, connection, contentLength, transferEncoding, expect, upgrade, keepAlive, te
    case proxyConnection
    case forwardedFor, forwardedProto, requestID, userAgent
}

/// Which known headers a head has.
struct KnownHeaders: BitwiseCopyable, Equatable {
    private var bits: UInt32

    @inline(__always)
    init() { bits = 0 }

    @inline(__always)
    private init(bits: UInt32) { self.bits = bits }

    /// Of one connection only: never sent on.
    static var ofConnection: KnownHeaders {
        @inline(__always) get {
            KnownHeaders().with(.connection).with(.keepAlive).with(.proxyConnection).with(.te)
        }
    }

    @inline(__always)
    func contains(_ header: KnownHeader) -> Bool { bits & (1 << UInt32(header.rawValue)) != 0 }

    @inline(__always)
    func isDisjoint(with others: KnownHeaders) -> Bool { bits & others.bits == 0 }

    @inline(__always)
    mutating func insert(_ header: KnownHeader) { bits |= 1 << UInt32(header.rawValue) }

    /// These and one more.
    @inline(__always)
    func with(_ header: KnownHeader) -> KnownHeaders {
        KnownHeaders(bits: bits | 1 << UInt32(header.rawValue))
    }
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
    /// Whether the target is an `http://` or `https://` one, which makes the Host header void.
    var isAbsolute = false
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
    /// The client asks for another protocol, by an Upgrade header that Connection names. Never with a body,
    /// in HTTP/1.0, or for HTTP/2, whose requests would go by the routes.
    var asksUpgrade = false
    /// Connection names headers besides those that never are passed on.
    var namesHeaders = false
    var present = KnownHeaders()
    /// The number of the last X-Forwarded-For line; -1 without one.
    var lastForwardedFor: Int32 = -1
    var fieldCount: Int32 = 0
    /// Bytes of the head: up to the end of the empty line, with an empty line before the request line.
    var count: Int32 = 0
}

struct ResponseHead: BitwiseCopyable {
    var status: UInt16 = 0
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var contentLength: Int64 = 0
    /// The upstream's connection stays.
    var keepsAlive = true
    /// Connection names headers besides those that never are passed on.
    var namesHeaders = false
    var present = KnownHeaders()
    var fieldCount: Int32 = 0
    var count: Int32 = 0

    var isInterim: Bool { status < 200 && status != 101 }
}

/// Bounds of what is taken, in bytes and lines.
struct HeadLimits: Sendable {
    /// Of the request line without its end: 414 beyond.
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
    /// A request is answered with the refusal's status, a response of an upstream becomes 502; the connection
    /// closes.
    case refused(HTTPRefusal)
}
