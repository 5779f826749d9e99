/// What workers have counted up to a moment: a value that is added up over all of them.
struct TelemetrySnapshot: Sendable {
    private(set) var series: [SeriesKey: SeriesTotals] = [:]
    private var counters = [Int64](repeating: 0, count: WorkerCounter.allCases.count)
    private var refusals = [UInt64](repeating: 0, count: HTTPRefusal.allCases.count)

    init() {}

    subscript(_ counter: WorkerCounter) -> Int64 { counters[Int(counter.rawValue)] }
    subscript(_ refusal: HTTPRefusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

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
    }
}
