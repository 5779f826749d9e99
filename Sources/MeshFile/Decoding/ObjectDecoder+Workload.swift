// Pods and slices of endpoints.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    private enum Phase: String, CaseIterable {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case unknown = "Unknown"
    }

    // MARK: Pod

    mutating func pod(_ node: YAMLNode, _ name: ObjectName) throws(DecodeError) -> Kubernetes.Pod {
        let status = node["status"]
        let spec = node["spec"]
        let phase = try status?.present("phase")?.choice("status.phase", Phase.self)
        let addresses = try podAddresses(status)
        let containers = try runningContainers(spec)
        var pod = Kubernetes.Pod(
            namespace: interner.share(name.namespace), name: name.name,
            labels: try labels(node["metadata"]?["labels"], "metadata.labels"), addresses: addresses,
            node: interner.share(try spec?.present("nodeName")?.text("spec.nodeName") ?? ""),
            ports: try namedPorts(containers), isReady: try isReady(status, phase) && !addresses.isEmpty,
            isTerminating: node["metadata"]?.present("deletionTimestamp") != nil,
            isFinished: phase == .succeeded || phase == .failed)
        pod.usesHostNetwork = try spec?.present("hostNetwork")?.flag("spec.hostNetwork") ?? false
        pod.serviceAccount = try serviceAccount(spec)
        pod.probePorts = try probePorts(containers)
        pod.workload = workload(node["metadata"], pod.labels)
        return pod
    }

    /// Names in logs and metrics alone come from it: what is not as the API server writes it is passed over.
    private mutating func workload(_ metadata: YAMLNode?, _ labels: Kubernetes.Labels) -> String {
        let owners = metadata?["ownerReferences"]?.sequence ?? []
        guard let owner = owners.first(where: { $0["controller"]?.bool == true }) ?? owners.first,
            let kind = owner["kind"]?.string, let name = owner["name"]?.string
        else { return "" }
        let template = labels["pod-template-hash"]
        return interner.share(WorkloadOwner(kind: kind, name: name).workload(templateHash: template))
    }

    private func podAddresses(_ status: YAMLNode?) throws(DecodeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for node in try status?.present("podIPs")?.elements("status.podIPs") ?? [] {
            guard let ip = node.present("ip") else {
                throw DecodeError(line: node.line, message: "status.podIPs[].ip is missing: add it")
            }
            let address = try ip.address("status.podIPs[].ip")
            if !addresses.contains(address) { addresses.append(address) }
        }
        if let node = status?.present("podIP"), let text = node.string, !text.isEmpty {
            // As the API server writes it: the first of podIPs again.
            if !addresses.isEmpty, text == status?["podIPs"]?[0]?["ip"]?.string { return addresses }
            let address = try node.address("status.podIP")
            if !addresses.contains(address) { addresses.insert(address, at: 0) }
        }
        return addresses
    }

    /// Pods that people write by hand carry no conditions: one that has an address counts as ready.
    private func isReady(_ status: YAMLNode?, _ phase: Phase?) throws(DecodeError) -> Bool {
        let conditions = try status?.present("conditions")?.elements("status.conditions") ?? []
        guard !conditions.isEmpty else { return phase == nil || phase == .running }
        let ready = conditions.first { $0["type"]?.string == "Ready" }
        return ready?["status"]?.string == "True"
    }

    private mutating func serviceAccount(_ spec: YAMLNode?) throws(DecodeError) -> String {
        // The API server writes both; older manifests have only the second.
        for key in ["serviceAccountName", "serviceAccount"] {
            let name = try spec?.present(key)?.text("spec.\(key)") ?? ""
            if !name.isEmpty { return interner.share(name) }
        }
        return "default"
    }

    /// A container with the field that it stands in.
    typealias RunningContainer = (field: String, node: YAMLNode)

    /// The containers, and those init containers that keep running beside them.
    private func runningContainers(_ spec: YAMLNode?) throws(DecodeError) -> [RunningContainer] {
        var running: [RunningContainer] = []
        for node in try spec?.present("containers")?.elements("spec.containers") ?? [] {
            running.append(("spec.containers[]", node))
        }
        for node in try spec?.present("initContainers")?.elements("spec.initContainers") ?? []
        where node["restartPolicy"]?.string == "Always" {
            running.append(("spec.initContainers[]", node))
        }
        return running
    }

    private mutating func namedPorts(
        _ containers: [RunningContainer]
    ) throws(DecodeError) -> [Kubernetes.NamedPort] {
        var ports: [Kubernetes.NamedPort] = []
        for (prefix, container) in containers {
            let field = "\(prefix).ports"
            for node in try container.present("ports")?.elements(field) ?? [] {
                guard let number = node.present("containerPort") else {
                    throw DecodeError(
                        line: node.line, message: "\(field)[].containerPort is missing: add it")
                }
                let port = try number.port("\(field)[].containerPort")
                let transport = try transport(node["protocol"], "\(field)[].protocol")
                guard let name = node.present("name"), let transport else { continue }
                ports.append(
                    Kubernetes.NamedPort(
                        name: interner.share(try name.text("\(field)[].name")), transport: transport,
                        number: port))
            }
        }
        return interner.share(ports)
    }

    // MARK: EndpointSlice

    private enum AddressType: String, CaseIterable {
        case v4 = "IPv4"
        case v6 = "IPv6"
        case name = "FQDN"
    }

    /// `nil` for a slice of names, which cannot be steered to.
    mutating func endpointSlice(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.EndpointSlice? {
        guard let type = node.present("addressType"), let list = node["endpoints"] else {
            throw DecodeError(
                line: node.line, message: "addressType or endpoints is missing: add it, or the text was cut")
        }
        let family: AddressFamily
        switch try type.choice("addressType", AddressType.self) {
        case .v4: family = .v4
        case .v6: family = .v6
        case .name: return nil
        }
        let namespace = interner.share(name.namespace)
        var endpoints: [Kubernetes.EndpointSlice.Endpoint] = []
        for element in try list.elements("endpoints") {
            endpoints.append(try endpoint(element, family, namespace: namespace))
        }
        let service = node["metadata"]?["labels"]?.present("kubernetes.io/service-name")?.string ?? ""
        return Kubernetes.EndpointSlice(
            namespace: namespace, name: name.name, service: service, ports: try slicePorts(node),
            endpoints: endpoints)
    }

    private mutating func slicePorts(_ node: YAMLNode) throws(DecodeError) -> [Kubernetes.NamedPort] {
        var ports: [Kubernetes.NamedPort] = []
        for port in try node.present("ports")?.elements("ports") ?? [] {
            let transport = try transport(port["protocol"], "ports[].protocol")
            // A port without a number means every port, which no service port asks for.
            guard let number = port.present("port"), let transport else { continue }
            ports.append(
                Kubernetes.NamedPort(
                    name: interner.share(try port.present("name")?.text("ports[].name") ?? ""),
                    transport: transport, number: try number.port("ports[].port")))
        }
        return interner.share(ports)
    }

    private mutating func endpoint(
        _ node: YAMLNode, _ family: AddressFamily, namespace: String
    ) throws(DecodeError) -> Kubernetes.EndpointSlice.Endpoint {
        var addresses: [IPAddress] = []
        for element in try node.present("addresses")?.elements("endpoints[].addresses") ?? [] {
            let address = try element.address("endpoints[].addresses")
            guard address.family == family else {
                throw DecodeError(
                    line: element.line,
                    message: "endpoints[].addresses must be of the addressType\(element.found)")
            }
            addresses.append(address)
        }
        guard !addresses.isEmpty else {
            throw DecodeError(line: node.line, message: "endpoints[].addresses is missing: add it")
        }
        var pod: Kubernetes.ObjectKey?
        if let target = node.present("targetRef"), target["kind"]?.string == "Pod",
            let name = target.present("name")?.string
        {
            pod = Kubernetes.ObjectKey(
                .pod, namespace: target.present("namespace")?.string ?? namespace, name: name)
        }
        return Kubernetes.EndpointSlice.Endpoint(
            addresses: addresses, health: try health(node.present("conditions")), pod: pod,
            node: interner.share(try node.present("nodeName")?.text("endpoints[].nodeName") ?? ""),
            zone: interner.share(try node.present("zone")?.text("endpoints[].zone") ?? ""))
    }

    /// Unknown readiness counts as ready, and unknown serving as what readiness says.
    private func health(_ conditions: YAMLNode?) throws(DecodeError) -> EndpointHealth? {
        let field = "endpoints[].conditions"
        let ready = try conditions?.present("ready")?.flag("\(field).ready") ?? true
        let serving = try conditions?.present("serving")?.flag("\(field).serving") ?? ready
        let terminating = try conditions?.present("terminating")?.flag("\(field).terminating") ?? false
        if ready { return .ready }
        return serving && terminating ? .terminating : nil
    }
}
