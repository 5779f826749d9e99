/// A `RouteConfiguration` compiled for matching: the cost of a match hardly grows with the number of routes.
///
/// A host is found by its hash, exact or by its suffixes; a path by its hash, exact or by its prefixes that
/// end at a slash. What is found is compared in the order of the configuration, which has the last word.
internal import KmeshKit

final class RouteTable: Sendable {
    /// For the configuration dump.
    let source: RouteConfiguration
    let routes: [CompiledRoute]
    /// Routes that can never match, as their patterns are none; or what of the configuration is not
    /// supported, and then nothing is found. Whoever made the configuration checks it.
    let faults: [String]
    private let index: RouteIndex
    /// Some hosts are told apart by the port that the request names.
    private let hasPorts: Bool

    /// A table that finds nothing.
    convenience init(source: RouteConfiguration, routes: [CompiledRoute]) {
        self.init(source: source, routes: routes, RouteIndexBuilder())
    }

    /// `clusters` says under which number a backend is known, `statistics` under which a route is counted.
    convenience init(
        compiling source: RouteConfiguration, clusters: (BackendReference) -> Int32?,
        statistics: (String) -> Int32
    ) {
        let unsupported = source.unsupportedParts
        guard unsupported.isEmpty else {
            self.init(source: source, routes: [], RouteIndexBuilder(faults: unsupported))
            return
        }
        var builder = RouteIndexBuilder()
        var routes: [CompiledRoute] = []
        // Hosts share what covers them all.
        var numbers: [Route: Int32] = [:]
        for host in source.virtualHosts {
            builder.begin(host.domains)
            for route in host.routes {
                let number = numbers[route] ?? Int32(routes.count)
                if number == routes.count {
                    numbers[route] = number
                    routes.append(CompiledRoute(route, clusters: clusters, statistic: statistics(route.name)))
                }
                builder.add(route, number)
            }
        }
        self.init(source: source, routes: routes, builder)
    }

    private init(source: RouteConfiguration, routes: [CompiledRoute], _ builder: RouteIndexBuilder) {
        self.source = source
        self.routes = routes
        faults = builder.faults
        index = RouteIndex(builder)
        hasPorts = builder.hasPorts
    }

    /// The number of the request's host in the source; -1 when it has none: 404.
    @inline(__always)
    func host(of head: RequestHead, in bytes: Span<UInt8>) -> Int32 {
        var host: Int32 = -1
        if hasPorts, head.authority.count > head.host.count {
            host = index.namedHost(bytes, head.authority.range)
        }
        return host < 0 ? index.host(bytes, head.host.range) : host
    }

    /// The number of the host's first route that the request matches; -1 when there is none: 404.
    func route(
        _ host: Int32, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>, in bytes: Span<UInt8>
    ) -> Int32 {
        if host < 0 { return -1 }
        if head.path.isEmpty {
            return index.route(host, path: RouteIndex.root.span, 0..<1, head, fields, bytes)
        }
        return index.route(host, path: bytes, head.path.range, head, fields, bytes)
    }
}

/// The tables of a `RouteTable`. Numbers of hosts and routes are those of the configuration.
struct RouteIndex: Sendable {
    struct Candidate {
        /// The place in the host's list: the least one wins.
        var order: Int32
        var route: Int32
        var conditions: Int32
        /// For patterns of paths.
        var pattern: Int32 = -1
    }

    static let root: [UInt8] = [UInt8(ascii: "/")]

    private let hosts: PatternIndex
    private let suffixes: PatternIndex
    /// Of requests whose host no domain names; -1: none.
    private let anyHost: Int32
    private let exacts: PatternIndex
    private let prefixes: PatternIndex
    /// What keys lead to: each range in the order of the configuration.
    private let candidates: [Candidate]
    /// Candidates with patterns for their paths, by host.
    private let patterned: [Range<Int32>]
    private let conditions: RouteConditions

