internal import CKmeshABI
internal import KmeshKit

/// Why a route configuration cannot be in force: what of it the kernel cannot do, in words.
struct RouteRefusal: Error, Hashable, Sendable {
    /// The first few.
    private(set) var parts: [String] = []
    private var count = 0

    private static var limit: Int { 3 }

    var isEmpty: Bool { count == 0 }

    mutating func add(_ part: @autoclosure () -> String) {
        count += 1
        if parts.count < Self.limit { parts.append(part()) }
    }

    func reason(for key: RouteConfigurationKey) -> String {
        let others = count > parts.count ? ", and \(count - parts.count) parts more" : ""
        let remedy =
            switch key {
            case .service(let service, _): "give Service \(service) a waypoint, which can"
            case .gateway, .named: "leave that out, or have a proxy route these requests"
            }
        return "asks for what the kernel cannot do: " + parts.joined(separator: "; ") + others + ": " + remedy
    }
}

extension RouteRefusal {
    /// Notes what of the route the kernel cannot do, whatever the rest of the configuration is.
    mutating func check(_ route: Route) {
        let name = "route \(route.name)"
        if case .regex = route.match.path { add("\(name) has a pattern for its path") }
        for header in route.match.headers {
            check(header, "header", name)
            if !header.isNameOfHeader { add("\(name) asks for the header \(header.name), which none has") }
        }
        for parameter in route.match.queryParameters { check(parameter, "query parameter", name) }
        if !route.requestHeaders.isEmpty { add("\(name) changes headers of requests") }
        if !route.responseHeaders.isEmpty { add("\(name) changes headers of responses") }
        switch route.action {
        case .redirect: add("\(name) redirects")
        case .respond(let status):
            if status != 500 { add("\(name) answers with the status \(status) by itself") }
        case .forward(let forward): check(forward, name)
        }
    }

    private mutating func check(_ match: NamedMatch, _ what: String, _ name: String) {
        if case .regex = match.value { add("\(name) has a pattern for the \(what) \(match.name)") }
    }

    private mutating func check(_ forward: ForwardAction, _ name: String) {
        if forward.rewrite != nil { add("\(name) rewrites URLs") }
        if forward.requestTimeout != nil { add("\(name) has a timeout for requests") }
        if forward.backendTimeout != nil { add("\(name) has a timeout for attempts") }
        if let retry = forward.retry {
            if !retry.codes.isEmpty { add("\(name) retries by the status of responses") }
            if retry.attempts > UInt32(KMESH_RETRIES_MAX) {
                add("\(name) retries more than \(KMESH_RETRIES_MAX) times")
            }
        }
        if forward.hash.prefix(while: { $0 != .sourceAddress }).count > 1 {
            add("\(name) chooses by the hash of more than one header")
        }
        let backends = forward.backends.filter { $0.weight > 0 }
        for backend in backends {
            let target = backend.backend.map { " to \($0)" } ?? ""
            if !backend.requestHeaders.isEmpty { add("\(name) changes headers of requests\(target)") }
            if !backend.responseHeaders.isEmpty { add("\(name) changes headers of responses\(target)") }
            if backend.rewrite != nil { add("\(name) rewrites URLs of requests\(target)") }
            if backend.redirect != nil { add("\(name) redirects requests\(target)") }
        }
        check(weightsOf: backends, name)
    }

    /// Of a route, or of a listener's filter chain.
    mutating func check(weightsOf backends: [WeightedBackend], _ name: String) {
        if backends.count > Int(KMESH_SHARES_MAX) {
            add("\(name) has \(backends.count) weighted backends, and \(KMESH_SHARES_MAX) are possible")
        }
        if backends.reduce(UInt64(0), { $0 + UInt64($1.weight) }) > UInt64(UInt32.max) {
            add("\(name) has weights whose sum is above \(UInt32.max)")
        }
    }

    mutating func check(_ matcher: Matcher, _ name: @autoclosure () -> String) {
        guard matcher.sizeClass == nil else { return }
        let key = String(decoding: matcher.key, as: UTF8.self)
        add(
            "\(name()) has a text of \(matcher.size) bytes for \(key), and "
                + "\(TextClass.bytes4096.capacity) are possible")
    }
}

extension NamedMatch {
    /// What Envoy calls headers and a request has under another key.
    private static let keys = [":authority": ":authority", ":method": ":method", ":path": ":target"]

    fileprivate var isNameOfHeader: Bool {
        guard let first = name.utf8.first else { return false }
        return first != UInt8(ascii: "?") && (first != UInt8(ascii: ":") || Self.keys[name] != nil)
    }

    var headerKey: String { Self.keys[name] ?? name }
}
