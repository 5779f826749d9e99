/// Compiles HTTPRoutes into the model. Pure: what a route refers to is looked up through a view of the mesh.
struct RouteCompiler {
    /// What a route means by itself: where it belongs, its matches in the model's form, what to warn of.
    struct Resolution: Hashable, Sendable {
        var attachments: [Attachment] = []
        var candidates: [Candidate] = []
        var warnings: [String] = []
    }

    /// Whose requests a route takes, and for which hosts.
    struct Attachment: Hashable, Sendable {
        var configuration: RouteConfigurationKey
        var domains: [DomainPattern]
    }

    /// One match of one rule with what decides its place among all others of a host.
    struct Candidate: Hashable, Sendable {
        var route: Route
        var creationTime: Int64
        var owner: Owner
        /// Counted over the matches of all rules.
        var number: Int

        struct Owner: Hashable, Sendable {
            var namespace: String
            var name: String
        }
    }

    /// What of the mesh a route can refer to.
    struct View {
        /// Services by their objects.
        var service: (Kubernetes.ObjectKey) -> Service?
        var gateway: (Kubernetes.ObjectKey) -> Kubernetes.Gateway?
        /// The grants in a namespace.
        var grants: (String) -> [Kubernetes.ReferenceGrant]
    }

    let view: View

    func resolve(_ route: Kubernetes.HTTPRoute) -> Resolution {
        var resolution = Resolution()
        resolution.warnings = route.notices
        if route.parents.isEmpty {
            resolution.warnings.append("has no parentRefs and is not in force: name a Service or a Gateway")
        }
        for parent in route.parents { attach(route, to: parent, &resolution) }
        for (index, rule) in route.rules.enumerated() {
            let label = rule.name.isEmpty ? "\(index)" : rule.name
            var model = Route(
                name: "\(route.namespace)/\(route.name)/\(label)",
                action: action(of: rule, label, in: route, &resolution.warnings),
                requestHeaders: rule.filters.requestHeaders, responseHeaders: rule.filters.responseHeaders)
            for match in rule.matches {
                model.match = match
                resolution.candidates.append(
                    Candidate(
                        route: model, creationTime: route.creationTime ?? .max,
                        owner: Candidate.Owner(namespace: route.namespace, name: route.name),
                        number: resolution.candidates.count))
            }
        }
        return resolution
    }

    // MARK: Parents

    private func attach(
        _ route: Kubernetes.HTTPRoute, to parent: Kubernetes.HTTPRoute.Parent, _ resolution: inout Resolution
    ) {
        guard let key = parent.reference.object else {
            resolution.warnings.append(
                "is not in force for \(parent.reference): a parent is a Service or a Gateway")
            return
        }
        let found: [Attachment]
        let reason: String
        if key.kind == .service {
            (found, reason) = serviceAttachments(route, parent.reference, key)
        } else {
            (found, reason) = gatewayAttachments(route, parent, key)
        }
        if found.isEmpty { resolution.warnings.append("is not in force for \(parent.reference): \(reason)") }
        for attachment in found { resolution.add(attachment) }
    }

    private func serviceAttachments(
        _ route: Kubernetes.HTTPRoute, _ reference: Kubernetes.HTTPRoute.Reference,
        _ key: Kubernetes.ObjectKey
    ) -> ([Attachment], String) {
        guard reference.namespace == route.namespace else {
            return ([], "a route for a Service must be in the Service's own namespace")
        }
        guard let service = view.service(key) else { return ([], "there is no such Service") }
        let ports = service.ports.filter {
            $0.transport == .tcp && (reference.port == nil || $0.port == reference.port)
        }
        let attachments = ports.map { port in
            // Whoever dials the service means it, whatever name the request bears.
            Attachment(configuration: .service(service.key, port: port.port), domains: [.any])
        }
        return (attachments, "the Service has no such TCP port")
    }

