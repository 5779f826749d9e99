internal import CKmeshABI
internal import KmeshKit

/// Compiles a route configuration: how its virtual hosts are found by their domains.
struct TableCompiler {
    private var table: CompiledTable
    private var index = FoundIndex()
    private var taken: Set<DomainPattern> = []
    private var refusal = RouteRefusal()

    /// `ids` are those of one address family.
    static func compile(
        _ source: RouteConfiguration, family: AddressFamily, _ ids: ServicePortIDs
    ) throws(RouteRefusal) -> CompiledTable {
        var compiler = TableCompiler(name: "\(source.key) (\(family == .v4 ? "IPv4" : "IPv6"))")
        for host in source.virtualHosts { compiler.add(host, ids) }
        return try compiler.finish()
    }

    private init(name: String) {
        table = CompiledTable(name: name, probes: [], found: [], anyHost: nil, hosts: [])
    }

    /// Of several hosts with one domain the first has it.
    private mutating func add(_ host: VirtualHost, _ ids: ServicePortIDs) {
        let place = table.hosts.count
        var first: DomainPattern?
        for domain in host.domains.map(\.lowered) where taken.insert(domain).inserted {
            first = first ?? domain
            guard let (probe, kind, text) = domain.probe else {
                table.anyHost = place
                continue
            }
            guard domain.standsForLabels else {
                refusal.add(
                    "a virtual host of \(table.name) has the domain \(domain.text), whose wildcard ends "
                        + "within a label")
                continue
            }
            let key = probe == .host ? ":host" : ":authority"
            let matcher = Matcher(kind, key, text)
            guard matcher.sizeClass != nil else {
                refusal.check(matcher, "a domain of \(table.name)")
                continue
            }
            let length = Int16(text.count)
            let value = Probe(probe, length: kind == .exact ? 0 : kind == .prefix ? length : -length)
            index.add(
                CompiledFound(probe: value, hash: text.requestHash, matcher: matcher, leadsTo: place),
                &refusal)
        }
        guard let first else { return }
        table.hosts.append(
            HostCompiler.compile(host, name: "\(table.name) \(first.text)", ids, &refusal))
    }

    private consuming func finish() throws(RouteRefusal) -> CompiledTable {
        table.probes = index.probes.sorted { $0.rank < $1.rank }
        table.found = index.sorted
        refusal.check(probes: table.probes.count, table.name, "lengths of wildcard domains")
        guard refusal.isEmpty else { throw refusal }
        return table
    }
}

/// What is found by hashes, each once.
struct FoundIndex {
    private var entries: [FoundKey: CompiledFound] = [:]
    private(set) var probes: Set<Probe> = []

    mutating func add(_ found: CompiledFound, _ refusal: inout RouteRefusal) {
        probes.insert(found.probe)
        let key = FoundKey(ownerID: 0, probe: found.probe, hash: found.hash)
        if let other = entries.updateValue(found, forKey: key) {
            refusal.add(
                "\(other.matcher.text) and \(found.matcher.text) have the same hash: change one of them")
        }
    }

    /// In the same order whatever the order of the configuration is.
    var sorted: [CompiledFound] {
        entries.values.sorted { ($0.probe.word, $0.hash) < ($1.probe.word, $1.hash) }
    }
}

extension RouteRefusal {
    mutating func check(probes count: Int, _ name: String, _ what: String) {
        guard count > Int(KMESH_PROBES_MAX) else { return }
        add("\(name) has \(count) different \(what), and \(KMESH_PROBES_MAX) are possible")
    }
}

extension Probe {
    /// Of a domain: names with a port, then without, then prefixes, longer ones first.
    fileprivate var rank: (Int, Int) {
        if length > 0 { return (4, -Int(length)) }
        let group = kind == Kind.authority.rawValue ? 0 : 2
        return length == 0 ? (group, 0) : (group + 1, Int(length))
    }
}

extension DomainPattern {
    var lowered: DomainPattern {
        func lower(_ text: String) -> String { String(decoding: Array(text.utf8).lowered, as: UTF8.self) }
        return switch self {
        case .any: .any
        case .exact(let name): .exact(lower(name))
        case .suffix(let suffix): .suffix(lower(suffix))
        case .prefix(let prefix): .prefix(lower(prefix))
        }
    }

    /// As people write it.
    var text: String {
        switch self {
        case .any: "*"
        case .exact(let name): name
        case .suffix(let suffix): "*" + suffix
        case .prefix(let prefix): prefix + "*"
        }
    }

    /// Whether a wildcard's end is that of a label. Programs do not see that a wildcard stands for nothing,
    /// so that `*a.com` would take `a.com` too; with `*.a.com` it is only `.a.com`, which is no name.
    fileprivate var standsForLabels: Bool {
        switch self {
        case .any, .exact: true
        case .suffix(let suffix): suffix.utf8.first == UInt8(ascii: ".")
        case .prefix(let prefix): prefix.utf8.last == UInt8(ascii: ".")
        }
    }

    /// How it is looked for; `nil`: it matches whatever nothing else does.
    fileprivate var probe: (Probe.Kind, Matcher.Kind, [UInt8])? {
        let (kind, name): (Matcher.Kind, String) =
            switch self {
            case .any: (.exact, "")
            case .exact(let name): (.exact, name)
            case .suffix(let suffix): (.suffix, suffix)
            case .prefix(let prefix): (.prefix, prefix)
            }
        guard !name.isEmpty else { return self == .exact("") ? (.host, .exact, []) : nil }
        return (name.hasPort ? .authority : .host, kind, Array(name.utf8))
    }
}

extension String {
    /// Whether a name has a port, as in `reviews:9080` or `[::1]:80`.
    fileprivate var hasPort: Bool {
        guard let colon = utf8.lastIndex(of: UInt8(ascii: ":")) else { return false }
        return utf8.first != UInt8(ascii: "[") || utf8[..<colon].last == UInt8(ascii: "]")
    }
}
