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

    init(_ policy: AuthorizationPolicy) throws(PolicyFormError) {
        let reduced = policy.atL4
        let count = reduced.rules.reduce(0) { min($0 + $1.termCount, Self.termLimit + 1) }
        guard count <= Self.termLimit else { throw .tooManyTerms }
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

    var description: String {
        "has more than \(PolicyForm.termLimit) combinations of what its clauses ask for: write rules with "
            + "fewer alternatives, or split the policy"
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

    fileprivate func terms() -> [Term] {
        guard let alternatives else { return [] }
        return alternatives.reduce([Term()]) { terms, clause in
            terms.flatMap { term in clause.map { term.and($0) } }
        }
    }
}
