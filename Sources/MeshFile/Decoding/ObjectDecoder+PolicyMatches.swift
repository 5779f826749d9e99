// What an AuthorizationPolicy asks of a connection or request: operations, sources, conditions.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    func operation(_ node: YAMLNode) throws(DecodeError) -> PolicyMatch {
        let field = "spec.rules[].to[].operation"
        var match = PolicyMatch()
        var request = RequestMatch()
        match.destinationPorts = try node.patterns("ports", field, portNumber)
        request.hosts = try node.patterns("hosts", field, hostPattern)
        request.methods = try node.patterns("methods", field, namePattern)
        request.paths = try node.patterns("paths", field, pathPattern)
        match.set(request)
        try match.checkIsNotEmpty(node, field)
        return match
    }

    func source(_ node: YAMLNode, in namespace: String) throws(DecodeError) -> PolicyMatch {
        let field = "spec.rules[].from[].source"
        var match = PolicyMatch()
        var request = RequestMatch()
        match.principals = try node.patterns("principals", field, namePattern)
        match.namespaces = try node.patterns("namespaces", field, namePattern)
        match.serviceAccounts = try node.patterns("serviceAccounts", field, accountName(in: namespace))
        match.sourceBlocks = try node.patterns("ipBlocks", field, block)
        request.remoteBlocks = try node.patterns("remoteIpBlocks", field, block)
        request.absent = try node.patterns("requestPrincipals", field, namePattern)
            .absent("requestPrincipals")
        guard match.serviceAccounts.isEmpty || match.principals.isEmpty && match.namespaces.isEmpty else {
            throw DecodeError(
                line: node.line,
                message: "\(field) has serviceAccounts beside principals or namespaces: keep one of them")
        }
        match.set(request)
        try match.checkIsNotEmpty(node, field)
        return match
    }

    // MARK: Conditions

    private static let conditionKeys = [
        "request.headers[name]", "source.ip", "remote.ip", "source.namespace", "source.principal",
        "source.serviceAccount", "request.auth.principal", "request.auth.audiences",
        "request.auth.presenter", "request.auth.claims[name]", "destination.ip", "destination.port",
        "connection.sni",
    ]

    func condition(_ node: YAMLNode, in namespace: String) throws(DecodeError) -> PolicyMatch {
        let field = "spec.rules[].when[]"
        let keyNode = try node.required("key", "\(field).key")
        let key = try keyNode.text("\(field).key")
        let values = try node.present("values")?.elements("\(field).values") ?? []
        let others = try node.present("notValues")?.elements("\(field).notValues") ?? []
        guard !values.isEmpty || !others.isEmpty else {
            throw DecodeError(
                line: node.line,
                message: "\(field) \(key.prefix(80)) has neither values nor notValues: add one of them")
        }
        var match = PolicyMatch()
        var request = RequestMatch()
        switch key {
        case "source.ip": match.sourceBlocks = try node.values(field, block)
        case "remote.ip": request.remoteBlocks = try node.values(field, block)
        case "source.namespace": match.namespaces = try node.values(field, namePattern)
        case "source.principal": match.principals = try node.values(field, namePattern)
        case "source.serviceAccount":
            match.serviceAccounts = try node.values(field, accountName(in: namespace))
        case "destination.ip": match.destinationBlocks = try node.values(field, block)
        case "destination.port": match.destinationPorts = try node.values(field, portNumber)
        case "request.auth.principal", "request.auth.audiences", "request.auth.presenter", "connection.sni":
            request.absent = try node.values(field, valuePattern).absent(key)
        default:
            if let name = try Self.name(in: key, of: "request.headers", keyNode) {
                let header = try YAMLNode.string(name, line: keyNode.line).token(
                    "\(field).key request.headers[]")
                request.headers.append(
                    RequestMatch.HeaderMatch(
                        name: header.lowercased(), values: try node.values(field, valuePattern)))
            } else if try Self.name(in: key, of: "request.auth.claims", keyNode) != nil {
                request.absent = try node.values(field, valuePattern).absent(key)
            } else {
                throw Self.unknown(key, keyNode)
            }
        }
        match.set(request)
        return match
    }

    /// `x` of `request.headers[x]`; `nil` for another attribute.
    private static func name(
        in key: String, of attribute: String, _ node: YAMLNode
    ) throws(DecodeError) -> String? {
        guard key.hasPrefix(attribute) else { return nil }
        let rest = key.dropFirst(attribute.count)
        guard rest.hasPrefix("["), rest.hasSuffix("]"), rest.count > 2 else {
            throw DecodeError(
                line: node.line,
                message: "spec.rules[].when[].key must be written \(attribute)[name]\(node.found)")
        }
        return String(rest.dropFirst().dropLast())
    }

    private static func unknown(_ key: String, _ node: YAMLNode) -> DecodeError {
        let guess = Suggestion.nearest(to: key, among: conditionKeys)
        let remedy =
            guess.map { "did you mean \($0)?" } ?? "use one of \(conditionKeys.joined(separator: ", "))"
        return DecodeError(
            line: node.line,
            message: "spec.rules[].when[].key: \(key.prefix(80)) is not supported; \(remedy)")
    }
}

