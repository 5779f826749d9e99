internal import KmeshKit

/// The parties of connections that were asked for before, and where these are counted.
struct PartyDirectory {
    private struct Entry {
        var parties: ConnectionParties
        /// The change after which they were looked up.
        var generation: UInt64
        var handles: ConnectionMetrics.Handles?
    }

    /// Kinds of connections, about 300 bytes each.
    private static let limit = 32_768

    private var entries: [ConnectionQuestion: Entry] = [:]
    private var generation: UInt64 = 0

    mutating func noteChange() { generation += 1 }

    /// What has to be asked for before all of `records` are known.
    mutating func unknown(among records: [ConnectionRecord]) -> [ConnectionQuestion] {
        if entries.count > Self.limit { entries = [:] }
        var questions: Set<ConnectionQuestion> = []
        for record in records {
            let question = ConnectionQuestion(record)
            if entries[question]?.generation != generation { questions.insert(question) }
        }
        return Array(questions)
    }

    /// Connections often end after their pod has gone: then it keeps its name.
    mutating func learn(_ questions: [ConnectionQuestion], _ answers: [ConnectionParties]) {
        for (question, answer) in zip(questions, answers) {
            let known = entries[question]
            let parties = ConnectionParties(
                source: answer.source ?? known?.parties.source,
                destination: answer.destination ?? known?.parties.destination,
                service: answer.service ?? known?.parties.service)
            let handles = parties == known?.parties ? known?.handles : nil
            entries[question] = Entry(parties: parties, generation: generation, handles: handles)
        }
    }

    func parties(of question: ConnectionQuestion) -> ConnectionParties? { entries[question]?.parties }

    mutating func handles(
        of question: ConnectionQuestion, orMake make: () -> ConnectionMetrics.Handles
    ) -> ConnectionMetrics.Handles {
        if let known = entries[question]?.handles { return known }
        let fresh = make()
        entries[question]?.handles = fresh
        return fresh
    }

    mutating func forgetHandles() {
        for question in entries.keys { entries[question]?.handles = nil }
    }
}
