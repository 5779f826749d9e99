/// A Service of the file: its ports, its families and what addresses it asks for.
internal import KmeshKit
internal import KmeshYAML

struct ServicePlan: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case clustered
        case headless
        case external(name: String)
    }

    enum TargetPort: Hashable, Sendable {
        case number(UInt16)
        case name(String)
    }

    struct Port: Hashable, Sendable {
        var name: String
        var number: UInt16
        var transport: TransportProtocol
        var target: TargetPort
        var appProtocol: String?
    }

    var object: KubernetesObject
    var kind: Kind
    /// Empty: endpoints come from EndpointSlices of the file.
    var selector: [String: String]
    var ports: [Port]
    /// In the order of the service's addresses.
    var families: [AddressFamily]
    /// What `clusterIP` names; the rest is chosen.
    var fixedAddresses: [IPAddress]

    var key: String { "\(object.namespace)/\(object.name)" }

    /// `available`: the sandbox's families, the first one preferred.
    init(_ object: KubernetesObject, available: [AddressFamily]) throws(SandboxError) {
        self.object = object
        let spec = object.spec ?? .mapping([:])
        selector = spec["selector"]?.texts ?? [:]
        let fixed = ([spec["clusterIP"]] + (spec["clusterIPs"]?.sequence ?? [])).compactMap { $0?.string }
            .filter { !$0.isEmpty }
        if spec["type"]?.string == "ExternalName" {
            kind = .external(name: spec["externalName"]?.string ?? "")
        } else {
            kind = fixed.contains("None") ? .headless : .clustered
        }
        ports = []
        for port in spec["ports"]?.sequence ?? [] {
            if let port = try Self.port(port, object) { ports.append(port) }
        }
        fixedAddresses = []
        for text in fixed where kind == .clustered {
            guard let address = IPAddress(text) else {
                throw object.wrong("clusterIP \"\(text)\" is no address", line: spec.line)
            }
            if !fixedAddresses.contains(address) { fixedAddresses.append(address) }
        }
        families = try Self.families(spec, object, available, fixedAddresses)
    }

    private static func port(_ node: YAMLNode, _ object: KubernetesObject) throws(SandboxError) -> Port? {
        guard let transport = transport(node["protocol"]) else { return nil }
        guard let number = node["port"]?.int.flatMap({ UInt16(exactly: $0) }), number > 0 else {
            throw object.wrong("port must be a number from 1 to 65535", line: node.line)
        }
        let target: TargetPort
        if let wanted = node["targetPort"], !wanted.isNull {
            if let number = wanted.int {
                guard let number = UInt16(exactly: number), number > 0 else {
                    throw object.wrong("targetPort must be from 1 to 65535", line: wanted.line)
                }
                target = .number(number)
            } else {
                target = .name(wanted.string ?? "")
            }
        } else {
            target = .number(number)
        }
        return Port(
            name: node["name"]?.string ?? "", number: number, transport: transport, target: target,
            appProtocol: node["appProtocol"]?.string)
    }

    private static func families(
        _ spec: YAMLNode, _ object: KubernetesObject, _ available: [AddressFamily], _ fixed: [IPAddress]
    ) throws(SandboxError) -> [AddressFamily] {
        var asked: [AddressFamily] = []
        for node in spec["ipFamilies"]?.sequence ?? [] {
            switch node.string {
            case "IPv4": asked.append(.v4)
            case "IPv6": asked.append(.v6)
            default: throw object.wrong("ipFamilies has IPv4 and IPv6 only", line: node.line)
            }
        }
        if asked.isEmpty { asked = fixed.map(\.family) }
        if let missing = asked.first(where: { !available.contains($0) }) {
            throw object.wrong(
                "asks for IPv\(missing.rawValue), which this sandbox does not have: see --ip-families")
        }
        let rest = available.filter { !asked.contains($0) }
        switch spec["ipFamilyPolicy"]?.string {
        case "PreferDualStack":
            return asked + rest
        case "RequireDualStack":
            guard available.count == 2 else {
                throw object.wrong("requires two IP families, but this sandbox has one: see --ip-families")
            }
            return asked + rest
        case nil where asked.count == 2:
            return asked
        case nil, "SingleStack":
            return Array((asked + rest).prefix(1))
        case let policy?:
            throw object.wrong("ipFamilyPolicy \(policy) is unknown")
        }
    }

    func selects(_ labels: [String: String]) -> Bool {
        !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value }
    }
}

extension ServicePlan.Port {
    /// The port of a pod that this leads to; `nil` when no container has a port of that name.
    func number(in template: PodTemplate) -> UInt16? {
        switch target {
        case .number(let number): number
        case .name(let name):
            template.containers.flatMap(\.ports).first { $0.name == name && $0.transport == transport }?
                .number
        }
    }
}
