// Several routes in one configuration: who takes which host, and who comes first.

extension RouteCompiler {
    /// The virtual hosts of everything that is attached to one configuration. The most specific host comes
    /// first. Its routes are followed by those of less specific hosts that cover it, which take what is left.
    static func virtualHosts(
        _ parts: [(domains: [DomainPattern], candidates: [Candidate])]
    ) -> [VirtualHost] {
        var byDomain: [DomainPattern: [Candidate]] = [:]
        for part in parts {
            for domain in part.domains { byDomain[domain, default: []] += part.candidates }
        }
        let sorted = byDomain.mapValues { candidates in
            candidates.map { (rank: Rank($0), candidate: $0) }.sorted { $0.rank < $1.rank }
                .map(\.candidate.route)
        }
        let domains = sorted.keys.sorted { $0.precedes($1) }
        return domains.map { domain in
            var routes = sorted[domain] ?? []
            var known: Set<Route>?
            for other in domain.covers.dropFirst() {
                guard let more = sorted[other] else { continue }
                var seen = known ?? Set(routes)
                // A route with several hosts comes once.
                routes += more.filter { seen.insert($0).inserted }
                known = seen
            }
            return VirtualHost(domains: [domain], routes: routes)
        }
    }

    /// The order of the Gateway API; a lower rank is tried first.
    struct Rank: Comparable {
        private let path: Int
        private let length: Int
        private let counts: (method: Int, headers: Int, queries: Int)
        private let age: Int64
        private let owner: Candidate.Owner
        private let number: Int

        init(_ candidate: Candidate) {
            let match = candidate.route.match
            switch match.path {
            case .exact: (path, length) = (0, 0)
            case .prefix(let prefix), .textPrefix(let prefix): (path, length) = (1, -prefix.utf8.count)
            // The specification leaves the place of patterns open.
            case .regex: (path, length) = (2, 0)
            }
            counts = (match.method == nil ? 0 : -1, -match.headers.count, -match.queryParameters.count)
            age = candidate.creationTime
            owner = candidate.owner
            number = candidate.number
        }

        static func == (left: Rank, right: Rank) -> Bool { !(left < right) && !(right < left) }

        static func < (left: Rank, right: Rank) -> Bool {
            if left.path != right.path { return left.path < right.path }
            if left.length != right.length { return left.length < right.length }
            if left.counts != right.counts { return left.counts < right.counts }
            if left.age != right.age { return left.age < right.age }
            if left.owner != right.owner {
                let names = (left.owner.namespace + "/" + left.owner.name)
                return names < right.owner.namespace + "/" + right.owner.name
            }
            return left.number < right.number
        }
    }
}

extension DomainPattern {
    /// Of `example.com`, `*.example.com`, or nothing for every host.
    init(hostname: String) {
        if hostname.isEmpty {
            self = .any
        } else if hostname.hasPrefix("*.") {
            self = .suffix(String(hostname.dropFirst()))
        } else {
            self = .exact(hostname)
        }
    }

    /// Whether every host of this pattern is one of the other.
    func isCovered(by other: DomainPattern) -> Bool {
        switch (self, other) {
        case (_, .any): true
        case (.any, _): false
        case (.exact(let name), .exact(let otherName)): name == otherName
        case (.exact(let name), .suffix(let suffix)):
            name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count
        case (.suffix(let suffix), .suffix(let otherSuffix)): suffix.hasSuffix(otherSuffix)
        case (.exact(let name), .prefix(let prefix)):
            name.hasPrefix(prefix) && name.utf8.count > prefix.utf8.count
        case (.prefix(let prefix), .prefix(let otherPrefix)): prefix.hasPrefix(otherPrefix)
        case (.suffix, .exact), (.suffix, .prefix), (.prefix, .exact), (.prefix, .suffix): false
        }
    }

    /// This pattern and all that cover it, the most specific one first.
    var covers: [DomainPattern] {
        var patterns = [self]
        var rest: Substring
        switch self {
        case .any: return patterns
        // No hostname of a route is one.
        case .prefix: return patterns + [.any]
        case .exact(let name): rest = name[...]
        case .suffix(let suffix): rest = suffix.dropFirst()
        }
        while let dot = rest.firstIndex(of: ".") {
            let suffix = String(rest[dot...])
            if dot > rest.startIndex { patterns.append(.suffix(suffix)) }
            rest = rest[rest.index(after: dot)...]
        }
        return patterns + [.any]
    }

    /// Exact names, suffixes, prefixes; longer ones before shorter ones, then in the order of their letters.
    func precedes(_ other: DomainPattern) -> Bool {
        switch (self, other) {
        case (.exact(let name), .exact(let otherName)): name < otherName
        case (.exact, _): true
        case (_, .exact): false
        case (.suffix(let one), .suffix(let two)): (-one.utf8.count, one) < (-two.utf8.count, two)
        case (.suffix, _): true
        case (_, .suffix): false
        case (.prefix(let one), .prefix(let two)): (-one.utf8.count, one) < (-two.utf8.count, two)
        case (.prefix, .any): true
        case (.any, _): false
        }
    }
}
