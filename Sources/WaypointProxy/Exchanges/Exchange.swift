/// A request and its response while they are under way.

enum ExchangePhase: UInt8, BitwiseCopyable {
    /// An upstream is being chosen or connected, or works on the request.
    case forwarding = 0
    /// Waits for one of the cluster's connections.
    case waiting
    /// Waits before the next attempt.
    case backoff
    /// The response's head has been sent on, or is about to be.
    case responding
    /// The answer is our own.
    case answering
}

struct ExchangeFlags: OptionSet, BitwiseCopyable {
    let rawValue: UInt32

    /// All of the request has come.
    static let requestComplete = ExchangeFlags(rawValue: 1)
    static let isHead = ExchangeFlags(rawValue: 2)
    static let isIdempotent = ExchangeFlags(rawValue: 4)
    /// The client speaks HTTP/1.0.
    static let isOld = ExchangeFlags(rawValue: 8)
    static let clientKeepsAlive = ExchangeFlags(rawValue: 16)
    static let upstreamKeepsAlive = ExchangeFlags(rawValue: 32)
    static let asksUpgrade = ExchangeFlags(rawValue: 64)
    static let upgraded = ExchangeFlags(rawValue: 128)
    static let hasRequestEdits = ExchangeFlags(rawValue: 8192)
    static let hasResponseEdits = ExchangeFlags(rawValue: 256)
    /// A pooled connection turned out to be closed: take a new one.
    static let wantsFresh = ExchangeFlags(rawValue: 512)
    /// Chunks of the response become plain bytes, for a client that does not know them.
    static let dechunks = ExchangeFlags(rawValue: 1024)
    /// Parts of the response have been sent to the client: nothing can be tried again.
    static let clientSawBytes = ExchangeFlags(rawValue: 2048)
    /// A part of an interim response has been sent to the client: nothing else may follow before its rest.
    static let withinInterim = ExchangeFlags(rawValue: 4096)
}

struct Exchange: SlotRecord {
    var downstream: Int32 = -1
    var upstream: Int32 = -1
    /// Links of those that wait for the same cluster.
    var next: Int32 = -1
    var previous: Int32 = -1
    /// Where the configuration is kept that the exchange began with.
    var snapshot: Int32 = -1
    /// -1 without a route.
    var table: Int32 = -1
    var route: Int32 = -1
    var backend: Int32 = -1
    var cluster: Int32 = -1
    var endpoint: Int32 = -1
    var phase = ExchangePhase.forwarding
    var requestFraming = BodyFraming.none
    var responseFraming = BodyFraming.none
    /// Attempts that the route's policy still allows.
    var retriesLeft: UInt8 = 0
    var connectAttempts: UInt8 = 0
    var staleAttempts: UInt8 = 0
    var flags = ExchangeFlags()
    /// Bytes of a body that are still to come.
    var requestRemaining: Int64 = 0
    var responseRemaining: Int64 = 0
    var requestChunks = ChunkedDecoder()
    var responseChunks = ChunkedDecoder()
    /// Microseconds; 0 is none.
    var requestDeadline: Int64 = 0
    var backendDeadline: Int64 = 0
    var idleDeadline: Int64 = 0
    var wakeTime: Int64 = 0
    /// Of each attempt, in milliseconds; 0 is none.
    var backendTimeout: UInt32 = 0
    var attemptStart: Int64 = 0
    /// Our own answer, as far as the client has not taken it.
    var output: Int32 = -1
    var outputStart: Int32 = 0
    var outputEnd: Int32 = 0
    /// The entry of the access log; -1 without one.
    var log: Int32 = -1
    /// What policies said, when they refused it, and the set that they are in.
    var verdict = PolicyVerdict()
    var policies: Int32 = -1
    var record = ExchangeRecord()

    var nextFree: Int32 {
        @inline(__always) get { next }
        @inline(__always) set { next = newValue }
    }
}
