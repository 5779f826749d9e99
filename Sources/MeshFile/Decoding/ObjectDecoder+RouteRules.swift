// Matches and filters of HTTPRoutes. What would make a request mean something else is checked here.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    private enum PathType: String, CaseIterable {
        case exact = "Exact"
        case prefix = "PathPrefix"
        case regex = "RegularExpression"
    }

    private enum ValueType: String, CaseIterable {
        case exact = "Exact"
        case regex = "RegularExpression"
    }

    private enum Method: String, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
        case connect = "CONNECT"
        case options = "OPTIONS"
        case trace = "TRACE"
        case patch = "PATCH"
    }

    func match(
        _ node: YAMLNode, _ field: String, _ notices: inout [String]
    ) throws(DecodeError) -> RouteMatch {
        var match = RouteMatch()
        if let path = node.present("path") { match.path = try self.path(path, "\(field).path") }
        match.method = try node.present("method")?.choice("\(field).method", Method.self).rawValue
        match.headers = try values(node, "headers", field, areHeaders: true, &notices)
        match.queryParameters = try values(node, "queryParams", field, areHeaders: false, &notices)
        return match
    }

    private func path(_ node: YAMLNode, _ field: String) throws(DecodeError) -> PathMatch {
        let type = try node.present("type")?.choice("\(field).type", PathType.self) ?? .prefix
        guard let value = node.present("value") else {
            // The default is the path that everything is below.
            return type == .exact ? .exact("/") : type == .prefix ? .prefix("/") : .regex("/")
        }
        let text = try value.text("\(field).value")
        guard text.utf8.count <= 1024 else {
            throw DecodeError(line: value.line, message: "\(field).value has more than 1024 bytes")
        }
        switch type {
        case .exact:
            try value.checkPath(text, "\(field).value")
            return .exact(text)
        case .prefix:
            try value.checkPath(text, "\(field).value")
            return .prefix(text.hasSuffix("/") && text != "/" ? String(text.dropLast()) : text)
        case .regex:
            try value.checkRegex(text, "\(field).value")
            return .regex(text)
        }
    }

    /// The first of several with one name counts, as the API says.
    private func values(
        _ parent: YAMLNode, _ key: String, _ field: String, areHeaders: Bool, _ notices: inout [String]
    ) throws(DecodeError) -> [NamedMatch] {
        let field = "\(field).\(key)"
        var matches: [NamedMatch] = []
        for node in try parent.present(key)?.elements(field) ?? [] {
            let type = try node.present("type")?.choice("\(field)[].type", ValueType.self) ?? .exact
            var name = try node.required("name", "\(field)[].name").token("\(field)[].name")
            if areHeaders { name = name.lowercased() }
            let value = try node.required("value", "\(field)[].value")
            let text = try value.text("\(field)[].value")
            guard (1...4096).contains(text.utf8.count) else {
                throw DecodeError(line: value.line, message: "\(field)[].value must have 1 to 4096 bytes")
            }
            if type == .regex { try value.checkRegex(text, "\(field)[].value") }
            if matches.contains(where: { $0.name == name }) {
                notices.append("\(key) names \(name) again, and only the first one counts: remove the others")
                continue
            }
            matches.append(NamedMatch(name: name, value: type == .regex ? .regex(text) : .exact(text)))
        }
        return matches
    }

    // MARK: Filters

    private enum FilterType: String, CaseIterable {
        case requestHeaders = "RequestHeaderModifier"
        case responseHeaders = "ResponseHeaderModifier"
        case redirect = "RequestRedirect"
        case rewrite = "URLRewrite"

        var body: String {
            switch self {
            case .requestHeaders: "requestHeaderModifier"
            case .responseHeaders: "responseHeaderModifier"
            case .redirect: "requestRedirect"
            case .rewrite: "urlRewrite"
            }
        }
    }

    private static let unsupportedFilters = ["RequestMirror", "CORS", "ExtensionRef", "ExternalAuth"]

    func filters(
        _ parent: YAMLNode, _ parentField: String
    ) throws(DecodeError) -> Kubernetes.HTTPRoute.Filters {
        let field = "\(parentField).filters"
        var filters = Kubernetes.HTTPRoute.Filters()
        var seen: Set<FilterType> = []
        for node in try parent.present("filters")?.elements(field) ?? [] {
            let typeNode = try node.required("type", "\(field)[].type")
            if let name = typeNode.string, Self.unsupportedFilters.contains(name) {
                throw DecodeError(
                    line: typeNode.line, message: "\(field)[]: \(name) is not supported: remove the filter")
            }
            let type = try typeNode.choice("\(field)[].type", FilterType.self)
            guard seen.insert(type).inserted else {
                throw DecodeError(line: node.line, message: "\(field) has \(type.rawValue) twice: remove one")
            }
            for other in FilterType.allCases where other != type && node.present(other.body) != nil {
                throw DecodeError(
                    line: node.line,
                    message: "\(field)[] has \(other.body), and its type is \(type.rawValue): remove one")
            }
            let body = try node.required(type.body, "\(field)[].\(type.body)")
            let bodyField = "\(field)[].\(type.body)"
            switch type {
            case .requestHeaders: filters.requestHeaders = try headerChanges(body, bodyField)
            case .responseHeaders: filters.responseHeaders = try headerChanges(body, bodyField)
            case .redirect: filters.redirect = try redirect(body, bodyField)
            case .rewrite: filters.rewrite = try rewrite(body, bodyField)
            }
        }
        guard filters.redirect == nil || filters.rewrite == nil else {
            throw DecodeError(
                line: parent.line, message: "\(field) has RequestRedirect and URLRewrite: remove one of them")
        }
        return filters
    }

    /// A prefix can be replaced only where one prefix has matched.
    func checkPrefixReplacement(
        _ filters: Kubernetes.HTTPRoute.Filters, _ matches: [RouteMatch], _ node: YAMLNode, _ field: String
    ) throws(DecodeError) {
        guard case .prefix? = filters.redirect?.path ?? filters.rewrite?.path else { return }
        if matches.count == 1, case .prefix = matches[0].path { return }
        throw DecodeError(
            line: node.line,
            message: "\(field) uses ReplacePrefixMatch: its rule must have one match, with a PathPrefix")
    }

    private func headerChanges(_ node: YAMLNode, _ field: String) throws(DecodeError) -> HeaderChanges {
        var changes = HeaderChanges()
        var names: Set<String> = []
        func claim(_ name: YAMLNode, _ field: String) throws(DecodeError) -> String {
            let text = try name.token(field)
            guard HeaderChanges.mayChange(text.lowercased()) else {
                let remedy = text.lowercased() == "host" ? "use URLRewrite.hostname" : "remove it"
                throw DecodeError(line: name.line, message: "\(field): \(text) cannot be changed: \(remedy)")
            }
            guard names.insert(text.lowercased()).inserted else {
                throw DecodeError(line: name.line, message: "\(field): \(text) is changed twice: remove one")
            }
            return text
        }
        for key in ["set", "add"] {
            for element in try node.present(key)?.elements("\(field).\(key)") ?? [] {
                let name = try claim(
                    try element.required("name", "\(field).\(key)[].name"), "\(field).\(key)[].name")
                let value = try element.required("value", "\(field).\(key)[].value")
                    .headerValue("\(field).\(key)[].value")
                if key == "set" {
                    changes.set.append(HeaderValue(name: name, value: value))
                } else {
                    changes.add.append(HeaderValue(name: name, value: value))
                }
            }
        }
        for element in try node.present("remove")?.elements("\(field).remove") ?? [] {
            changes.remove.append(try claim(element, "\(field).remove").lowercased())
        }
        return changes
    }

    private enum Scheme: String, CaseIterable {
        case http, https

        var port: UInt16 { self == .http ? 80 : 443 }
    }

    private func redirect(_ node: YAMLNode, _ field: String) throws(DecodeError) -> RedirectAction {
        var action = RedirectAction()
        let scheme = try node.present("scheme")?.choice("\(field).scheme", Scheme.self)
        action.scheme = scheme?.rawValue
        action.host = try node.present("hostname")?.hostName("\(field).hostname")
        // A scheme without a port means the scheme's own port, not the request's.
        action.port = try node.present("port")?.port("\(field).port") ?? scheme?.port
        action.path = try node.present("path").map { path throws(DecodeError) in
            try pathRewrite(path, "\(field).path")
        }
        if let status = node.present("statusCode") {
            let code = UInt16(try status.number("\(field).statusCode", in: 300...399))
            guard [301, 302, 303, 307, 308].contains(code) else {
                throw DecodeError(
                    line: status.line,
                    message: "\(field).statusCode must be one of 301, 302, 303, 307, 308\(status.found)")
            }
            action.status = code
        }
        return action
    }

    private func rewrite(_ node: YAMLNode, _ field: String) throws(DecodeError) -> URLRewrite {
        URLRewrite(
            host: try node.present("hostname")?.hostName("\(field).hostname"),
            path: try node.present("path").map { path throws(DecodeError) in
                try pathRewrite(path, "\(field).path")
            })
    }

    private enum RewriteType: String, CaseIterable {
        case full = "ReplaceFullPath"
        case prefix = "ReplacePrefixMatch"
    }

    private func pathRewrite(_ node: YAMLNode, _ field: String) throws(DecodeError) -> PathRewrite {
        let type = try node.required("type", "\(field).type").choice("\(field).type", RewriteType.self)
        let (key, other) =
            type == .full
            ? ("replaceFullPath", "replacePrefixMatch") : ("replacePrefixMatch", "replaceFullPath")
        if let extra = node.present(other) {
            throw DecodeError(
                line: extra.line, message: "\(field) has \(other), and its type is \(type.rawValue)")
        }
        guard let value = node[key] else {
            throw DecodeError(line: node.line, message: "\(field).\(key) is missing: add it")
        }
        var text = try value.emptyOrText("\(field).\(key)")
        if type == .full {
            if text.isEmpty { text = "/" }
            try value.checkReplacement(text, "\(field).\(key)")
            return .full(text)
        }
        if !text.isEmpty { try value.checkReplacement(text, "\(field).\(key)") }
        // A final slash is ignored, so that the rest of the path follows with its own.
        while text.hasSuffix("/") { text.removeLast() }
        return .prefix(text)
    }
}
