/// A route: what it does with the requests that it matches.
internal import KmeshKit

struct RouteReader {
    private let message: Message

    init(_ message: Message) { self.message = message }

    /// `place` is its name when it has none.
    func read(_ place: String, _ references: inout References) -> Route? {
        let name = message.text("name") ?? ""
        if !message.has("match") { message.fail(missing: "match") }
        let match = message.message("match", .routeMatch).flatMap { RouteMatchReader($0).read() }
        guard let action = action(&references), let match else { return nil }
        return Route(name: name.isEmpty ? place : name, match: match, action: action)
    }

    private func action(_ references: inout References) -> RouteAction? {
        switch message.onlyOne(of: ["route", "redirect", "directResponse"]) {
        case "route":
            return message.message("route", .routeAction).map { .forward(forward($0, &references)) }
        case "redirect":
            return message.message("redirect", .redirect).map { .redirect(redirect($0)) }
        case "directResponse":
            guard let response = message.message("directResponse", .directResponse) else { return nil }
            if !response.has("status") { response.fail(missing: "status") }
            return response.number("status", in: 200...599).map { .respond(status: UInt16($0)) }
        default: return nil
        }
    }

    private func forward(_ action: Message, _ references: inout References) -> ForwardAction {
        _ = action.choice("priority", ["DEFAULT": ()])
        var forward = ForwardAction(backends: references.backends(of: action))
        if action.has("hostRewrite"), action.has("hostRewriteLiteral") {
            action.fail("hostRewrite", "is the older name of hostRewriteLiteral: keep one")
        }
        let host = action.text("hostRewriteLiteral") ?? action.text("hostRewrite")
        let prefix = action.text("prefixRewrite").flatMap { $0.isEmpty ? nil : $0 }
        if host?.isEmpty == false || prefix != nil {
            forward.rewrite = URLRewrite(
                host: host?.isEmpty == false ? host : nil, path: prefix.map { .prefix($0) })
        }
        if let timeout = action.milliseconds("timeout"), timeout > 0 { forward.requestTimeout = timeout }
        if let policy = action.message("retryPolicy", .retryPolicy) { retry(policy, &forward) }
        forward.hash = action.messages("hashPolicy", .hashPolicy).compactMap(hashSource)
        return forward
    }

    private func retry(_ policy: Message, _ forward: inout ForwardAction) {
        if let timeout = policy.milliseconds("perTryTimeout"), timeout > 0 {
            forward.backendTimeout = timeout
        }
        let attempts = policy.number("numRetries", in: 0...1000) ?? 1
        var codes: Set<UInt16> = []
        for condition in (policy.text("retryOn") ?? "").split(separator: ",") {
            switch condition.filter({ $0 != " " }) {
            // A connection that fails is always tried again.
            case "connect-failure", "refused-stream", "reset", "reset-before-request", "unavailable",
                "cancelled", "http3-post-connect-failure":
                continue
            case "gateway-error": codes.formUnion([502, 503, 504])
            case "5xx": codes.formUnion([500, 501, 502, 503, 504, 505])
            case "retriable-4xx": codes.insert(409)
            case "retriable-status-codes":
                codes.formUnion(policy.statusCodes("retriableStatusCodes"))
            default:
                policy.fail("retryOn", "\(condition.prefix(80)) is not supported: remove it")
            }
        }
        if attempts > 0 { forward.retry = RetryPolicy(attempts: attempts, codes: codes.sorted()) }
    }

    private func hashSource(_ policy: Message) -> HashSource? {
        switch policy.onlyOne(of: ["header", "connectionProperties"]) {
        case "header":
            let name = policy.message("header", .hashHeader)?.requiredText("headerName")
            return name.map { .header($0.lowercased()) }
        case "connectionProperties":
            guard let properties = policy.message("connectionProperties", .connectionProperties) else {
                return nil
            }
            if properties.flag("sourceIp") == true { return .sourceAddress }
            properties.fail("sourceIp", "must be true, as there is nothing else to hash: set it")
            return nil
        default: return nil
        }
    }

    private func redirect(_ message: Message) -> RedirectAction {
        var redirect = RedirectAction(status: 301)
        if message.flag("httpsRedirect") == true { redirect.scheme = "https" }
        if let scheme = message.text("schemeRedirect"), !scheme.isEmpty { redirect.scheme = scheme }
        if let host = message.text("hostRedirect"), !host.isEmpty { redirect.host = host }
        redirect.port = message.number("portRedirect", in: 1...65535).map { UInt16($0) }
        if let path = message.text("pathRedirect"), !path.isEmpty { redirect.path = .full(path) }
        if let prefix = message.text("prefixRewrite"), !prefix.isEmpty {
            if redirect.path != nil {
                message.fail("prefixRewrite", "pathRedirect says it already: keep one")
            }
            redirect.path = .prefix(prefix)
        }
        let codes: KeyValuePairs<String, UInt16> = [
            "MOVED_PERMANENTLY": 301, "FOUND": 302, "SEE_OTHER": 303, "TEMPORARY_REDIRECT": 307,
            "PERMANENT_REDIRECT": 308,
        ]
        redirect.status = message.choice("responseCode", codes) ?? 301
        return redirect
    }
}
