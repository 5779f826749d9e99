import KmeshKit

/// Which terms hold in one dimension, kept up to date as values come under consideration and go again: the
/// cost is that of what changes, not that of all terms.
///
/// A value is mentioned by patterns; patterns make up matches (all must hold), matches clauses (one is
/// enough), and clauses terms (all must hold). Each level counts what holds below it.
struct TermNetwork: Sendable {
    /// That a pattern names a value.
    struct Mention: Hashable, Sendable {
        fileprivate let pattern: Int32
        /// Among what must not match.
        fileprivate let isExclusion: Bool
    }

    private struct Pattern: Sendable {
        let match: Int32
        let needsHit: Bool
        var hits: Int32 = 0
        var exclusions: Int32 = 0

        var holds: Bool { (hits > 0 || !needsHit) && exclusions == 0 }
    }

    private struct Match: Sendable {
        let clause: Int32
        var failing: Int32 = 0
    }

    private struct Clause: Sendable {
        let term: Int32
        var holding: Int32 = 0
    }

    private var patterns: [Pattern] = []
    private var matches: [Match] = []
    private var clauses: [Clause] = []
    /// For each term the clauses that do not hold.
    private var failing: [Int32]
    private var words: [UInt64]

    /// Without clauses all of `termCount` terms hold.
    init(termCount: Int) {
        failing = Array(repeating: 0, count: termCount)
        words = Array(repeating: 0, count: (termCount + 63) / 64)
        for term in 0..<termCount { words[term >> 6] |= 1 << UInt64(term & 63) }
    }

    /// The terms that hold.
    var vector: TermVector { TermVector(words) }

    /// Adds a clause to a term. `describe` adds the patterns of each of the alternatives.
    mutating func addClause<Alternative>(
        to term: Int, _ alternatives: [Alternative],
        _ describe: (inout TermNetwork, _ match: Int32, Alternative) -> Void
    ) {
        let clause = Int32(clauses.count)
        clauses.append(Clause(term: Int32(term)))
        setClause(clause, holds: false)
        for alternative in alternatives {
            let match = Int32(matches.count)
            matches.append(Match(clause: clause))
            setMatch(match, holds: true)
            describe(&self, match, alternative)
        }
    }

    /// Adds what a match asks for; `record` is told where each value is mentioned.
    mutating func add<Value>(
        _ values: Patterns<Value>, to match: Int32, _ record: (Value, Mention) -> Void
    ) {
        guard !values.isEmpty else { return }
        let index = Int32(patterns.count)
        patterns.append(Pattern(match: match, needsHit: !values.any.isEmpty))
        if !values.any.isEmpty { setPattern(index, holds: false) }
        for value in values.any { record(value, Mention(pattern: index, isExclusion: false)) }
        for value in values.none { record(value, Mention(pattern: index, isExclusion: true)) }
    }

    /// The value that is mentioned comes under consideration, or goes.
    mutating func set(_ mention: Mention, _ isPresent: Bool) {
        let index = Int(mention.pattern)
        let before = patterns[index].holds
        let step: Int32 = isPresent ? 1 : -1
        if mention.isExclusion {
            patterns[index].exclusions += step
        } else {
            patterns[index].hits += step
        }
        let after = patterns[index].holds
        if before != after { setPattern(mention.pattern, holds: after) }
    }

    mutating func set(_ mentions: some Sequence<Mention>, _ isPresent: Bool) {
        for mention in mentions { set(mention, isPresent) }
    }

    /// The terms that hold while `mentions` are under consideration too.
    mutating func vector(with mentions: [Mention]) -> TermVector {
        set(mentions, true)
        defer { set(mentions, false) }
        return vector
    }

    private mutating func setPattern(_ pattern: Int32, holds: Bool) {
        let match = patterns[Int(pattern)].match
        let before = matches[Int(match)].failing
        matches[Int(match)].failing = holds ? before - 1 : before + 1
        if holds ? before == 1 : before == 0 { setMatch(match, holds: holds) }
    }

    private mutating func setMatch(_ match: Int32, holds: Bool) {
        let clause = matches[Int(match)].clause
        let before = clauses[Int(clause)].holding
        clauses[Int(clause)].holding = holds ? before + 1 : before - 1
        if holds ? before == 0 : before == 1 { setClause(clause, holds: holds) }
    }

    private mutating func setClause(_ clause: Int32, holds: Bool) {
        let term = Int(clauses[Int(clause)].term)
        let before = failing[term]
        failing[term] = holds ? before - 1 : before + 1
        if holds ? before == 1 : before == 0 { words[term >> 6] ^= 1 << UInt64(term & 63) }
    }
}
