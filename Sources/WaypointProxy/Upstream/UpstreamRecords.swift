/// What a worker knows of clusters and their endpoints, besides their configuration.
internal import KmeshKit

struct ClusterState: BitwiseCopyable {
    var isUsed = false
    /// Endpoints differ in weight.
    var hasWeights = false
    var policy = BalancingPolicy.leastRequest
    /// Responses were larger than a small buffer not long ago: how many more begin with a large one.
    var largeResponses: UInt8 = 0
    /// The range of its endpoints in the list of members, best tier first.
    var first: Int32 = 0
    var count: Int32 = 0
    /// How many of them are of the best tier.
    var firstTier: Int32 = 0
    /// How many of them are passed over.
    var passedOver: Int32 = 0
    /// Where round robin is.
    var position: UInt32 = 0
    /// Open, or about to be.
    var connections: Int32 = 0
    var maximumConnections: Int32 = 0
    var maximumWaiting: Int32 = 0
    /// Exchanges that wait for a connection, first in first out.
    var waiting: Int32 = 0
    var firstWaiting: Int32 = -1
    var lastWaiting: Int32 = -1
    /// Noted for the end of the turn: a connection may be free.
    var isDue = false
}

/// `UpstreamPolicy` as a record's byte.
enum BalancingPolicy: UInt8, BitwiseCopyable {
    case leastRequest = 0
    case roundRobin, random, sourceHash

    init(_ policy: UpstreamPolicy) {
        self =
            switch policy {
            case .leastRequest: .leastRequest
            case .roundRobin: .roundRobin
            case .random: .random
            case .sourceHash: .sourceHash
            }
    }
}

struct EndpointState: SlotRecord {
    var address = StreamAddress()
    var cluster: Int32 = -1
    var weight: UInt32 = 1
    var tier: UInt8 = 0
    /// No configuration has it any more; it goes with its last connection.
    var isRemoved = false
    var isPassedOver = false
    /// One connection is being tried, to see whether it is back.
    var isProbed = false
    var failures: UInt8 = 0
    /// Requests that it works on.
    var active: Int32 = 0
    /// Open, pooled ones included.
    var connections: Int32 = 0
    /// Unused connections; the last one used is the first.
    var firstIdle: Int32 = -1
    var idle: Int32 = 0
    /// Until when it is passed over, in microseconds.
    var passedOverUntil: Int64 = 0
    /// Of its address, for source hash.
    var hash: UInt64 = 0
    var nextFree: Int32 = -1
}

/// Random numbers, good enough to spread load and cheap (splitmix64).
struct RandomNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    @inline(__always)
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return mixed(state)
    }

    /// Below `bound`, which is not 0.
    @inline(__always)
    mutating func next(below bound: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
    }
}

/// All bits of the result depend on all of `value`.
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    return bits ^ bits >> 31
}

/// The same in all workers and processes: a client stays with its endpoint across restarts.
func stableHash(_ address: StreamAddress) -> UInt64 {
    mixed(mixed(mixed(address.high) ^ address.low) ^ UInt64(address.port))
}
