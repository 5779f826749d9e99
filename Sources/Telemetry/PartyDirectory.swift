internal import KmeshKit

/// The parties of connections that were asked for before, and what depends on them.
struct PartyDirectory {
    /// One kind of connections.
    final class Entry {
        let question: ConnectionQuestion
        fileprivate(set) var parties = ConnectionParties()
        /// The change after which they were looked up.
        fileprivate var generation: UInt64?
        /// Where its connections are counted.
        var handles: ConnectionMetrics.Handles?
        /// What its lines in the access log have in common.
        var texts: AccessLog.Texts?

        init(_ question: ConnectionQuestion) { self.question = question }
    }

    /// Kinds of connections, about 500 bytes each.
    private static let limit = 32_768

    private var entries: [ConnectionQuestion: Entry] = [:]
    private var generation: UInt64 = 0

    mutating func noteChange() { generation += 1 }

    /// The entry of each record, and those of them whose parties have to be asked for.
    mutating func entries(of records: [ConnectionRecord]) -> (all: [Entry], unknown: [Entry]) {
        if entries.count > Self.limit { entries = [:] }
        var all: [Entry] = []
        all.reserveCapacity(records.count)
        var unknown: [Entry] = []
        for record in records {
            let question = ConnectionQuestion(record)
            let entry: Entry
            if let known = entries[question] {
                entry = known
            } else {
                entry = Entry(question)
                entries[question] = entry
            }
            if entry.generation != generation {
                entry.generation = generation
                unknown.append(entry)
            }
            all.append(entry)
        }
        return (all, unknown)
    }

    /// Connections often end after their pod has gone: then it keeps its name.
    func learn(_ entries: [Entry], _ answers: [ConnectionParties]) {
        for (entry, answer) in zip(entries, answers) {
            let parties = ConnectionParties(
                source: answer.source ?? entry.parties.source,
                destination: answer.destination ?? entry.parties.destination,
                service: answer.service ?? entry.parties.service)
            guard parties != entry.parties else { continue }
            entry.parties = parties
            entry.handles = nil
            entry.texts = nil
        }
    }

    func forgetHandles() {
        for entry in entries.values { entry.handles = nil }
    }
}
