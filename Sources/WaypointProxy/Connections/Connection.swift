/// One socket of the proxy, and the window of its buffer: what an idle connection costs is this record.

enum ConnectionKind: UInt8, BitwiseCopyable {
    case free = 0
    case mailbox, listener
    /// A client's, which speaks HTTP, or of which that is not known yet.
    case downstream
    /// To an endpoint, for HTTP.
    case upstream
    /// One side of two whose bytes are passed through.
    case stream
}

enum ConnectionPhase: UInt8, BitwiseCopyable {
    // A client's connection.

    /// Its original destination has not come yet.
    case metadata = 0
    /// Its first bytes decide whether it speaks HTTP.
    case sniffing
    /// Between two requests, or within the head of one.
    case head
    /// The request's body is on its way. Also an upstream's: the response's.
    case body
    /// The request has been received, and its response is awaited or on its way. An upstream's: the
    /// response has been received.
    case complete
    /// It has got its last answer; what it still sends is thrown away for a while.
    case lingering

    // An upstream's.

    case connecting
    /// The head of a response is awaited.
    case response
    /// In the pool.
    case idle
}

struct ConnectionFlags: OptionSet, BitwiseCopyable {
    let rawValue: UInt16

    /// Bytes may be waiting in the socket.
    static let readable = ConnectionFlags(rawValue: 1)
    /// The peer sends nothing more: the end will be read.
    static let peerClosed = ConnectionFlags(rawValue: 2)
    /// The end has been read.
    static let ended = ConnectionFlags(rawValue: 4)
    /// An upstream's: it was taken from the pool.
    static let reused = ConnectionFlags(rawValue: 8)
    /// Nothing more can be sent: that was said to the peer.
    static let sendingEnded = ConnectionFlags(rawValue: 16)
    /// A downstream's: the destination was conveyed, and is in the worker's table of destinations.
    static let hasDestination = ConnectionFlags(rawValue: 32)
    /// A stream's: its bytes are copied instead of spliced.
    static let copies = ConnectionFlags(rawValue: 64)
    /// A stream's: the connection is being made.
    static let connecting = ConnectionFlags(rawValue: 128)
    /// A trusted proxy's: its word on the client comes first.
    static let expectsProxyHeader = ConnectionFlags(rawValue: 256)
    /// The destination is the short form that a SYN has room for.
    static let hasShortForm = ConnectionFlags(rawValue: 512)
    /// Metadata that says no more than its SYN did comes before the first bytes.
    static let recordsFollow = ConnectionFlags(rawValue: 1024)
    /// A downstream's: noted for the end of a turn.
    static let isDue = ConnectionFlags(rawValue: 2048)
}

struct Connection: SlotRecord {
    var descriptor: Int32 = -1
    /// Rises with each use of the record.
    var generation: UInt32 = 0
    var kind = ConnectionKind.free
    var phase = ConnectionPhase.head
    var flags = ConnectionFlags()
    /// -1 without one.
    var exchange: Int32 = -1
    /// -1 while no bytes are held.
    var buffer: Int32 = -1
    /// The window of the buffer: bytes from `start` to `ready` may be sent on, those up to `end` have come
    /// and are not understood yet.
    var start: Int32 = 0
    var ready: Int32 = 0
    var end: Int32 = 0
    /// Where a request begins that may have to be sent again; -1 when it will not.
    var kept: Int32 = -1
    /// How many bytes of a head were looked through for its end.
    var scanned: Int32 = 0
    /// Links of an endpoint's pool. A stream's: the other side, and the pipe that its own bytes go through.
    var next: Int32 = -1
    var previous: Int32 = -1
    /// An upstream's; -1 for others.
    var endpoint: Int32 = -1
    /// A client's: which of the worker's listeners it came by. A listener's: its own number.
    var listener: Int32 = -1
    /// A client's: the target in the configuration of `epoch`; -1 without one.
    var target: Int32 = -1
    var epoch: UInt32 = 0
    /// A client's address.
    var peer = StreamAddress()
    /// When the first byte of a head came, in microseconds; 0 between heads.
    var began: Int64 = 0
    /// Bytes that were sent since the connection was made.
    var sent: Int64 = 0

    var nextFree: Int32 {
        @inline(__always) get { next }
        @inline(__always) set { next = newValue }
    }

    /// For streams.
    var otherSide: Int32 {
        get { next }
        set { next = newValue }
    }
    var pipe: Int32 {
        get { previous }
        set { previous = newValue }
    }
}
