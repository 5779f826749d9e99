/// Routes as people read them in a dump: in words, without what is not set.
extension RouteConfiguration {
    package var json: JSONValue {
        .object([
            .init("for", .string(key.description)),
            .init("hosts", .array(virtualHosts.map(\.json))),
        ])
    }
}

extension VirtualHost {
    fileprivate var json: JSONValue {
        .object([
            .init("domains", .array(domains.map { .string($0.text) })),
            .init("routes", .array(routes.map(\.json))),
        ])
    }
}

extension DomainPattern {
    fileprivate var text: String {
        switch self {
        case .any: "*"
        case .exact(let name): name
        case .suffix(let suffix): "*\(suffix)"
        case .prefix(let prefix): "\(prefix)*"
        }
    }
}

extension Route {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("match", match.json), .init("action", action.json),
        ]
        if !requestHeaders.isEmpty { members.append(.init("requestHeaders", requestHeaders.json)) }
        if !responseHeaders.isEmpty { members.append(.init("responseHeaders", responseHeaders.json)) }
        return .object(members)
    }
}

extension RouteMatch {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = []
        switch path {
        case .exact(let text): members.append(.init("exact", .string(text)))
        case .prefix(let text): members.append(.init("prefix", .string(text)))
        case .textPrefix(let text): members.append(.init("textPrefix", .string(text)))
        case .regex(let text): members.append(.init("regex", .string(text)))
        }
        if pathIgnoresCase { members.append(.init("pathIgnoresCase", true)) }
        if let method { members.append(.init("method", .string(method))) }
        if !headers.isEmpty { members.append(.init("headers", .array(headers.map(\.json)))) }
        if !queryParameters.isEmpty {
            members.append(.init("queryParameters", .array(queryParameters.map(\.json))))
        }
        return .object(members)
    }
}

extension NamedMatch {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [.init("name", .string(name))]
        switch value {
        case .exact(let text): members.append(.init("exact", .string(text)))
        case .prefix(let text): members.append(.init("prefix", .string(text)))
        case .suffix(let text): members.append(.init("suffix", .string(text)))
        case .contains(let text): members.append(.init("contains", .string(text)))
        case .present: members.append(.init("present", true))
        case .regex(let text): members.append(.init("regex", .string(text)))
        }
        if inverts { members.append(.init("inverts", true)) }
        if ignoresCase { members.append(.init("ignoresCase", true)) }
        if missingIsEmpty { members.append(.init("missingIsEmpty", true)) }
        return .object(members)
    }
}

extension RouteAction {
    fileprivate var json: JSONValue {
        switch self {
        case .forward(let action): action.json
        case .redirect(let action): .object([.init("redirect", action.json)])
        case .respond(let status): .object([.init("respond", JSONValue(status))])
        }
    }
}

extension ForwardAction {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [.init("backends", .array(backends.map(\.json)))]
        if let rewrite { members.append(.init("rewrite", rewrite.json)) }
        if let requestTimeout { members.append(.init("requestTimeoutMs", JSONValue(requestTimeout))) }
        if let backendTimeout { members.append(.init("backendTimeoutMs", JSONValue(backendTimeout))) }
        if let retry {
            members.append(
                .init(
                    "retry",
                    .object([
                        .init("attempts", JSONValue(retry.attempts)),
                        .init("codes", .array(retry.codes.map { JSONValue($0) })),
                        .init("backoffMs", JSONValue(retry.backoff)),
                    ])))
        }
        if !hash.isEmpty { members.append(.init("hash", .array(hash.map { .string($0.text) }))) }
        return .object(members)
    }
}

extension HashSource {
    fileprivate var text: String {
        switch self {
        case .header(let name): "header \(name)"
        case .sourceAddress: "source address"
        }
    }
}

extension WeightedBackend {
    package var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init(backend?.kind ?? "service", JSONValue(backend?.description)),
            .init("weight", JSONValue(weight)),
        ]
        if let rewrite { members.append(.init("rewrite", rewrite.json)) }
        if let redirect { members.append(.init("redirect", redirect.json)) }
        if !requestHeaders.isEmpty { members.append(.init("requestHeaders", requestHeaders.json)) }
        if !responseHeaders.isEmpty { members.append(.init("responseHeaders", responseHeaders.json)) }
        return .object(members)
    }
}

extension BackendReference {
    fileprivate var kind: String {
        switch self {
        case .service: "service"
        case .cluster: "cluster"
        }
    }
}

extension URLRewrite {
    fileprivate var json: JSONValue {
        .object([.init("host", JSONValue(host)), .init("path", path?.json ?? .null)])
    }
}

extension PathRewrite {
    fileprivate var json: JSONValue {
        switch self {
        case .full(let text): .object([.init("full", .string(text))])
        case .prefix(let text): .object([.init("prefix", .string(text))])
        }
    }
}

extension RedirectAction {
    fileprivate var json: JSONValue {
        .object([
            .init("scheme", JSONValue(scheme)), .init("host", JSONValue(host)),
            .init("port", JSONValue(port)),
            .init("path", path?.json ?? .null), .init("status", JSONValue(status)),
        ])
    }
}

extension HeaderChanges {
    fileprivate var json: JSONValue {
        func lines(_ values: [HeaderValue]) -> JSONValue {
            .array(values.map { .string("\($0.name): \($0.value)") })
        }
        return .object([
            .init("set", lines(self.set)), .init("add", lines(add)), .init("remove", JSONValue(remove)),
        ])
    }
}
