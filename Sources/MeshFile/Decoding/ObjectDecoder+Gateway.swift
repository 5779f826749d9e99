// Gateways, and the grants for references between namespaces.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    mutating func gateway(_ node: YAMLNode, _ name: ObjectName) throws(DecodeError) -> Kubernetes.Gateway {
        let spec = try node.required("spec", "spec")
        var gateway = Kubernetes.Gateway(
            namespace: interner.share(name.namespace), name: name.name,
            className: interner.share(
                try spec.required("gatewayClassName", "spec.gatewayClassName").text("spec.gatewayClassName")),
            labels: try labels(node["metadata"]?["labels"], "metadata.labels"))
        for element in try spec.present("listeners")?.elements("spec.listeners") ?? [] {
            let listener = try listener(element)
            guard !gateway.listeners.contains(where: { $0.name == listener.name }) else {
                throw DecodeError(
                    line: element.line, message: "spec.listeners has two \"\(listener.name)\": rename one")
            }
            gateway.listeners.append(listener)
        }
        guard !gateway.listeners.isEmpty else {
            throw DecodeError(line: spec.line, message: "spec.listeners is missing: add it")
        }
        gateway.addresses = try addresses(spec, "spec.addresses")
        gateway.statusAddresses = try addresses(node["status"], "status.addresses")
        return gateway
    }

    private mutating func listener(_ node: YAMLNode) throws(DecodeError) -> Kubernetes.Gateway.Listener {
        let field = "spec.listeners[]"
        var listener = Kubernetes.Gateway.Listener(
            name: interner.share(try node.required("name", "\(field).name").text("\(field).name")),
            port: try node.required("port", "\(field).port").port("\(field).port"),
            protocolName: interner.share(
                try node.required("protocol", "\(field).protocol").text("\(field).protocol")))
        if let hostname = node.present("hostname"), hostname.string != "" {
            listener.hostname = interner.share(
                try hostname.hostName("\(field).hostname", allowsWildcard: true))
        }
        let allowed = node["allowedRoutes"]
        if let from = allowed?["namespaces"]?.present("from") {
            listener.routeNamespaces = try from.choice(
                "\(field).allowedRoutes.namespaces.from", Kubernetes.Gateway.Listener.RouteNamespaces.self)
        }
        let kinds = try allowed?.present("kinds")?.elements("\(field).allowedRoutes.kinds") ?? []
        listener.takesHTTPRoutes =
            kinds.isEmpty
            || kinds.contains { kind in
                kind["kind"]?.string == "HTTPRoute"
                    && kind.present("group")?.string ?? gatewayGroup == gatewayGroup
            }
        return listener
    }

    /// IP addresses; names are left out.
    private func addresses(_ parent: YAMLNode?, _ field: String) throws(DecodeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for element in try parent?.present("addresses")?.elements(field) ?? [] {
            guard element.present("type")?.string ?? "IPAddress" == "IPAddress",
                let value = element.present("value"), value.string != ""
            else { continue }
            let address = try value.virtualAddress("\(field)[].value")
            if !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    mutating func referenceGrant(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.ReferenceGrant {
        let spec = try node.required("spec", "spec")
        var sources: [Kubernetes.ReferenceGrant.Source] = []
        for element in try spec.required("from", "spec.from").elements("spec.from") {
            sources.append(
                Kubernetes.ReferenceGrant.Source(
                    group: try element.present("group")?.text("spec.from[].group") ?? "",
                    kind: try element.required("kind", "spec.from[].kind").text("spec.from[].kind"),
                    namespace: try element.required("namespace", "spec.from[].namespace")
                        .text("spec.from[].namespace")))
        }
        var targets: [Kubernetes.ReferenceGrant.Target] = []
        for element in try spec.required("to", "spec.to").elements("spec.to") {
            let target = try element.present("name")?.text("spec.to[].name")
            targets.append(
                Kubernetes.ReferenceGrant.Target(
                    group: try element.present("group")?.text("spec.to[].group") ?? "",
                    kind: try element.required("kind", "spec.to[].kind").text("spec.to[].kind"),
                    name: target == "" ? nil : target))
        }
        return Kubernetes.ReferenceGrant(
            namespace: interner.share(name.namespace), name: name.name, sources: sources, targets: targets)
    }
}

/// The API group of routes and gateways.
let gatewayGroup = "gateway.networking.k8s.io"

extension YAMLNode {
    func required(_ key: String, _ field: String) throws(DecodeError) -> YAMLNode {
        guard let node = present(key) else {
            throw DecodeError(line: line, message: "\(field) is missing: add it, or the text was cut")
        }
        return node
    }

    /// A DNS name, or `*.` and a DNS name, in lower case.
    func hostName(_ field: String, allowsWildcard: Bool = false) throws(DecodeError) -> String {
        let text = try text(field)
        let name = allowsWildcard && text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            !label.isEmpty && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"):
                        true
                    default: false
                    }
                }
        }
        guard isName, text.utf8.count <= 253, IPAddress(String(name)) == nil else {
            throw DecodeError(
                line: line,
                message:
                    "\(field) must be a host name in lower case\(allowsWildcard ? ", or *. and one" : "")"
                    + found)
        }
        return text
    }
}
