/// A route configuration: its virtual hosts, and whose they are.
internal import KmeshKit

struct RouteConfigurationReader {
    private let message: Message

    init(_ message: Message) { self.message = message }

    func read(_ key: RouteConfigurationKey, _ references: inout References) -> RouteConfiguration {
        var hosts: [VirtualHost] = []
        var taken: Set<DomainPattern> = []
        for host in message.messages("virtualHosts", .virtualHost) {
            _ = host.choice("requireTls", ["NONE": ()])
            let name = host.text("name") ?? ""
            let domains = domains(of: host)
            for domain in domains where !taken.insert(domain).inserted {
                host.fail("domains", "another virtual host has \(domain.written): remove one")
            }
            let routes = host.messages("routes", .route).enumerated().compactMap { index, route in
                RouteReader(route).read("\(name)/\(index)", &references)
            }
            hosts.append(VirtualHost(domains: domains, routes: routes))
        }
        return RouteConfiguration(key: key, virtualHosts: hosts)
    }

    private func domains(of host: Message) -> [DomainPattern] {
        let texts = host.texts("domains").map { $0.lowercased() }
        if texts.isEmpty { host.fail("domains", "must have a domain: add one, or \"*\"") }
        var domains: [DomainPattern] = []
        for text in texts {
            // Without a port it is any port, so that one beside it says nothing more.
            if text.contains("*"), let portless = withoutPort(text), texts.contains(portless) { continue }
            guard let domain = DomainPattern(envoy: text) else {
                host.fail("domains", "\"\(text.prefix(80))\" is not supported: \(Self.remedy(text))")
                continue
            }
            if !domains.contains(domain) { domains.append(domain) }
        }
        return domains
    }

    private static func remedy(_ text: String) -> String {
        text.contains("*") && text.contains(":")
            ? "a port cannot follow a wildcard; leave it out" : "use a name, *, *.name or name.*"
    }

    private func withoutPort(_ text: String) -> String? {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return nil }
        return String(text[..<colon])
    }
}

extension DomainPattern {
    /// `nil` for what is no pattern.
    fileprivate init?(envoy text: String) {
        let stars = text.utf8.count { $0 == UInt8(ascii: "*") }
        if text == "*" {
            self = .any
        } else if text.isEmpty || stars > 1 || (stars == 1 && text.contains(":")) {
            return nil
        } else if text.hasPrefix("*") {
            self = .suffix(String(text.dropFirst()))
        } else if text.hasSuffix("*") {
            self = .prefix(String(text.dropLast()))
        } else if stars == 0 {
            self = .exact(text)
        } else {
            return nil
        }
    }

    fileprivate var written: String {
        switch self {
        case .any: "*"
        case .exact(let name): name
        case .suffix(let suffix): "*\(suffix)"
        case .prefix(let prefix): "\(prefix)*"
        }
    }
}
