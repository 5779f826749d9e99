/// What the proxy cannot do of what the model can say. HTTPRoutes have none of it.
internal import KmeshKit

extension RouteConfiguration {
    /// In words; a configuration with any of it is not followed at all.
    var unsupportedParts: [String] {
        var parts: [String] = []
        for host in virtualHosts {
            for case .prefix(let prefix) in host.domains {
                parts.append("the host \(prefix)* is not supported: name each host")
            }
            for route in host.routes {
                parts += route.unsupportedParts.map { "the route \(route.name) \($0)" }
            }
        }
        return parts
    }
}

extension Route {
    fileprivate var unsupportedParts: [String] {
        var parts: [String] = []
        if match.pathIgnoresCase { parts.append("ignores the case of its path: use a pattern with (?i)") }
        for part in match.headers + match.queryParameters {
            if part.inverts { parts.append("inverts its match of \(part.name), which is not supported") }
            if part.ignoresCase { parts.append("ignores the case of \(part.name): use a pattern with (?i)") }
            if part.missingIsEmpty {
                parts.append("takes a missing \(part.name) for an empty one, which is not supported")
            }
        }
        guard case .forward(let forward) = action else { return parts }
        if !forward.hash.isEmpty { parts.append("chooses by a hash of the request, which is not supported") }
        for case .cluster(let name)? in forward.backends.map(\.backend) {
            parts.append("leads to the cluster \(name): only Services are supported")
        }
        return parts
    }
}

extension ValueMatch {
    /// The pattern that stands for it; `nil` for an exact value.
    var pattern: String? {
        switch self {
        case .exact: nil
        case .prefix(let text): "(?s)\(quoted(text)).*"
        case .suffix(let text): "(?s).*\(quoted(text))"
        case .contains(let text): "(?s).*\(quoted(text)).*"
        case .present: "(?s).*"
        case .regex(let pattern): pattern
        }
    }
}

extension PathMatch {
    /// The pattern of a prefix that need not end with a segment.
    static func pattern(ofTextPrefix text: String) -> String { "(?s)\(quoted(text)).*" }
}

/// Text that means itself in a pattern.
private func quoted(_ text: String) -> String {
    String(text.flatMap { "\\.+*?()|[]{}^$".contains($0) ? ["\\", $0] : [$0] })
}
