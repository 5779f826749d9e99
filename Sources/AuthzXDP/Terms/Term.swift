import KmeshKit

/// A conjunction over the four dimensions that a block looks up one by one. In each dimension all clauses
/// must hold, and in a clause one alternative is enough; without clauses everything holds.

struct Term: Hashable, Sendable {
    var identity: [[IdentityMatch]] = []
    var source: [[Patterns<IPBlock>]] = []
    var destination: [[Patterns<IPBlock>]] = []
    var port: [[Patterns<UInt16>]] = []

    /// Both must hold.
    func and(_ other: Term) -> Term {
        Term(
            identity: identity + other.identity, source: source + other.source,
            destination: destination + other.destination, port: port + other.port)
    }
}

/// What a match asks of the source's identity; all of it must hold.
struct IdentityMatch: Hashable, Sendable {
    var namespaces: Patterns<StringMatch>
    var principals: Patterns<StringMatch>
    var serviceAccounts: Patterns<ServiceAccountName>
}

extension Term {
    /// The match alone.
    init(_ match: PolicyMatch) {
        let identity = IdentityMatch(
            namespaces: match.namespaces, principals: match.principals, serviceAccounts: match.serviceAccounts
        )
        if !identity.namespaces.isEmpty || !identity.principals.isEmpty || !identity.serviceAccounts.isEmpty {
            self.identity = [[identity]]
        }
        if !match.sourceBlocks.isEmpty { source = [[match.sourceBlocks]] }
        if !match.destinationBlocks.isEmpty { destination = [[match.destinationBlocks]] }
        if !match.destinationPorts.isEmpty { port = [[match.destinationPorts]] }
    }

    /// Values that it mentions.
    var mentionCount: Int {
        var count = 0
        for match in identity.joined() {
            count += match.namespaces.count + match.principals.count + match.serviceAccounts.count
        }
        for blocks in [source, destination].joined().joined() { count += blocks.count }
        for ports in port.joined() { count += ports.count }
        return count
    }

    private var dimensionCount: Int {
        (identity.isEmpty ? 0 : 1) + (source.isEmpty ? 0 : 1) + (destination.isEmpty ? 0 : 1)
            + (port.isEmpty ? 0 : 1)
    }

    /// The terms of which one must hold where one of `matches` must. Matches that ask for one and the same
    /// dimension alone become one term.
    static func alternatives(_ matches: [PolicyMatch]) -> [Term] {
        var merged = Term()
        var others: [Term] = []
        for term in matches.lazy.map(Term.init) {
            guard term.dimensionCount == 1 else {
                others.append(term)
                continue
            }
            merged.identity = merge(merged.identity, term.identity)
            merged.source = merge(merged.source, term.source)
            merged.destination = merge(merged.destination, term.destination)
            merged.port = merge(merged.port, term.port)
        }
        let single = [
            Term(identity: merged.identity), Term(source: merged.source),
            Term(destination: merged.destination), Term(port: merged.port),
        ]
        return single.filter { $0.dimensionCount > 0 } + others
    }

    /// One clause with the alternatives of both.
    private static func merge<Match>(_ left: [[Match]], _ right: [[Match]]) -> [[Match]] {
        guard let first = left.first, let second = right.first else { return left + right }
        return [first + second]
    }
}

extension Patterns {
    fileprivate var count: Int { any.count + none.count }
}
