// Services as `kubectl get` prints them or as people write them.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    private enum ServiceType: String, CaseIterable {
        case clusterIP = "ClusterIP"
        case nodePort = "NodePort"
        case loadBalancer = "LoadBalancer"
        case externalName = "ExternalName"
    }

    private enum Affinity: String, CaseIterable {
        case none = "None"
        case clientIP = "ClientIP"
    }

    private enum TrafficPolicy: String, CaseIterable {
        case cluster = "Cluster"
        case local = "Local"
    }

    mutating func service(_ node: YAMLNode, _ name: ObjectName) throws(DecodeError) -> Kubernetes.Service {
        guard let spec = node.present("spec") else {
            throw DecodeError(line: node.line, message: "spec is missing: add it, or the text was cut")
        }
        let type = try spec.present("type")?.choice("spec.type", ServiceType.self) ?? .clusterIP
        let clusterAddresses = try clusterAddresses(spec)
        var service = Kubernetes.Service(namespace: interner.share(name.namespace), name: name.name)
        service.form =
            type == .externalName ? .externalName : clusterAddresses == nil ? .headless : .clusterIP
        service.ports = try servicePorts(spec)
        if service.form == .clusterIP {
            if service.ports.isEmpty {
                throw DecodeError(
                    line: spec.line, message: "spec.ports is missing: add it, or the text was cut")
            }
            service.hidesLoadBalancer = spec.present("loadBalancerSourceRanges")?.sequence?.isEmpty == false
            let outer =
                try externalAddresses(spec)
                + (service.hidesLoadBalancer ? [] : loadBalancerAddresses(node["status"]))
            service.addresses = unique((clusterAddresses ?? []) + outer)
            service.outerAddresses = Set(outer).subtracting(clusterAddresses ?? [])
        }
        if let selector = spec.present("selector") {
            let labels = try labels(selector, "spec.selector")
            service.selector = labels.pairs.isEmpty ? nil : labels
        }
        service.publishesNotReady =
            try spec.present("publishNotReadyAddresses")?.flag("spec.publishNotReadyAddresses") ?? false
        let internalPolicy = spec.present("internalTrafficPolicy")
        service.isNodeLocal =
            try internalPolicy?.choice("spec.internalTrafficPolicy", TrafficPolicy.self) == .local
        service.distribution = try spec.present("trafficDistribution")?
            .choice("spec.trafficDistribution", Kubernetes.TrafficDistribution.self)
        service.affinityTimeout = try affinityTimeout(spec)
        service.waypoint = Kubernetes.WaypointChoice(
            try labels(node["metadata"]?["labels"], "metadata.labels"))
        try annotations(of: node["metadata"], into: &service)
        return service
    }

    /// `nil` for a headless service.
    private func clusterAddresses(_ spec: YAMLNode) throws(DecodeError) -> [IPAddress]? {
        let single = spec.present("clusterIP").flatMap { $0.string == "" ? nil : $0 }
        let several = try spec.present("clusterIPs")?.elements("spec.clusterIPs") ?? []
        if single?.string == "None" || several.first?.string == "None" { return nil }
        guard !several.isEmpty else {
            guard let single else { return [] }
            return [try single.virtualAddress("spec.clusterIP")]
        }
        var addresses: [IPAddress] = []
        for node in several { addresses.append(try node.virtualAddress("spec.clusterIPs")) }
        if let single, try single.virtualAddress("spec.clusterIP") != addresses.first {
            throw DecodeError(
                line: single.line,
                message: "spec.clusterIP must be the first of spec.clusterIPs\(single.found)")
        }
        return addresses
    }

    private func externalAddresses(_ spec: YAMLNode) throws(DecodeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for node in try spec.present("externalIPs")?.elements("spec.externalIPs") ?? [] {
            addresses.append(try node.virtualAddress("spec.externalIPs"))
        }
        return addresses
    }

    /// Without those in mode `Proxy`, whose traffic has to go through the load balancer.
    private func loadBalancerAddresses(_ status: YAMLNode?) throws(DecodeError) -> [IPAddress] {
        let field = "status.loadBalancer.ingress"
        var addresses: [IPAddress] = []
        for ingress in try status?["loadBalancer"]?.present("ingress")?.elements(field) ?? [] {
            guard ingress.present("ipMode")?.string != "Proxy", let node = ingress.present("ip") else {
                continue
            }
            addresses.append(try node.virtualAddress("\(field)[].ip"))
        }
        return addresses
    }

    private func unique(_ addresses: [IPAddress]) -> [IPAddress] {
        guard addresses.count > 1 else { return addresses }
        var seen: Set<IPAddress> = []
        return addresses.filter { seen.insert($0).inserted }
    }

    private mutating func servicePorts(_ spec: YAMLNode) throws(DecodeError) -> [Kubernetes.Port] {
        var ports: [Kubernetes.Port] = []
        var names: Set<String> = []
        for node in try spec.present("ports")?.elements("spec.ports") ?? [] {
            guard let number = node.present("port") else {
                throw DecodeError(line: node.line, message: "spec.ports[].port is missing: add it")
            }
            let name = interner.share(try node.present("name")?.text("spec.ports[].name") ?? "")
            guard name.isEmpty || names.insert(name).inserted else {
                throw DecodeError(
                    line: node.line, message: "spec.ports has two ports \"\(name)\": rename one")
            }
            let transport = try transport(node["protocol"], "spec.ports[].protocol")
            let declared = try node.present("appProtocol")?.text("spec.ports[].appProtocol")
            ports.append(
                Kubernetes.Port(
                    port: try number.port("spec.ports[].port"), transport: transport, name: name,
                    target: try targetPort(node.present("targetPort")),
                    applicationProtocol: ApplicationProtocol(
                        declared: declared, portName: name, transport: transport)))
        }
        return ports
    }

    private mutating func targetPort(_ node: YAMLNode?) throws(DecodeError) -> Kubernetes.TargetPort? {
        let field = "spec.ports[].targetPort"
        guard let node else { return nil }
        if node.int != nil {
            // Zero is what an unset number looks like.
            return node.int == 0 ? nil : .number(try node.port(field))
        }
        let name = try node.text(field)
        guard !name.isEmpty else { return nil }
        if Int(name) != nil {
            throw DecodeError(
                line: node.line, message: "\(field) is a text\(node.found): write it without quotes")
        }
        return .name(interner.share(name))
    }

    private func affinityTimeout(_ spec: YAMLNode) throws(DecodeError) -> UInt32? {
        let affinity = try spec.present("sessionAffinity")?.choice("spec.sessionAffinity", Affinity.self)
        guard affinity == .clientIP else { return nil }
        let seconds = spec["sessionAffinityConfig"]?["clientIP"]?.present("timeoutSeconds")
        let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        return UInt32(try seconds?.number(field, in: 1...86400) ?? 10800)
    }

    private static let prefix = "kmesh.net/"
    private static let known = [
        "kmesh.net/http-idle-timeout", "kmesh.net/http-read-timeout", "kmesh.net/l7",
        "kmesh.net/load-balancing", "kmesh.net/locality", "kmesh.net/max-connections",
        "kmesh.net/upstream-load-balancing",
    ]

    /// Who routes the requests of a service that has a waypoint.
    private enum RequestRouter: String, CaseIterable {
        case kernel, waypoint
    }

    private func annotations(
        of metadata: YAMLNode?, into service: inout Kubernetes.Service
    ) throws(DecodeError) {
        for entry in metadata?.present("annotations")?.mapping ?? [] where entry.key.hasPrefix(Self.prefix) {
            let field = "annotation \(entry.key)"
            switch entry.key {
            case "kmesh.net/load-balancing":
                service.policy = try entry.node.choice(field, LoadBalancingPolicy.self)
            case "kmesh.net/upstream-load-balancing":
                service.upstreamPolicy = try entry.node.choice(field, UpstreamPolicy.self)
            case "kmesh.net/locality":
                service.localityMode = try entry.node.choice(field, LocalityPreference.Mode.self)
            case "kmesh.net/max-connections":
                service.maxConnections = try count(entry.node, field)
            case "kmesh.net/l7":
                service.prefersKernelRouting = try entry.node.choice(field, RequestRouter.self) == .kernel
            case "kmesh.net/http-read-timeout": service.httpReadTimeout = try timer(entry.node, field)
            case "kmesh.net/http-idle-timeout": service.httpIdleTimeout = try timer(entry.node, field)
            default:
                let guess = Suggestion.nearest(to: entry.key, among: Self.known)
                let remedy = guess.map { "did you mean \($0)?" } ?? "remove it"
                throw DecodeError(line: entry.line, message: "\(field) means nothing on a Service; \(remedy)")
            }
        }
    }
}

