import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

/// How rules become terms, and terms vectors.
@Suite struct TermTests {
    private func match(_ change: (inout PolicyMatch) -> Void) -> PolicyMatch {
        var match = PolicyMatch()
        change(&match)
        return match
    }

    private func namespace(_ names: String...) -> PolicyMatch {
        match { $0.namespaces = Patterns(any: names.map { StringMatch($0) }) }
    }

    private func ports(_ ports: UInt16...) -> PolicyMatch {
        match { $0.destinationPorts = Patterns(any: ports) }
    }

    private func sources(_ blocks: String...) -> PolicyMatch {
        match { $0.sourceBlocks = Patterns(any: blocks.compactMap { IPBlock($0) }) }
    }

    private func policy(_ rules: [PolicyRule], _ action: PolicyAction = .deny) -> AuthorizationPolicy {
        AuthorizationPolicy(key: PolicyKey(namespace: "a", name: "b"), action: action, rules: rules)
    }

    private func termCount(_ clauses: [[PolicyMatch]]) throws -> Int {
        let form = try PolicyForm(policy([PolicyRule(clauses: clauses)]))
        #expect(form.terms().count == form.termCount)
        return form.termCount
    }

    @Test func commonRulesAreOneTerm() throws {
        #expect(try termCount([]) == 1)
        #expect(try termCount([[namespace("a", "b")], [ports(80, 443)]]) == 1)
        #expect(try termCount([[namespace("a"), namespace("b")], [ports(80), ports(443)]]) == 1)
        #expect(try termCount([[sources("10.0.0.0/8"), sources("fd00::/8")]]) == 1)
        let both = match {
            $0.namespaces = Patterns(any: [.exact("a")])
            $0.sourceBlocks = Patterns(none: [IPBlock("10.0.0.0/8")].compactMap { $0 })
        }
        #expect(try termCount([[both], [ports(80)]]) == 1)
    }

    @Test func alternativesInSeveralDimensionsAreSeveralTerms() throws {
        #expect(try termCount([[namespace("a"), sources("10.0.0.0/8"), namespace("b")]]) == 2)
        #expect(try termCount([[namespace("a"), ports(80)], [namespace("b"), sources("::/0")]]) == 4)
        let both = match {
            $0.namespaces = Patterns(any: [.exact("a")])
            $0.destinationPorts = Patterns(any: [80])
        }
        #expect(try termCount([[both, both, namespace("c")]]) == 3)
    }

    @Test func whatCanMatchNothingIsNoTerm() throws {
        let empty = PolicyMatch()
        let request = match { $0.request = RequestMatch() }
        #expect(try termCount([[empty]]) == 0)
        #expect(try termCount([[ports(80)], [empty]]) == 0)
        #expect(try termCount([[empty, ports(80)]]) == 1)
        #expect(try termCount([[]]) == 1)
        #expect(try termCount([[request], [ports(80)]]) == 0)
        // Where requests cannot be seen, ALLOW loses the rule and DENY what it cannot see.
        let rules = [PolicyRule(clauses: [[request, ports(80)]]), PolicyRule(clauses: [[ports(443)]])]
        #expect(try PolicyForm(policy(rules, .allow)).termCount == 1)
        #expect(try PolicyForm(policy(rules, .deny)).termCount == 2)
    }

    @Test func aPolicyHasABound() throws {
        let clause = (0..<128).map { index in
            match {
                $0.namespaces = Patterns(any: [.exact("n\(index)")])
                $0.destinationPorts = Patterns(any: [80])
            }
        }
        #expect(try termCount([clause, clause]) == 16_384)
        #expect(throws: PolicyFormError.tooManyTerms) {
            try PolicyForm(self.policy([PolicyRule(clauses: [clause, clause]), PolicyRule()]))
        }
        // Far above what a number can count.
        #expect(throws: PolicyFormError.tooManyTerms) {
            try PolicyForm(self.policy([PolicyRule(clauses: Array(repeating: clause, count: 40))]))
        }
    }

    @Test func principalsAreThoseOfTheMesh() {
        let names = { (text: String) in WorkloadIdentity(principal: Array(text.utf8))?.principal }
        #expect(names("cluster.local/ns/a/sa/b") == "cluster.local/ns/a/sa/b")
        for text in [
            "", "a", "cluster.local/ns/a/sa/", "cluster.local/ns//sa/b", "cluster.local/xx/a/sa/b",
            "cluster.local/ns/a/sa/b/", "other/ns/a/sa/b", "cluster.local/ns/a/b/sa/c",
        ] {
            #expect(names(text) == nil, "\(text)")
        }
    }

    /// The vectors of each prefix, against every term looked at one by one.
    @Test(arguments: 1...20) func prefixesAreThoseOfTheTerms(seed: UInt64) {
        var random = RandomPolicies(seed: seed)
        let terms = (0..<100).map { _ -> [[Patterns<IPBlock>]] in
            let rule = random.rule(requests: false)
            return rule.clauses.map { $0.map(\.sourceBlocks).filter { !$0.isEmpty } }.filter { !$0.isEmpty }
        }
        let vectors = AddressVectors(terms)
        for address in RandomPolicies.addresses + (0..<50).map({ _ in random.address() }) {
            var expected = TermVector()
            for (bit, clauses) in terms.enumerated() {
                expected[bit] = clauses.allSatisfy { clause in
                    clause.contains { blocks in
                        (blocks.any.isEmpty || blocks.any.contains { $0.contains(address) })
                            && !blocks.none.contains { $0.contains(address) }
                    }
                }
            }
            #expect(
                AddressVectors.vector(of: address, in: vectors.entries) ?? vectors.outside == expected,
                "\(address)")
        }
        let hasShort = vectors.entries.contains { $0.prefixLength < 96 }
        let hasRoot = vectors.entries.contains {
            $0.prefixLength == 96 && $0.address == IPAddress(v4: 0)
        }
        #expect(!hasShort || hasRoot)
    }
}
