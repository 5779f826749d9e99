/// What workers have counted up to a moment: a value that is added up over all of them.
struct TelemetrySnapshot: Sendable {
    private(set) var series: [SeriesKey: SeriesTotals] = [:]
    private var counters = [Int64](repeating: 0, count: WorkerCounter.allCases.count)
    private var refusals = [UInt64](repeating: 0, count: HTTPRefusal.allCases.count)
    private var denials: [UInt64] = []
    private var trialDenials: [UInt64] = []

    init() {}

    subscript(_ counter: WorkerCounter) -> Int64 { counters[Int(counter.rawValue)] }
    subscript(_ refusal: HTTPRefusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    /// By the policy's number.
    func denials(by policy: Int) -> UInt64 { denials.indices.contains(policy) ? denials[policy] : 0 }

    /// What it would have denied, were it not under trial.
    func trialDenials(by policy: Int) -> UInt64 {
        trialDenials.indices.contains(policy) ? trialDenials[policy] : 0
    }

    mutating func add(denials: [UInt64], trials: [UInt64]) {
        Self.add(denials, to: &self.denials)
        Self.add(trials, to: &trialDenials)
    }

    private static func add(_ counts: [UInt64], to sums: inout [UInt64]) {
        while sums.count < counts.count { sums.append(0) }
        for number in counts.indices { sums[number] &+= counts[number] }
    }

    mutating func add(_ totals: SeriesTotals, to key: SeriesKey) {
        series[key, default: SeriesTotals()].merge(totals)
    }

    mutating func add(_ amount: Int64, to counter: WorkerCounter) {
        counters[Int(counter.rawValue)] &+= amount
    }

    mutating func add(_ amount: UInt64, to refusal: HTTPRefusal) {
        refusals[Int(refusal.rawValue)] &+= amount
    }

    mutating func merge(_ other: TelemetrySnapshot) {
        for (key, totals) in other.series { add(totals, to: key) }
        for counter in WorkerCounter.allCases { add(other[counter], to: counter) }
        for refusal in HTTPRefusal.allCases { add(other[refusal], to: refusal) }
        add(denials: other.denials, trials: other.trialDenials)
    }
}