extension ObjectDecoder {
    /// Values of annotations are texts, so a number of theirs has quotes.
    private func count(_ node: YAMLNode, _ field: String) throws(DecodeError) -> UInt32 {
        let text = try node.text(field)
        guard let number = UInt32(text), number > 0, text == String(number) else {
            throw DecodeError(
                line: node.line, message: "\(field) must be a number from 1 to \(UInt32.max)\(node.found)")
        }
        return number
    }

    /// Milliseconds, from 1 ms to a minute: a connection must not wait forever in the kernel.
    private func timer(_ node: YAMLNode, _ field: String) throws(DecodeError) -> UInt32 {
        let milliseconds = try node.duration(field)
        guard (1...60_000).contains(milliseconds) else {
            throw DecodeError(line: node.line, message: "\(field) must be from 1ms to 60s\(node.found)")
        }
        return milliseconds
    }
}

extension ApplicationProtocol {
    /// What `appProtocol` declares, else what the port's name begins with. HTTP/2 is passed through as TCP.
    init(declared: String?, portName: String, transport: TransportProtocol?) {
        guard transport == .tcp else {
            self = .detect
            return
        }
        if let declared, let known = Self.known[declared.lowercased()] {
            self = known
            return
        }
        let name = portName.lowercased()
        let prefix = name.hasPrefix("grpc-web") ? "grpc-web" : name.prefix { $0 != "-" }
        self = Self.known[String(prefix)] ?? .detect
    }

    private static let known: [String: ApplicationProtocol] = [
        "http": .http, "grpc-web": .http, "kubernetes.io/ws": .http,
        "tcp": .tcp, "https": .tcp, "tls": .tcp, "mongo": .tcp, "mysql": .tcp, "redis": .tcp, "grpc": .tcp,
        "http2": .tcp, "kubernetes.io/h2c": .tcp, "kubernetes.io/wss": .tcp,
    ]
}
