/// What one worker counts. Nothing of it is shared: whoever wants to know asks the worker for a snapshot.
struct WorkerTelemetry: ~Copyable {
    /// Exchanges of a kind that found no room are counted together, and by `seriesOverflow`.
    private static let overflow: Int32 = 0

    /// Dense, in the order in which they were first seen; pages are touched as they fill.
    private let series: Slab<Series>
    private var seriesCount: Int32 = 1
    /// Open addressing; twice the series' number, a power of two. Holds numbers of series, 0 for none.
    private let index: Slab<Int32>
    /// The series of the exchange before: mostly it is that of the next one too.
    private var last: Int32 = 0
    private let counters: Slab<Int64>
    private let refusals: Slab<UInt64>
    /// By the numbers of policies; they grow with the policies that there have been.
    private var denials: [UInt64] = []
    private var trialDenials: [UInt64] = []

    /// `seriesLimit` is how many kinds of exchange are told apart; a power of two.
    init(seriesLimit: Int32 = 16_384) {
        precondition(seriesLimit > 1 && seriesLimit & (seriesLimit - 1) == 0, "no power of two")
        series = Slab(capacity: seriesLimit)
        index = Slab(capacity: seriesLimit * 2)
        counters = Slab(capacity: Int32(WorkerCounter.allCases.count))
        refusals = Slab(capacity: Int32(HTTPRefusal.allCases.count))
        series[Self.overflow].key = .other
    }

    @inline(__always)
    func count(_ counter: WorkerCounter, _ amount: Int64 = 1) {
        counters[Int32(counter.rawValue)] &+= amount
    }

    /// For what is known as a whole: how many connections idle.
    func set(_ counter: WorkerCounter, to value: Int64) { counters[Int32(counter.rawValue)] = value }

    func value(of counter: WorkerCounter) -> Int64 { counters[Int32(counter.rawValue)] }

    func count(_ refusal: HTTPRefusal) { refusals[Int32(refusal.rawValue)] &+= 1 }

    mutating func count(denialBy policy: Int32) { Self.count(policy, in: &denials) }

    /// A policy under trial would have denied.
    mutating func count(trialDenialBy policy: Int32) { Self.count(policy, in: &trialDenials) }

    private static func count(_ policy: Int32, in counts: inout [UInt64]) {
        while counts.count <= Int(policy) { counts.append(0) }
        counts[Int(policy)] &+= 1
    }

    /// Counts an exchange that has ended.
    mutating func record(_ record: ExchangeRecord) {
        let key = SeriesKey(record)
        let number = series[last].key == key ? last : find(key)
        last = number
        series[number].totals.add(record)
    }

    private mutating func find(_ key: SeriesKey) -> Int32 {
        let mask = index.capacity &- 1
        var slot = Int32(truncatingIfNeeded: key.mixed) & mask
        while true {
            let number = index[slot]
            if number == 0 { break }
            if series[number].key == key { return number }
            slot = (slot &+ 1) & mask
        }
        guard seriesCount < series.capacity else {
            count(.seriesOverflow)
            return Self.overflow
        }
        let number = seriesCount
        seriesCount &+= 1
        series[number].key = key
        index[slot] = number
        return number
    }

    func snapshot() -> TelemetrySnapshot {
        var snapshot = TelemetrySnapshot()
        for number in 0..<seriesCount where series[number].totals.count > 0 {
            snapshot.add(series[number].totals, to: series[number].key)
        }
        for counter in WorkerCounter.allCases { snapshot.add(value(of: counter), to: counter) }
        for refusal in HTTPRefusal.allCases { snapshot.add(refusals[Int32(refusal.rawValue)], to: refusal) }
        snapshot.add(denials: denials, trials: trialDenials)
        return snapshot
    }

    /// Not private: tests see the layout of what holds it.
    struct Series: BitwiseCopyable {
        var key: SeriesKey
        var totals: SeriesTotals
    }
}

/// What exchanges are told apart by.
struct SeriesKey: BitwiseCopyable, Hashable, Sendable {
    /// The route's number for statistics, and the cluster's; -1 for none.
    var route: Int32
    var cluster: Int32
    var status: UInt16
    var reason: ExchangeReason
    var isPassthrough: Bool

    /// Those that found no room.
    static let other = SeriesKey(
        route: -2, cluster: -2, status: 0, reason: .completed, isPassthrough: false)

    init(route: Int32, cluster: Int32, status: UInt16, reason: ExchangeReason, isPassthrough: Bool) {
        self.route = route
        self.cluster = cluster
        self.status = status
        self.reason = reason
        self.isPassthrough = isPassthrough
    }

    @inline(__always)
    init(_ record: ExchangeRecord) {
        route = record.route
        cluster = record.cluster
        status = record.status
        reason = record.reason
        isPassthrough = record.isPassthrough
    }

    /// By multiplications whose upper bits depend on all of the key.
    fileprivate var mixed: UInt64 {
        let target = UInt64(UInt32(bitPattern: route)) << 32 | UInt64(UInt32(bitPattern: cluster))
        let outcome = UInt64(status) << 16 | UInt64(reason.rawValue) << 8 | (isPassthrough ? 1 : 0)
        let first = (target ^ outcome &* 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
        return (first ^ first >> 32) &* 0xc4ce_b9fe_1a85_ec53 >> 32
    }
}

/// Sums over the exchanges of a series.
struct SeriesTotals: BitwiseCopyable, Sendable {
    private(set) var count: UInt64 = 0
    private(set) var retries: UInt64 = 0
    /// Microseconds.
    private(set) var duration: UInt64 = 0
    private(set) var bytesReceived: UInt64 = 0
    private(set) var bytesSent: UInt64 = 0
    private(set) var buckets = DurationBuckets()

    @inline(__always)
    mutating func add(_ record: ExchangeRecord) {
        count &+= 1
        if record.attempts > 1 { retries &+= UInt64(record.attempts) &- 1 }
        duration &+= UInt64(clamping: record.duration)
        bytesReceived &+= UInt64(clamping: record.bytesReceived)
        bytesSent &+= UInt64(clamping: record.bytesSent)
        buckets.add(microseconds: record.duration)
    }

    mutating func merge(_ other: SeriesTotals) {
        count &+= other.count
        retries &+= other.retries
        duration &+= other.duration
        bytesReceived &+= other.bytesReceived
        bytesSent &+= other.bytesSent
        buckets.merge(other.buckets)
    }
}
