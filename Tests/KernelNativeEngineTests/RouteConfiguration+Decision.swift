import CKmeshABI
import KernelNativeEngine
import KmeshKit

/// What the model says of a request, by its definition.
extension RouteConfiguration {
    func decide(_ request: TestRequest, _ rig: Rig, _ family: AddressFamily = .v4) -> Decision {
        decide(request) { rig.ports.id(of: ServicePortReference($0, family)) ?? 0 }
    }

    func decide(_ request: TestRequest, _ id: (BackendReference) -> UInt32) -> Decision {
        var best: (rank: [Int], host: VirtualHost)?
        for host in virtualHosts {
            for domain in host.domains {
                guard let rank = domain.rank(for: request) else { continue }
                // Of equals the first.
                if let best, !best.rank.lexicographicallyPrecedes(rank) { continue }
                best = (rank, host)
            }
        }
        guard let best else { return .refused(KMESH_REASON_NO_HOST) }
        guard let route = best.host.routes.first(where: { $0.match.holds(request) }) else {
            return .refused(KMESH_REASON_NO_ROUTE)
        }
        guard case .forward(let forward) = route.action else { return .refused(KMESH_REASON_NO_BACKEND) }
        let shares = forward.backends.filter { $0.weight > 0 }.map {
            Decision.Share(id: $0.backend.map(id) ?? 0, weight: $0.weight)
        }
        guard shares.contains(where: { $0.id != 0 }) else { return .refused(KMESH_REASON_NO_BACKEND) }
        var hash: String?
        if case .header(let name)? = forward.hash.first { hash = name }
        return .shares(shares.inLowestTerms, retries: Int(forward.retry?.attempts ?? 0), hash: hash)
    }
}

extension [Decision.Share] {
    var inLowestTerms: [Decision.Share] {
        let divisor = (1...(map(\.weight).min() ?? 1)).last { divisor in
            allSatisfy { $0.weight % divisor == 0 }
        }
        return map { Decision.Share(id: $0.id, weight: $0.weight / (divisor ?? 1)) }
    }
}

extension DomainPattern {
    /// The more specific, the greater; `nil`: it does not match.
    fileprivate func rank(for request: TestRequest) -> [Int]? {
        let (host, authority) = (request.host, request.authority.lowercased())
        switch self {
        case .any: return [0]
        case .exact(let name):
            if name.lowercased() == authority, authority != host { return [6] }
            return name.lowercased() == host ? [4] : nil
        case .suffix(let suffix):
            if suffix.contains(":") { return authority.hasSuffix(suffix) ? [5, suffix.utf8.count] : nil }
            return host.hasSuffix(suffix) ? [3, suffix.utf8.count] : nil
        case .prefix(let prefix):
            return host.hasPrefix(prefix.lowercased()) ? [2, prefix.utf8.count] : nil
        }
    }
}

extension RouteMatch {
    fileprivate func holds(_ request: TestRequest) -> Bool {
        func fold(_ text: String) -> String { pathIgnoresCase ? text.lowercased() : text }
        let given = fold(request.path)
        switch path {
        case .exact(let text): guard given == fold(text) else { return false }
        case .prefix(let text):
            let prefix = text.hasSuffix("/") ? String(text.dropLast()) : text
            guard prefix.isEmpty || given == fold(prefix) || given.hasPrefix(fold(prefix) + "/") else {
                return false
            }
        case .textPrefix(let text): guard given.hasPrefix(fold(text)) || text.isEmpty else { return false }
        case .regex: return false
        }
        if let method, method != request.method { return false }
        return headers.allSatisfy { $0.holds(request.part($0.name)) }
            && queryParameters.allSatisfy { $0.holds(request.part("?" + $0.name)) }
    }
}

extension NamedMatch {
    fileprivate func holds(_ part: String?) -> Bool {
        if part == nil, !missingIsEmpty { return value == .present && inverts }
        func fold(_ text: String) -> String { ignoresCase ? text.lowercased() : text }
        let text = fold(part ?? "")
        let holds =
            switch value {
            case .exact(let wanted): text == fold(wanted)
            case .prefix(let wanted): wanted.isEmpty || text.hasPrefix(fold(wanted))
            case .suffix(let wanted): wanted.isEmpty || text.hasSuffix(fold(wanted))
            case .contains(let wanted): wanted.isEmpty || text.contains(fold(wanted))
            case .present: true
            case .regex: false
            }
        return holds != inverts
    }
}
