/// Counters of reasons for people.
extension DumpableMap {
    package static func reasons(
        _ name: String, _ reasons: [VerdictReason], _ counters: BPFCounters
    ) -> DumpableMap {
        .rows(name) { () throws(MapError) in
            var rows: [MapDump.Row] = []
            for reason in reasons {
                rows.append(
                    MapDump.Row(
                        ["reason": .string(reason.name), "number": JSONValue(reason.rawValue)],
                        ["count": JSONValue(try counters.value(of: reason.rawValue))]))
            }
            return rows
        }
    }
}