    init(_ builder: RouteIndexBuilder) {
        hosts = PatternIndex(builder.hosts, .wholeHost)
        suffixes = PatternIndex(builder.suffixes, .hostLabels)
        anyHost = builder.anyHost
        var candidates: [Candidate] = []
        func keys(_ lists: [RouteIndexBuilder.PathKey: [Candidate]]) -> [PatternIndex.Key] {
            lists.map { key, list in
                let first = Int32(candidates.count)
                candidates += list
                return PatternIndex.Key(
                    owner: key.host, bytes: key.path, first: first, count: Int32(list.count))
            }
        }
        exacts = PatternIndex(keys(builder.exacts), .pathSegments)
        prefixes = PatternIndex(keys(builder.prefixes), .pathSegments)
        patterned = builder.patterned.map { list in
            let first = Int32(candidates.count)
            candidates += list
            return first..<Int32(candidates.count)
        }
        self.candidates = candidates
        conditions = builder.conditions
    }

    /// The most specific host that a domain names; -1 when there is none.
    func namedHost(_ text: Span<UInt8>, _ range: Range<Int>) -> Int32 { host(text, range, else: -1) }

    /// The most specific host; -1 when there is none.
    @inline(__always)
    func host(_ text: Span<UInt8>, _ range: Range<Int>) -> Int32 { host(text, range, else: anyHost) }

    @inline(__always)
    private func host(_ text: Span<UInt8>, _ range: Range<Int>, else other: Int32) -> Int32 {
        if hosts.longest >= range.count {
            var whole = PieceHash()
            whole.push(folded: text, range)
            let exact = hosts.find(whole, owner: 0, text, range, folded: true)
            if !exact.isEmpty { return exact.lowerBound }
        }
        return suffixes.longest >= 0 ? suffix(text, range, else: other) : other
    }

    /// The host of the longest suffix.
    private func suffix(_ text: Span<UInt8>, _ range: Range<Int>, else other: Int32) -> Int32 {
        var found = other
        var hash = PieceHash()
        var end = range.upperBound
        text.walkBack(range) { position, byte in
            // Longer suffixes come later and are more specific. A label must be before the dot.
            guard byte == UInt8(ascii: "."), position > range.lowerBound else { return }
            hash.push(folded: text, position..<end)
            end = position
            let suffix = suffixes.find(hash, owner: 0, text, position..<range.upperBound, folded: true)
            if !suffix.isEmpty { found = suffix.lowerBound }
        }
        return found
    }

    @inline(__always)
    func route(
        _ host: Int32, path text: Span<UInt8>, _ path: Range<Int>, _ head: RequestHead,
        _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>
    ) -> Int32 {
        var best = Candidate(order: .max, route: -1, conditions: -1)
        // Beyond the longest key there is nothing to find.
        let end = path.lowerBound &+ min(path.count, max(exacts.longest, prefixes.longest, 0))
        var hash = PieceHash()
        var found = FoundPrefixes()
        let hasPrefixes = prefixes.longest >= 0
        var start = path.lowerBound
        var slash = text.find(ASCII.slash, from: start, to: end)
        while slash < end {
            hash.push(text, start..<slash)
            start = slash
            if hasPrefixes {
                let range = prefixes.find(hash, owner: host, text, path.lowerBound..<slash)
                if !range.isEmpty, let older = found.append(range) {
                    improve(&best, older, head, fields, bytes)
                }
            }
            slash = text.find(ASCII.slash, from: slash &+ 1, to: end)
        }
        hash.push(text, start..<end)
        if hasPrefixes, end == path.upperBound || text[end] == UInt8(ascii: "/") {
            improve(
                &best, prefixes.find(hash, owner: host, text, path.lowerBound..<end), head, fields, bytes)
        }
        // A prefix that is nothing covers also what does not begin with a slash.
        if hasPrefixes, path.isEmpty || text[path.lowerBound] != UInt8(ascii: "/") {
            let range = prefixes.find(PieceHash(), owner: host, text, path.lowerBound..<path.lowerBound)
            improve(&best, range, head, fields, bytes)
        }
        if end == path.upperBound {
            improve(&best, exacts.find(hash, owner: host, text, path), head, fields, bytes)
        }
        // Longer ones first, as they are likely to come before shorter ones.
        while let range = found.popLast() { improve(&best, range, head, fields, bytes) }
        for number in patterned[Int(host)] {
            let candidate = candidates[Int(number)]
            if candidate.order >= best.order { break }
            if conditions.matches(candidate.pattern, text, path),
                conditions.hold(candidate.conditions, head, fields, bytes)
            {
                best = candidate
                break
            }
        }
        return best.route
    }