    private func gatewayAttachments(
        _ route: Kubernetes.HTTPRoute, _ parent: Kubernetes.HTTPRoute.Parent, _ key: Kubernetes.ObjectKey
    ) -> ([Attachment], String) {
        guard let gateway = view.gateway(key) else { return ([], "there is no such Gateway") }
        var listeners = gateway.listeners.filter { listener in
            (parent.section == nil || parent.section == listener.name)
                && (parent.reference.port == nil || parent.reference.port == listener.port)
        }
        if listeners.isEmpty { return ([], "the Gateway has no such listener") }
        listeners = listeners.filter { $0.protocolName == "HTTP" && $0.takesHTTPRoutes }
        if listeners.isEmpty { return ([], "the listener takes no HTTPRoutes: its protocol must be HTTP") }
        listeners = listeners.filter {
            $0.routeNamespaces == .all || route.namespace == gateway.namespace
        }
        if listeners.isEmpty { return ([], "the listener takes no routes of other namespaces") }
        let attachments = listeners.compactMap { listener -> Attachment? in
            let domains = Self.domains(route.hostnames, listener: listener.hostname)
            if domains.isEmpty { return nil }
            return Attachment(
                configuration: .gateway(
                    namespace: gateway.namespace, name: gateway.name, listener: listener.name),
                domains: domains)
        }
        return (attachments, "no hostname of the route is one of the listener")
    }

    /// The hosts that both a route and a listener are for. No names are every host.
    static func domains(_ hostnames: [String], listener: String) -> [DomainPattern] {
        if hostnames.isEmpty { return [DomainPattern(hostname: listener)] }
        let listener = DomainPattern(hostname: listener)
        var domains: [DomainPattern] = []
        for hostname in hostnames {
            let own = DomainPattern(hostname: hostname)
            let both = own.isCovered(by: listener) ? own : listener.isCovered(by: own) ? listener : nil
            if let both, !domains.contains(both) { domains.append(both) }
        }
        return domains
    }

    // MARK: Rules

    private func action(
        of rule: Kubernetes.HTTPRoute.Rule, _ label: String, in route: Kubernetes.HTTPRoute,
        _ warnings: inout [String]
    ) -> RouteAction {
        if let redirect = rule.filters.redirect { return .redirect(redirect) }
        guard rule.backends.contains(where: { $0.weight > 0 }) else {
            warnings.append("rule \(label): has no backend with a weight: its requests get 500")
            return .respond(status: 500)
        }
        let backends = rule.backends.map { backend -> WeightedBackend in
            var target: BackendReference?
            switch find(backend.reference, for: route) {
            case .success(let found): target = found
            case .failure(let error):
                warnings.append(
                    "rule \(label): the backend \(backend.reference) \(error.reason): its share of the "
                        + "requests gets 500")
            }
            return WeightedBackend(
                backend: target, weight: backend.weight, requestHeaders: backend.filters.requestHeaders,
                responseHeaders: backend.filters.responseHeaders, rewrite: backend.filters.rewrite,
                redirect: backend.filters.redirect)
        }
        return .forward(
            ForwardAction(
                backends: backends, rewrite: rule.filters.rewrite, requestTimeout: rule.requestTimeout,
                backendTimeout: rule.backendTimeout, retry: rule.retry))
    }

    private struct InvalidReference: Error {
        var reason: String
    }

    private func find(
        _ reference: Kubernetes.HTTPRoute.Reference, for route: Kubernetes.HTTPRoute
    ) -> Result<BackendReference, InvalidReference> {
        guard let key = reference.object, key.kind == .service else {
            return .failure(InvalidReference(reason: "is no Service"))
        }
        if reference.namespace != route.namespace, !isGranted(reference, to: route) {
            return .failure(
                InvalidReference(reason: "is in another namespace, and no ReferenceGrant there allows it"))
        }
        guard let service = view.service(key) else {
            return .failure(InvalidReference(reason: "is not there"))
        }
        guard let port = reference.port,
            service.ports.contains(where: { $0.port == port && $0.transport == .tcp })
        else { return .failure(InvalidReference(reason: "is no TCP port of the Service")) }
        return .success(BackendReference(service: service.key, port: port))
    }

    private func isGranted(
        _ reference: Kubernetes.HTTPRoute.Reference, to route: Kubernetes.HTTPRoute
    ) -> Bool {
        let source = Kubernetes.ReferenceGrant.Source(
            group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: route.namespace)
        return view.grants(reference.namespace).contains { grant in
            grant.sources.contains(source)
                && grant.targets.contains { target in
                    target.group.isEmpty && target.kind == "Service"
                        && (target.name == nil || target.name == reference.name)
                }
        }
    }
}

extension RouteCompiler.Resolution {
    /// Parents that meet in one configuration are one attachment.
    fileprivate mutating func add(_ attachment: RouteCompiler.Attachment) {
        guard let index = attachments.firstIndex(where: { $0.configuration == attachment.configuration })
        else {
            attachments.append(attachment)
            return
        }
        for domain in attachment.domains where !attachments[index].domains.contains(domain) {
            attachments[index].domains.append(domain)
        }
    }
}