// MARK: Single patterns

private func valuePattern(_ node: YAMLNode, _ field: String) throws(DecodeError) -> StringMatch {
    StringMatch(try node.text(field))
}

/// For texts that have no `*` of their own: one that is no wildcard is a mistake.
private func namePattern(_ node: YAMLNode, _ field: String) throws(DecodeError) -> StringMatch {
    let pattern = StringMatch(try node.text(field))
    let isPlain =
        switch pattern {
        case .exact(let text), .prefix(let text), .suffix(let text): !text.contains("*")
        case .present: true
        }
    guard isPlain else {
        throw DecodeError(
            line: node.line, message: "\(field) may have one *, at its beginning or its end\(node.found)")
    }
    return pattern
}

private func hostPattern(_ node: YAMLNode, _ field: String) throws(DecodeError) -> StringMatch {
    switch try namePattern(node, field) {
    case .exact(let text): .exact(text.lowercased())
    case .prefix(let text): .prefix(text.lowercased())
    case .suffix(let text): .suffix(text.lowercased())
    case .present: .present
    }
}

private func pathPattern(_ node: YAMLNode, _ field: String) throws(DecodeError) -> StringMatch {
    let text = try node.text(field)
    guard !text.contains("{"), !text.contains("}") else {
        throw DecodeError(
            line: node.line,
            message:
                "\(field): path templates are not supported\(node.found): use a prefix such as /a/*, or a "
                + "suffix such as */b")
    }
    return StringMatch(text)
}

private func block(_ node: YAMLNode, _ field: String) throws(DecodeError) -> IPBlock {
    guard let block = IPBlock(try node.text(field)) else {
        throw DecodeError(line: node.line, message: "\(field) must be IP addresses or CIDRs\(node.found)")
    }
    return block
}

private func portNumber(_ node: YAMLNode, _ field: String) throws(DecodeError) -> UInt16 {
    let text = try node.text(field)
    guard let port = UInt16(text), port > 0, text == String(port) else {
        throw DecodeError(line: node.line, message: "\(field) must be ports from 1 to 65535\(node.found)")
    }
    return port
}

/// `name` in the policy's namespace, or `namespace/name`.
private func accountName(
    in namespace: String
) -> (YAMLNode, String) throws(DecodeError) -> ServiceAccountName {
    { (node, field) throws(DecodeError) in
        let parts = try node.text(field).split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let name = parts.last,
            parts.allSatisfy({ !$0.isEmpty && !$0.contains("*") })
        else {
            throw DecodeError(
                line: node.line, message: "\(field) must be name or namespace/name, without *\(node.found)")
        }
        return ServiceAccountName(
            namespace: parts.count == 2 ? String(parts[0]) : namespace, name: String(name))
    }
}

extension YAMLNode {
    /// The patterns under `key` and those under its negation.
    fileprivate func patterns<Pattern>(
        _ key: String, _ field: String, _ read: (YAMLNode, String) throws(DecodeError) -> Pattern
    ) throws(DecodeError) -> Patterns<Pattern> {
        let negation = "not" + key.prefix(1).uppercased() + key.dropFirst()
        return Patterns(
            any: try list(key, "\(field).\(key)", read),
            none: try list(negation, "\(field).\(negation)", read))
    }

    /// The patterns of a condition.
    fileprivate func values<Pattern>(
        _ field: String, _ read: (YAMLNode, String) throws(DecodeError) -> Pattern
    ) throws(DecodeError) -> Patterns<Pattern> {
        try patterns("values", field, read)
    }

    private func list<Pattern>(
        _ key: String, _ field: String, _ read: (YAMLNode, String) throws(DecodeError) -> Pattern
    ) throws(DecodeError) -> [Pattern] {
        var patterns: [Pattern] = []
        for element in try present(key)?.elements(field) ?? [] {
            guard let text = element.string, !text.isEmpty else {
                throw DecodeError(
                    line: element.line, message: "\(field) must be a list of texts that are not empty")
            }
            patterns.append(try read(element, field))
        }
        return patterns
    }
}

extension Patterns<StringMatch> {
    /// What asking for these values of an attribute comes to that no request has.
    fileprivate func absent(_ name: String) -> Patterns<String> {
        Patterns<String>(any: any.isEmpty ? [] : [name], none: none.isEmpty ? [] : [name])
    }
}

extension PolicyMatch {
    fileprivate mutating func set(_ request: RequestMatch) {
        if !request.isEmpty { self.request = request }
    }

    /// Lists without elements say nothing either.
    fileprivate func checkIsNotEmpty(_ node: YAMLNode, _ field: String) throws(DecodeError) {
        guard isEmptyAtL4, request == nil else { return }
        throw DecodeError(line: node.line, message: "\(field) must not be empty: say what it is")
    }
}
