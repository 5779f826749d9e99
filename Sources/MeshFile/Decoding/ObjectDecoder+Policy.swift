// AuthorizationPolicies: what they are for, and the clauses of their rules. A value that Istio would skip is
// refused, as a rule without it would match more than its writer meant.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    mutating func authorizationPolicy(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.AuthorizationPolicy {
        let spec = try node.required("spec", "spec")
        var policy = Kubernetes.AuthorizationPolicy(
            namespace: interner.share(name.namespace), name: name.name,
            action: try action(spec.present("action")))
        policy.isDryRun = try isDryRun(node["metadata"])
        policy.selector = try workloadSelector(spec, &policy.notices)
        policy.targets = try targets(spec, in: policy.namespace)
        for (index, element) in (try spec.present("rules")?.elements("spec.rules") ?? []).enumerated() {
            var notices: [String] = []
            policy.rules.append(try rule(element, in: policy.namespace, &notices))
            policy.notices += notices.map { "rule \(index): \($0)" }
        }
        if policy.action == .deny, policy.rules.isEmpty {
            throw DecodeError(
                line: spec.line,
                message: "spec.rules is missing, and a DENY without rules denies nothing: add them, or {} "
                    + "as the only rule to deny everything")
        }
        return policy
    }

    private func action(_ node: YAMLNode?) throws(DecodeError) -> PolicyAction {
        guard let node else { return .allow }
        switch node.string {
        case "AUDIT":
            throw DecodeError(
                line: node.line,
                message: "spec.action AUDIT is not supported: use DENY with the annotation "
                    + "istio.io/dry-run: \"true\", which counts and logs what it would deny")
        case "CUSTOM":
            throw DecodeError(
                line: node.line, message: "spec.action CUSTOM is not supported: use ALLOW or DENY")
        default: return try node.choice("spec.action", PolicyAction.self)
        }
    }

    private func isDryRun(_ metadata: YAMLNode?) throws(DecodeError) -> Bool {
        let name = "istio.io/dry-run"
        guard let node = metadata?["annotations"]?.present(name) else { return false }
        switch node.string {
        case "true": return true
        case "false": return false
        default:
            throw DecodeError(
                line: node.line, message: "annotation \(name) must be \"true\" or \"false\"\(node.found)")
        }
    }

    /// `nil` also for a selector without labels, which picks every workload.
    mutating func workloadSelector(
        _ spec: YAMLNode, _ notices: inout [String]
    ) throws(DecodeError) -> Kubernetes.Labels? {
        let field = "spec.selector.matchLabels"
        guard let selector = spec.present("selector") else { return nil }
        let labels = try labels(selector["matchLabels"], field)
        for label in labels.pairs where label.key.isEmpty || (label.key + label.value).contains("*") {
            throw DecodeError(
                line: selector["matchLabels"]?.line ?? selector.line,
                message: "\(field) must be labels without *, not \(label.key): \(label.value)")
        }
        guard labels.pairs.isEmpty else { return labels }
        notices.append("has a selector without labels, which picks every workload: remove it, or add labels")
        return nil
    }

    // MARK: Targets

    private mutating func targets(
        _ spec: YAMLNode, in namespace: String
    ) throws(DecodeError) -> [Kubernetes.AuthorizationPolicy.Target] {
        let several = try spec.present("targetRefs")?.elements("spec.targetRefs") ?? []
        let single = spec.present("targetRef")
        let ways = [spec.present("selector"), single, several.first].compactMap(\.self)
        guard ways.count < 2 else {
            throw DecodeError(
                line: ways[1].line,
                message: "spec has more than one of selector, targetRef and targetRefs: keep one of them")
        }
        var targets: [Kubernetes.AuthorizationPolicy.Target] = []
        if let single { targets.append(try target(single, "spec.targetRef", in: namespace)) }
        for element in several {
            let target = try target(element, "spec.targetRefs[]", in: namespace)
            guard !targets.contains(target) else {
                throw DecodeError(
                    line: element.line, message: "spec.targetRefs names \(target) twice: remove one")
            }
            targets.append(target)
        }
        return targets
    }

    private mutating func target(
        _ node: YAMLNode, _ field: String, in namespace: String
    ) throws(DecodeError) -> Kubernetes.AuthorizationPolicy.Target {
        let kind = try node.required("kind", "\(field).kind").text("\(field).kind")
        let name = interner.share(try node.required("name", "\(field).name").text("\(field).name"))
        guard !name.isEmpty else {
            throw DecodeError(line: node.line, message: "\(field).name is empty: name the \(kind)")
        }
        if let other = node.present("namespace"), let text = other.string, !text.isEmpty, text != namespace {
            throw DecodeError(
                line: other.line,
                message: "\(field).namespace must be the policy's own, \(namespace)\(other.found)")
        }
        let group = try node["group"]?.emptyOrText("\(field).group") ?? ""
        switch (group, kind) {
        case ("", "Service"), ("core", "Service"):
            return .object(Kubernetes.ObjectKey(.service, namespace: namespace, name: name))
        case ("networking.istio.io", "ServiceEntry"):
            return .object(Kubernetes.ObjectKey(.serviceEntry, namespace: namespace, name: name))
        case (gatewayGroup, "Gateway"):
            return .object(Kubernetes.ObjectKey(.gateway, namespace: namespace, name: name))
        case (gatewayGroup, "GatewayClass"): return .gatewayClass(name)
        default:
            throw DecodeError(
                line: node.line,
                message:
                    "\(field) must be a Service (group \"\"), a ServiceEntry (networking.istio.io), or a "
                    + "Gateway or GatewayClass (\(gatewayGroup)), not a \(kind) of group \"\(group)\"")
        }
    }

    // MARK: Rules

    /// The order of the clauses is that of Istio's conversion.
    private func rule(
        _ node: YAMLNode, in namespace: String, _ notices: inout [String]
    ) throws(DecodeError) -> PolicyRule {
        var rule = PolicyRule()
        var operations: [PolicyMatch] = []
        for part in try parts(node, "to", "operation") { operations.append(try operation(part)) }
        if !operations.isEmpty { rule.clauses.append(operations) }
        var sources: [PolicyMatch] = []
        for part in try parts(node, "from", "source") { sources.append(try source(part, in: namespace)) }
        if !sources.isEmpty { rule.clauses.append(sources) }
        for element in try node.present("when")?.elements("spec.rules[].when") ?? [] {
            rule.clauses.append([try condition(element, in: namespace)])
        }
        let absent = rule.clauses.flatMap { $0.compactMap { $0.request?.absent } }
        for name in Set(absent.flatMap(\.any)).sorted() {
            notices.append("no request has \(name) here: what asks for it never matches")
        }
        for name in Set(absent.flatMap(\.none)).sorted() {
            notices.append("no request has \(name) here: what must not have it always matches")
        }
        return rule
    }

    /// The `part` of each element of a list. A list or a part with nothing in it would match everything.
    private func parts(_ rule: YAMLNode, _ list: String, _ part: String) throws(DecodeError) -> [YAMLNode] {
        let field = "spec.rules[].\(list)"
        guard let node = rule[list] else { return [] }
        let elements = try node.elements(field)
        guard !elements.isEmpty else {
            throw DecodeError(
                line: node.line, message: "\(field) must not be empty: remove it to match everything")
        }
        var parts: [YAMLNode] = []
        for element in elements {
            guard let node = element.present(part), node.mapping?.isEmpty == false else {
                throw DecodeError(
                    line: element.line,
                    message:
                        "\(field)[].\(part) must not be empty: say what it is, or remove \(list) to match "
                        + "everything")
            }
            parts.append(node)
        }
        return parts
    }
}
