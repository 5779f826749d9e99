// HTTPRoutes: parents, rules, backends. Matches and filters have files of their own.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    mutating func httpRoute(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.HTTPRoute {
        let spec = try node.required("spec", "spec")
        var route = Kubernetes.HTTPRoute(
            namespace: interner.share(name.namespace), name: name.name, parents: [], rules: [])
        route.creationTime = try node["metadata"]?.present("creationTimestamp")?
            .timestamp("metadata.creationTimestamp")
        for element in try spec.present("parentRefs")?.elements("spec.parentRefs") ?? [] {
            let parent = try parent(element, in: name.namespace)
            guard !route.parents.contains(parent) else {
                throw DecodeError(
                    line: element.line, message: "spec.parentRefs names \(parent.reference) twice: remove one"
                )
            }
            route.parents.append(parent)
        }
        for element in try spec.present("hostnames")?.elements("spec.hostnames") ?? [] {
            let host = interner.share(try element.hostName("spec.hostnames", allowsWildcard: true))
            if !route.hostnames.contains(host) { route.hostnames.append(host) }
        }
        var names: Set<String> = []
        for element in try spec.present("rules")?.elements("spec.rules") ?? [] {
            var notices: [String] = []
            let rule = try rule(element, in: name.namespace, &notices)
            guard rule.name.isEmpty || names.insert(rule.name).inserted else {
                throw DecodeError(
                    line: element.line, message: "spec.rules has two \"\(rule.name)\": rename one")
            }
            let label = rule.name.isEmpty ? "\(route.rules.count)" : rule.name
            route.notices += notices.map { "rule \(label): \($0)" }
            route.rules.append(rule)
        }
        if route.rules.isEmpty { route.rules = [Kubernetes.HTTPRoute.Rule()] }
        return route
    }

    private mutating func parent(
        _ node: YAMLNode, in namespace: String
    ) throws(DecodeError) -> Kubernetes.HTTPRoute.Parent {
        let reference = try reference(
            node, "spec.parentRefs[]", in: namespace, group: gatewayGroup, kind: "Gateway")
        let section = try node.present("sectionName")?.text("spec.parentRefs[].sectionName")
        if reference.kind == "Service", section?.isEmpty == false {
            throw DecodeError(
                line: node.line,
                message: "spec.parentRefs[].sectionName is not supported for a Service: use port")
        }
        return Kubernetes.HTTPRoute.Parent(reference, section: section == "" ? nil : section)
    }

    private mutating func reference(
        _ node: YAMLNode, _ field: String, in namespace: String, group: String, kind: String
    ) throws(DecodeError) -> Kubernetes.HTTPRoute.Reference {
        let named = try node.present("namespace")?.text("\(field).namespace") ?? ""
        return Kubernetes.HTTPRoute.Reference(
            group: interner.share(try node["group"]?.emptyOrText("\(field).group") ?? group),
            kind: interner.share(try node.present("kind")?.text("\(field).kind") ?? kind),
            namespace: interner.share(named.isEmpty ? namespace : named),
            name: interner.share(try node.required("name", "\(field).name").text("\(field).name")),
            port: try node.present("port")?.port("\(field).port"))
    }

    // MARK: Rules

    private mutating func rule(
        _ node: YAMLNode, in namespace: String, _ notices: inout [String]
    ) throws(DecodeError) -> Kubernetes.HTTPRoute.Rule {
        let field = "spec.rules[]"
        var rule = Kubernetes.HTTPRoute.Rule(
            name: try node.present("name")?.text("\(field).name") ?? "", matches: [])
        guard rule.name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }) else {
            throw DecodeError(line: node.line, message: "\(field).name has letters, digits, - and . only")
        }
        for element in try node.present("matches")?.elements("\(field).matches") ?? [] {
            rule.matches.append(try match(element, "\(field).matches[]", &notices))
        }
        if rule.matches.isEmpty { rule.matches = [RouteMatch()] }
        rule.filters = try filters(node, field)
        try checkPrefixReplacement(rule.filters, rule.matches, node, field)
        for element in try node.present("backendRefs")?.elements("\(field).backendRefs") ?? [] {
            rule.backends.append(try backend(element, in: namespace, rule.matches))
        }
        guard rule.backends.count <= 16 else {
            throw DecodeError(line: node.line, message: "\(field).backendRefs has more than 16 entries")
        }
        if rule.filters.redirect != nil, !rule.backends.isEmpty {
            throw DecodeError(
                line: node.line,
                message: "\(field) has a RequestRedirect filter and backendRefs: remove one of them")
        }
        try timeouts(node.present("timeouts"), "\(field).timeouts", into: &rule)
        rule.retry = try retry(node.present("retry"), "\(field).retry")
        return rule
    }

    private mutating func backend(
        _ node: YAMLNode, in namespace: String, _ matches: [RouteMatch]
    ) throws(DecodeError) -> Kubernetes.HTTPRoute.Backend {
        let field = "spec.rules[].backendRefs[]"
        let reference = try reference(node, field, in: namespace, group: "", kind: "Service")
        if reference.kind == "Service", reference.group.isEmpty, reference.port == nil {
            throw DecodeError(line: node.line, message: "\(field).port is missing: add it")
        }
        let filters = try filters(node, field)
        try checkPrefixReplacement(filters, matches, node, field)
        return Kubernetes.HTTPRoute.Backend(
            reference,
            weight: UInt32(try node.present("weight")?.number("\(field).weight", in: 0...1_000_000) ?? 1),
            filters: filters)
    }

    private func timeouts(
        _ node: YAMLNode?, _ field: String, into rule: inout Kubernetes.HTTPRoute.Rule
    ) throws(DecodeError) {
        guard let node else { return }
        let request = try node.present("request")?.duration("\(field).request") ?? 0
        let backend = try node.present("backendRequest")?.duration("\(field).backendRequest") ?? 0
        guard request == 0 || backend <= request else {
            throw DecodeError(
                line: node.line, message: "\(field).backendRequest is longer than request: shorten it")
        }
        rule.requestTimeout = request == 0 ? nil : request
        rule.backendTimeout = backend == 0 ? nil : backend
    }

    private func retry(_ node: YAMLNode?, _ field: String) throws(DecodeError) -> RetryPolicy? {
        guard let node else { return nil }
        var policy = RetryPolicy()
        for element in try node.present("codes")?.elements("\(field).codes") ?? [] {
            let code = UInt16(try element.number("\(field).codes", in: 400...599))
            if !policy.codes.contains(code) { policy.codes.append(code) }
        }
        if let attempts = node.present("attempts") {
            policy.attempts = UInt32(try attempts.number("\(field).attempts", in: 0...100))
        }
        if let backoff = node.present("backoff") { policy.backoff = try backoff.duration("\(field).backoff") }
        return policy.attempts == 0 ? nil : policy
    }
}
