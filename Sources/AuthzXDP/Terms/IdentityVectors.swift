import KmeshKit

/// The terms of a block that sources satisfy by who they are. What is mentioned exactly is found by its name;
/// only patterns have to be compared with the identities that are known.
struct IdentityVectors: Sendable {
    private var network: TermNetwork
    private var namespaces: [[UInt8]: [TermNetwork.Mention]] = [:]
    private var principals: [[UInt8]: [TermNetwork.Mention]] = [:]
    private var accounts: [ServiceAccountName: [TermNetwork.Mention]] = [:]
    private var namespacePatterns = TextPatterns()
    private var principalPatterns = TextPatterns()
    /// For an identity of which nothing is mentioned.
    let identified: TermVector
    /// For a source without an identity: its names are empty.
    let unidentified: TermVector
    /// Identities and namespaces that are mentioned by their whole names.
    let mentionedIdentities: [WorkloadIdentity]
    let mentionedNamespaces: [String]

    /// - Parameter clauses: those of each term.
    init(_ clauses: [[[IdentityMatch]]]) {
        var mentions = Mentions()
        network = TermNetwork(termCount: clauses.count)
        for (term, clauses) in clauses.enumerated() {
            for clause in clauses {
                network.addClause(to: term, clause) { network, match, wanted in
                    network.add(wanted.namespaces, to: match) { mentions.namespaces.record($0, $1) }
                    network.add(wanted.principals, to: match) { mentions.principals.record($0, $1) }
                    network.add(wanted.serviceAccounts, to: match) {
                        mentions.accounts[$0, default: []].append($1)
                    }
                }
            }
        }
        let names = mentions.namespaces, texts = mentions.principals
        network.set(names.always + texts.always, true)
        unidentified = network.vector(with: (names.exact[[]] ?? []) + (texts.exact[[]] ?? []))
        network.set(names.present + texts.present, true)
        identified = network.vector
        (namespaces, principals, accounts) = (names.exact, texts.exact, mentions.accounts)
        (namespacePatterns, principalPatterns) = (names.patterns, texts.patterns)
        var identities = Set(
            accounts.keys.map { WorkloadIdentity(namespace: $0.namespace, serviceAccount: $0.name) })
        for text in principals.keys {
            if let identity = WorkloadIdentity(principal: text) { identities.insert(identity) }
        }
        mentionedIdentities = identities.sorted { $0.principal < $1.principal }
        // No identity is without a namespace.
        mentionedNamespaces = namespaces.keys.filter { !$0.isEmpty }
            .map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    private struct Mentions {
        var namespaces = TextMentions()
        var principals = TextMentions()
        var accounts: [ServiceAccountName: [TermNetwork.Mention]] = [:]
    }

    /// Whether an identity may have other terms than its namespace.
    var tellsIdentitiesApart: Bool { !mentionedIdentities.isEmpty || !principalPatterns.isEmpty }

    /// Whether a namespace's identities may have other terms than those of which nothing is mentioned.
    var tellsNamespacesApart: Bool {
        !mentionedNamespaces.isEmpty || !namespacePatterns.isEmpty || principalPatterns.hasPrefixes
    }

    /// Whether an identity that is not mentioned may have other terms than its namespace.
    var hasPrincipalPatterns: Bool { !principalPatterns.isEmpty }
    /// Whether a namespace that is not mentioned may have other terms than what is identified.
    var hasNamespacePatterns: Bool { !namespacePatterns.isEmpty || principalPatterns.hasPrefixes }

    /// The terms for the identities of a namespace of which no more than that is mentioned.
    mutating func vector(of namespace: IdentityTable.Namespace) -> TermVector {
        network.vector(
            with: (namespaces[namespace.text] ?? []) + namespacePatterns.matching(namespace.text)
                + principalPatterns.matching(startOf: namespace.principalStart))
    }

    mutating func vector(of identity: IdentityTable.Identity) -> TermVector {
        network.vector(
            with: (namespaces[identity.namespaceText] ?? [])
                + namespacePatterns.matching(identity.namespaceText)
                + (accounts[identity.account] ?? []) + (principals[identity.principal] ?? [])
                + principalPatterns.matching(identity.principal))
    }

    /// Whether patterns say more of the identity than of its namespace.
    func distinguishes(_ identity: IdentityTable.Identity) -> Bool {
        principalPatterns.matching(identity.principal).count
            > principalPatterns.matching(startOf: identity.principalStart).count
    }
}

/// Where the patterns for one kind of text are mentioned.
private struct TextMentions {
    var exact: [[UInt8]: [TermNetwork.Mention]] = [:]
    var patterns = TextPatterns()
    /// By patterns that match every text, the empty one too.
    var always: [TermNetwork.Mention] = []
    var present: [TermNetwork.Mention] = []

    mutating func record(_ pattern: StringMatch, _ mention: TermNetwork.Mention) {
        switch pattern {
        case .exact(let text): exact[Array(text.utf8), default: []].append(mention)
        case .prefix(""), .suffix(""): always.append(mention)
        case .prefix(let text): patterns.insert(prefix: text, mention)
        case .suffix(let text): patterns.insert(suffix: text, mention)
        case .present: present.append(mention)
        }
    }
}

extension WorkloadIdentity {
    /// The identity that a policy names in full. `nil` for a text that names none of this mesh, which no
    /// source ever has.
    init?(principal bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 5 else { return nil }
        let texts = parts.map { String(decoding: $0, as: UTF8.self) }
        self.init(trustDomain: texts[0], namespace: texts[2], serviceAccount: texts[4])
        guard texts[0] == WorkloadIdentity.defaultTrustDomain, !namespace.isEmpty, !serviceAccount.isEmpty,
            Array(principal.utf8) == bytes
        else { return nil }
    }
}
