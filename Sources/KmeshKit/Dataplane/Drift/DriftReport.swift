/// What a look for drift has found: entries that somebody else had changed, and that were written again.

public struct DriftReport: Sendable {
    /// Entries that are as wanted again, by map.
    public package(set) var repaired: [String: UInt64] = [:]
    /// The first of those that were found, in words.
    public private(set) var lines: [Difference] = []
    /// Entries that were written or removed.
    public package(set) var writes = 0
    /// Why a map could not be read.
    public package(set) var fault: MapError?
    private var found = 0

    /// Damage to a whole map must not fill the log's disk.
    public static let lineLimit = 20

    public init() {}

    /// What was found, as lines for the log.
    public var texts: [String] {
        var texts = lines.map { line in
            let repair = line.wanted == nil ? "it is removed" : "it is put in force again"
            return "drift in \(line.map), \(line.key): wanted \(line.wanted ?? "nothing"), "
                + "found \(line.found ?? "nothing"); \(repair)"
        }
        let others = found - lines.count
        if others > 0 { texts.append("drift in \(others) places more; kmeshctl status counts them by map") }
        return texts
    }

    package mutating func note(_ line: @autoclosure () -> Difference) {
        found += 1
        if lines.count < Self.lineLimit { lines.append(line()) }
    }

    /// Counts entries that are as wanted again.
    package mutating func count(_ entries: Int, in map: String) {
        guard entries > 0 else { return }
        repaired[map, default: 0] += UInt64(entries)
        writes += entries
    }

    /// Takes up what another part has found.
    public mutating func add(_ part: DriftReport) {
        repaired.merge(part.repaired, uniquingKeysWith: +)
        let room = Self.lineLimit - lines.count
        lines += part.lines.prefix(room)
        found += part.found
        writes += part.writes
        fault = fault ?? part.fault
    }

    /// Takes up what was repaired at once.
    public mutating func add(repaired differences: [Difference]) {
        for difference in differences {
            note(difference)
            count(1, in: difference.map)
        }
    }
}
