import KmeshKit

/// Hashes of what policies say. Equal hashes only suggest where to look: whoever writes policies could make
/// two that agree, so that what is found under a hash is compared as well.

extension StableHash {
    mutating func combine(_ key: PolicyKey) {
        combine(key.kind.rawValue)
        combine(key.namespace)
        combine(key.name)
    }

    mutating func combine(_ policy: AuthorizationPolicy) {
        combine(policy.key)
        combine(policy.action.rawValue)
        combine(policy.isDryRun ? 1 : 0)
        combine(UInt64(policy.rules.count))
        for rule in policy.rules {
            combine(UInt64(rule.clauses.count))
            for clause in rule.clauses {
                combine(UInt64(clause.count))
                for match in clause { combine(match) }
            }
        }
    }

    /// What it says of connections.
    private mutating func combine(_ match: PolicyMatch) {
        combine(match.namespaces) { $0.combine($1) }
        combine(match.principals) { $0.combine($1) }
        combine(match.serviceAccounts) { hash, account in
            hash.combine(account.namespace)
            hash.combine(account.name)
        }
        combine(match.sourceBlocks) { $0.combine($1) }
        combine(match.destinationBlocks) { $0.combine($1) }
        combine(match.destinationPorts) { $0.combine(UInt64($1)) }
    }

    private mutating func combine<Pattern>(
        _ patterns: Patterns<Pattern>, _ body: (inout StableHash, Pattern) -> Void
    ) {
        combine(UInt64(patterns.any.count) << 32 | UInt64(patterns.none.count))
        for pattern in patterns.any { body(&self, pattern) }
        for pattern in patterns.none { body(&self, pattern) }
    }

    private mutating func combine(_ pattern: StringMatch) {
        switch pattern {
        case .exact(let text):
            combine(1)
            combine(text)
        case .prefix(let text):
            combine(2)
            combine(text)
        case .suffix(let text):
            combine(3)
            combine(text)
        case .present:
            combine(4)
        }
    }

    private mutating func combine(_ block: IPBlock) {
        combine(block.address.high)
        combine(block.address.low)
        combine(UInt64(block.prefixLength))
    }
}
