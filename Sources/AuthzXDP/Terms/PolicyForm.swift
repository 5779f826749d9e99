import KmeshKit

/// A policy as it is compiled: where requests cannot be seen, with what it takes in a block.
///
/// Many blocks refer to one policy, hence a class; it never changes.
final class PolicyForm: Sendable {
    /// The policy `atL4`.
    let policy: AuthorizationPolicy
    let termCount: Int
    /// The same in every run for the same policy.
    let hash: UInt64

    /// Terms of one policy: a quarter of what a destination may have.
    static let termLimit = 16_384
    /// Values that the terms of one policy mention, each as often as a term does: what a rule's clauses have
    /// in common is in each of its terms. Bounds the memory that compiling takes to some 100 MB.
    static let mentionLimit = 1_000_000

    init(_ policy: AuthorizationPolicy) throws(PolicyFormError) {
        let reduced = policy.atL4
        let count = reduced.rules.reduce(0) { min($0 + $1.termCount, Self.termLimit + 1) }
        guard count <= Self.termLimit else { throw .tooManyTerms }
        var mentions = 0
        for rule in reduced.rules {
            mentions += rule.mentionCount
            guard mentions <= Self.mentionLimit else { throw .tooManyMentions }
        }
        self.policy = reduced
        termCount = count
        var hash = StableHash()
        hash.combine(reduced)
        self.hash = hash.value
    }

    var key: PolicyKey { policy.key }

    /// Its terms, in an order that is always the same.
    func terms() -> [Term] {
        var terms: [Term] = []
        terms.reserveCapacity(termCount)
        for rule in policy.rules { terms += rule.terms() }
        return terms
    }
}

enum PolicyFormError: Error, CustomStringConvertible {
    case tooManyTerms
    case tooManyMentions

    var description: String {
        switch self {
        case .tooManyTerms:
            "has more than \(PolicyForm.termLimit) combinations of what its clauses ask for: write rules "
                + "with fewer alternatives, or split the policy"
        case .tooManyMentions:
            "has combinations of what its clauses ask for that name more than \(PolicyForm.mentionLimit) "
                + "values in all: write rules with fewer alternatives or values, or split the policy"
        }
    }
}

extension PolicyRule {
    /// For each clause its alternatives; `nil` where one of them has none, so that the rule never matches.
    private var alternatives: [[Term]]? {
        var alternatives: [[Term]] = []
        // A clause without matches asks for nothing.
        for clause in clauses where !clause.isEmpty {
            let terms = Term.alternatives(clause.filter { !$0.isEmptyAtL4 })
            guard !terms.isEmpty else { return nil }
            alternatives.append(terms)
        }
        return alternatives
    }

    /// At most one more than a policy may have.
    fileprivate var termCount: Int {
        guard let alternatives else { return 0 }
        return alternatives.reduce(1) { min($0 * $1.count, PolicyForm.termLimit + 1) }
    }

    /// Values that its terms mention, for a rule of no more terms than a policy may have.
    fileprivate var mentionCount: Int {
        guard let alternatives else { return 0 }
        let count = alternatives.reduce(1) { $0 * $1.count }
        return alternatives.reduce(0) { sum, terms in
            sum + count / terms.count * terms.reduce(0) { $0 + $1.mentionCount }
        }
    }

    fileprivate func terms() -> [Term] {
        guard let alternatives else { return [] }
        return alternatives.reduce([Term()]) { terms, clause in
            terms.flatMap { term in clause.map { term.and($0) } }
        }
    }
}
