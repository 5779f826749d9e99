internal import CKmeshABI
internal import KmeshKit

/// Compiles the routes of a virtual host: how they are found by their paths, and what they ask for besides.
struct HostCompiler {
    private let ids: ServicePortIDs
    private var routes: [CompiledRoute] = []
    /// Routes, by their places in `routes`, that take the same paths.
    private var groups: [PathText: [Member]] = [:]

    /// What is looked up for a path; `nil` in place of it: any path.
    private struct PathText: Hashable {
        var probe: Probe?
        var text: [UInt8] = []
    }

    private struct Member {
        var place: Int
        /// Whether the path must end, or a slash follow, where the text ends.
        var endsWithSegment: Bool
    }

    private static let path = ":path"

    static func compile(
        _ host: VirtualHost, name: String, _ ids: ServicePortIDs, _ refusal: inout RouteRefusal
    ) -> CompiledHost {
        withoutActuallyEscaping(ids) { ids in
            var compiler = HostCompiler(ids: ids)
            if host.routes.count > Int(KMESH_ROUTES_MAX) {
                refusal.add(
                    "the virtual host \(name) has \(host.routes.count) routes, and \(KMESH_ROUTES_MAX) are "
                        + "possible")
            }
            for (index, route) in host.routes.enumerated() {
                refusal.check(route)
                compiler.add(route, number: index + 1, &refusal)
            }
            return compiler.finish(name, &refusal)
        }
    }

    private init(ids: @escaping ServicePortIDs) { self.ids = ids }

    private mutating func add(_ route: Route, number: Int, _ refusal: inout RouteRefusal) {
        guard let (key, endsWithSegment) = pathText(of: route, &refusal) else { return }
        if let last = groups[key]?.last, !last.endsWithSegment || endsWithSegment,
            routes[last.place].conditions.isEmpty
        {
            // What comes after a route without conditions is never reached.
            return
        }
        var compiled = CompiledRoute(
            name: route.name, number: number, next: 0, action: .refuse, retries: 0, hash: nil,
            conditions: conditions(of: route.match))
        if case .forward(let forward) = route.action, refusal.isEmpty {
            compiled.action = CompiledAction(forward.backends, ids)
            compiled.retries = UInt16(forward.retry?.attempts ?? 0)
            if case .header(let name)? = forward.hash.first { compiled.hash = Matcher(.present, name) }
        }
        for matcher in compiled.conditions { refusal.check(matcher, "route \(route.name)") }
        if let hash = compiled.hash { refusal.check(hash, "route \(route.name)") }
        groups[key, default: []].append(Member(place: routes.count, endsWithSegment: endsWithSegment))
        routes.append(compiled)
    }

    private func pathText(
        of route: Route, _ refusal: inout RouteRefusal
    ) -> (key: PathText, endsWithSegment: Bool)? {
        let kind = route.match.pathIgnoresCase ? Probe.Kind.pathAnyCase : .path
        var text: [UInt8]
        var isExact = false, endsWithSegment = false
        switch route.match.path {
        case .regex: return nil
        case .exact(let path): (text, isExact) = (Array(path.utf8), true)
        case .textPrefix(let prefix): text = Array(prefix.utf8)
        case .prefix(let prefix):
            text = Array(prefix.utf8)
            while text.last == UInt8(ascii: "/") { text.removeLast() }
            endsWithSegment = !text.isEmpty
        }
        guard isExact || !text.isEmpty else { return (PathText(), false) }
        if kind == .pathAnyCase { text = text.lowered }
        let matcher = Matcher(.exact, Self.path, text)
        guard matcher.sizeClass != nil else {
            refusal.check(matcher, "route \(route.name)")
            return nil
        }
        let probe = Probe(kind, length: isExact ? 0 : Int16(text.count))
        return (PathText(probe: probe, text: text), endsWithSegment)
    }

    private func conditions(of match: RouteMatch) -> [Matcher] {
        var conditions: [Matcher] = []
        if let method = match.method { conditions.append(Matcher(.exact, ":method", Array(method.utf8))) }
        for header in match.headers {
            if let matcher = Matcher(header, key: header.headerKey) { conditions.append(matcher) }
        }
        for parameter in match.queryParameters {
            if let matcher = Matcher(parameter, key: "?" + parameter.name) { conditions.append(matcher) }
        }
        return conditions
    }

    /// Links what takes the same paths, and sees to it that it is found.
    private mutating func finish(_ name: String, _ refusal: inout RouteRefusal) -> CompiledHost {
        var host = CompiledHost(name: name, probes: [], found: [], anyRoute: 0, routes: [])
        var index = FoundIndex()
        for (key, members) in groups {
            for (member, next) in zip(members, members.dropFirst()) {
                routes[member.place].next = routes[next.place].number
            }
            let first = routes[members[0].place].number
            guard let probe = key.probe else {
                host.anyRoute = first
                continue
            }
            let matcher = self.matcher(of: key, probe, members)
            index.add(
                CompiledFound(probe: probe, hash: key.text.requestHash, matcher: matcher, leadsTo: first),
                &refusal)
        }
        for route in routes where route.conditions.count > Int(KMESH_CONDITIONS_MAX) {
            refusal.add(
                "route \(route.name) has \(route.conditions.count) conditions, and \(KMESH_CONDITIONS_MAX) "
                    + "are possible")
        }
        // Exact paths first, then the longest: what comes later needs to be looked at less often.
        host.probes = index.probes.sorted { left, right in
            (left.length == 0 ? Int16.min : -left.length, left.kind)
                < (right.length == 0 ? Int16.min : -right.length, right.kind)
        }
        refusal.check(probes: host.probes.count, "the virtual host \(name)", "lengths of paths")
        host.found = index.sorted
        host.routes = routes
        return host
    }

    private mutating func matcher(of key: PathText, _ probe: Probe, _ members: [Member]) -> Matcher {
        let flags: Matcher.Flags = probe.kind == Probe.Kind.pathAnyCase.rawValue ? .ignoresCase : []
        if probe.length == 0 { return Matcher(.exact, Self.path, key.text, flags) }
        let segments = Matcher(.segments, Self.path, key.text, flags)
        if members.allSatisfy(\.endsWithSegment) { return segments }
        // The same text with and without the end of a segment: those that ask for it say so themselves.
        for member in members where member.endsWithSegment {
            routes[member.place].conditions.insert(segments, at: 0)
        }
        return Matcher(.prefix, Self.path, key.text, flags)
    }
}

extension Matcher {
    /// `nil` for a pattern.
    fileprivate init?(_ match: NamedMatch, key: String) {
        var flags: Flags = []
        if match.inverts { flags.insert(.inverts) }
        if match.ignoresCase { flags.insert(.ignoresCase) }
        if match.missingIsEmpty { flags.insert(.missingIsEmpty) }
        switch match.value {
        case .exact(let text): self.init(.exact, key, Array(text.utf8), flags)
        case .prefix(let text): self.init(.prefix, key, Array(text.utf8), flags)
        case .suffix(let text): self.init(.suffix, key, Array(text.utf8), flags)
        case .contains(let text): self.init(.contains, key, Array(text.utf8), flags)
        case .present: self.init(.present, key, [], flags)
        case .regex: return nil
        }
    }
}