    @inline(__always)
    private func improve(
        _ best: inout Candidate, _ range: Range<Int32>, _ head: RequestHead,
        _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>
    ) {
        for number in range {
            let candidate = candidates[Int(number)]
            if candidate.order >= best.order { return }
            if conditions.hold(candidate.conditions, head, fields, bytes) {
                best = candidate
                return
            }
        }
    }
}

/// What the prefixes of a path lead to, until all are known. What has no room is looked at at once.
private struct FoundPrefixes {
    private var ranges = InlineArray<8, Range<Int32>>(repeating: 0..<0)
    private var count = 0

    /// Returns the range that has no room, if there is one.
    @inline(__always)
    mutating func append(_ range: Range<Int32>) -> Range<Int32>? {
        guard count < 8 else { return range }
        ranges[count] = range
        count &+= 1
        return nil
    }

    @inline(__always)
    mutating func popLast() -> Range<Int32>? {
        guard count > 0 else { return nil }
        count &-= 1
        return ranges[count]
    }
}

/// Gathers what a `RouteIndex` is made of.
struct RouteIndexBuilder {
    struct PathKey: Hashable {
        var host: Int32
        var path: [UInt8]
    }

    private(set) var hosts: [PatternIndex.Key] = []
    private(set) var suffixes: [PatternIndex.Key] = []
    private(set) var anyHost: Int32 = -1
    private(set) var exacts: [PathKey: [RouteIndex.Candidate]] = [:]
    private(set) var prefixes: [PathKey: [RouteIndex.Candidate]] = [:]
    private(set) var patterned: [[RouteIndex.Candidate]] = []
    private(set) var conditions = RouteConditions()
    private(set) var faults: [String]
    private(set) var hasPorts = false
    private var taken: Set<DomainPattern> = []
    private var order: Int32 = 0

    init(faults: [String] = []) { self.faults = faults }

    /// Begins the next host. Of several hosts with one domain the first has it.
    mutating func begin(_ domains: [DomainPattern]) {
        let host = Int32(patterned.count)
        patterned.append([])
        order = 0
        for domain in domains where taken.insert(domain).inserted {
            switch domain {
            case .any: anyHost = host
            case .exact(let name):
                hosts.append(key(name, host))
                if name.utf8.contains(UInt8(ascii: ":")) { hasPorts = true }
            case .suffix(let name): suffixes.append(key(name, host))
            // `RouteTable` refuses them.
            case .prefix: continue
            }
        }
    }

    private func key(_ name: String, _ host: Int32) -> PatternIndex.Key {
        PatternIndex.Key(owner: 0, bytes: name.utf8.map(\.lowered), first: host, count: 1)
    }

    mutating func add(_ route: Route, _ number: Int32) {
        let host = Int32(patterned.count - 1)
        defer { order += 1 }
        do throws(RegexError) {
            var candidate = RouteIndex.Candidate(
                order: order, route: number, conditions: try conditions.add(route.match))
            switch route.match.path {
            case .exact(let path): exacts.add(candidate, PathKey(host: host, path: Array(path.utf8)))
            case .prefix(let path):
                var bytes = Array(path.utf8)
                while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
                prefixes.add(candidate, PathKey(host: host, path: bytes))
            case .textPrefix(let text):
                candidate.pattern = try conditions.add(pattern: PathMatch.pattern(ofTextPrefix: text))
                patterned[Int(host)].append(candidate)
            case .regex(let pattern):
                candidate.pattern = try conditions.add(pattern: pattern)
                patterned[Int(host)].append(candidate)
            }
        } catch {
            faults.append("the route \(route.name) never matches: \(error)")
        }
    }
}

extension [RouteIndexBuilder.PathKey: [RouteIndex.Candidate]] {
    /// What comes after a route without conditions is never reached.
    fileprivate mutating func add(_ candidate: RouteIndex.Candidate, _ key: RouteIndexBuilder.PathKey) {
        if let last = self[key]?.last, last.conditions < 0 { return }
        self[key, default: []].append(candidate)
    }
}
