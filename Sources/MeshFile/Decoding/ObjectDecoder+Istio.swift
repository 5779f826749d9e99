// Istio's ServiceEntry and WorkloadEntry.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    mutating func serviceEntry(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.ServiceEntry {
        guard let spec = node.present("spec") else {
            throw DecodeError(line: node.line, message: "spec is missing: add it, or the text was cut")
        }
        var entry = Kubernetes.ServiceEntry(
            namespace: interner.share(name.namespace), name: name.name, hosts: try hosts(spec))
        for address in try spec.present("addresses")?.elements("spec.addresses") ?? [] {
            let single = try Self.single(address)
            if !entry.addresses.contains(single) { entry.addresses.append(single) }
        }
        entry.resolution =
            try spec.present("resolution")?.choice("spec.resolution", Kubernetes.ServiceEntry.Resolution.self)
            ?? .none
        entry.ports = try entryPorts(spec)
        entry.waypoint = Kubernetes.WaypointChoice(
            try labels(node["metadata"]?["labels"], "metadata.labels"))
        if let node = spec.present("workloadSelector") {
            let labels = try labels(node.present("labels"), "spec.workloadSelector.labels")
            guard !labels.pairs.isEmpty else {
                throw DecodeError(line: node.line, message: "spec.workloadSelector has no labels: add them")
            }
            entry.selector = labels
        }
        let endpoints = try spec.present("endpoints")?.elements("spec.endpoints") ?? []
        if entry.selector != nil, let first = endpoints.first {
            throw DecodeError(
                line: first.line, message: "spec has endpoints and a workloadSelector: remove one of them")
        }
        // The endpoints of other resolutions are names that nobody resolves here.
        if entry.resolution == .fixed {
            for node in endpoints { entry.endpoints.append(try inlineEndpoint(node)) }
        }
        for scope in try spec.present("exportTo")?.elements("spec.exportTo") ?? [] where scope.string != "*" {
            throw DecodeError(
                line: scope.line,
                message: "spec.exportTo\(scope.found), is not supported: use \"*\" or remove it")
        }
        return entry
    }

    private func hosts(_ spec: YAMLNode) throws(DecodeError) -> [String] {
        var hosts: [String] = []
        for node in try spec.present("hosts")?.elements("spec.hosts") ?? [] {
            let host = try node.text("spec.hosts")
            guard (1...253).contains(host.utf8.count) else {
                throw DecodeError(line: node.line, message: "spec.hosts must have 1 to 253 letters each")
            }
            hosts.append(host)
        }
        guard !hosts.isEmpty else {
            throw DecodeError(line: spec.line, message: "spec.hosts is missing: add it, or the text was cut")
        }
        return hosts
    }

    /// An address, also written as a CIDR of one address.
    private static func single(_ node: YAMLNode) throws(DecodeError) -> IPAddress {
        let field = "spec.addresses"
        let parts = try node.text(field).split(separator: "/", omittingEmptySubsequences: false)
        let plain = YAMLNode(
            line: node.line, value: .scalar(parts.first.map(String.init) ?? "", isPlain: true))
        guard parts.count <= 2, let address = try? plain.virtualAddress(field) else {
            throw DecodeError(line: node.line, message: "\(field) must be IP addresses or CIDRs\(node.found)")
        }
        guard parts.count == 2 else { return address }
        let width = address.isV4 ? 32 : 128
        let text = String(parts[1])
        guard let length = Int(text), (0...width).contains(length), text == String(length) else {
            throw DecodeError(line: node.line, message: "\(field): an invalid CIDR\(node.found)")
        }
        guard length == width else {
            throw DecodeError(
                line: node.line,
                message:
                    "\(field): a CIDR of many addresses is not supported\(node.found): list single addresses")
        }
        return address
    }

    private static let transports: [String: TransportProtocol] = [
        "HTTP": .tcp, "HTTPS": .tcp, "GRPC": .tcp, "HTTP2": .tcp, "MONGO": .tcp, "TCP": .tcp, "TLS": .tcp,
        "UDP": .udp,
    ]

    private mutating func entryPorts(_ spec: YAMLNode) throws(DecodeError) -> [Kubernetes.Port] {
        var ports: [Kubernetes.Port] = []
        var names: Set<String> = []
        for node in try spec.present("ports")?.elements("spec.ports") ?? [] {
            guard let number = node.present("number") else {
                throw DecodeError(line: node.line, message: "spec.ports[].number is missing: add it")
            }
            let name = interner.share(try node.present("name")?.text("spec.ports[].name") ?? "")
            guard name.isEmpty || names.insert(name).inserted else {
                throw DecodeError(
                    line: node.line, message: "spec.ports has two ports \"\(name)\": rename one")
            }
            let declared = try node.present("protocol")?.text("spec.ports[].protocol")
            guard let transport = Self.transports[declared?.uppercased() ?? "TCP"] else {
                let all = Self.transports.keys.sorted().joined(separator: ", ")
                throw DecodeError(
                    line: node.line, message: "spec.ports[].protocol must be one of \(all)")
            }
            let target = try node.present("targetPort")?.port("spec.ports[].targetPort")
            ports.append(
                Kubernetes.Port(
                    port: try number.port("spec.ports[].number"), transport: transport, name: name,
                    target: target.map { .number($0) },
                    applicationProtocol: ApplicationProtocol(
                        declared: declared, portName: name, transport: transport)))
        }
        return ports
    }

    private mutating func inlineEndpoint(
        _ node: YAMLNode
    ) throws(DecodeError) -> Kubernetes.ServiceEntry.Endpoint {
        let field = "spec.endpoints[]"
        var endpoint = Kubernetes.ServiceEntry.Endpoint(
            address: try address(node, field), ports: try portMap(node, field),
            locality: try locality(node, field), weight: try weight(node, field))
        endpoint.serviceAccount = try serviceAccount(node, field)
        return endpoint
    }

    mutating func workloadEntry(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.WorkloadEntry {
        guard let spec = node.present("spec") else {
            throw DecodeError(line: node.line, message: "spec is missing: add it, or the text was cut")
        }
        // Selectors see the object's labels and those of its spec, of which the latter win.
        let outer = try labels(node["metadata"]?["labels"], "metadata.labels")
        let inner = try labels(spec["labels"], "spec.labels")
        let merged = outer.pairs.filter { inner[$0.key] == nil } + inner.pairs
        var entry = Kubernetes.WorkloadEntry(
            namespace: interner.share(name.namespace), name: name.name,
            labels: interner.share(Kubernetes.Labels(merged)), address: try address(spec, "spec"),
            ports: try portMap(spec, "spec"), locality: try locality(spec, "spec"),
            weight: try weight(spec, "spec"))
        entry.serviceAccount = try serviceAccount(spec, "spec")
        return entry
    }

    // MARK: Parts of an endpoint

    private func address(_ node: YAMLNode, _ field: String) throws(DecodeError) -> IPAddress {
        guard let address = node.present("address") else {
            throw DecodeError(line: node.line, message: "\(field).address is missing: add it")
        }
        return try address.address("\(field).address")
    }

    private mutating func portMap(
        _ node: YAMLNode, _ field: String
    ) throws(DecodeError) -> [Kubernetes.NamedPort] {
        guard let map = node.present("ports") else { return [] }
        guard let entries = map.mapping else {
            throw DecodeError(line: map.line, message: "\(field).ports must be a mapping of names to numbers")
        }
        var ports: [Kubernetes.NamedPort] = []
        for entry in entries {
            ports.append(
                Kubernetes.NamedPort(
                    name: interner.share(entry.key),
                    number: try entry.node.port("\(field).ports.\(entry.key)")))
        }
        return interner.share(ports)
    }

    /// `region/zone/subzone`.
    private mutating func locality(_ node: YAMLNode, _ field: String) throws(DecodeError) -> Locality {
        guard let text = try node.present("locality")?.text("\(field).locality") else { return Locality() }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return Locality(
            region: interner.share(parts.first.map(String.init) ?? ""),
            zone: interner.share(parts.count > 1 ? String(parts[1]) : ""))
    }

    private mutating func serviceAccount(_ node: YAMLNode, _ field: String) throws(DecodeError) -> String {
        interner.share(try node["serviceAccount"]?.emptyOrText("\(field).serviceAccount") ?? "")
    }

    /// Zero is what an unset weight looks like.
    private func weight(_ node: YAMLNode, _ field: String) throws(DecodeError) -> UInt32 {
        guard let weight = node.present("weight") else { return 1 }
        return max(1, UInt32(try weight.number("\(field).weight", in: 0...Int(UInt32.max))))
    }
}
