/// What a Deployment, a DaemonSet or a Pod says about its pods.
internal import KmeshKit
internal import KmeshYAML

struct PodTemplate: Hashable, Sendable {
    var labels: [String: String]
    var annotations: [String: String]
    /// As it was written.
    var spec: YAMLNode
    var containers: [Container]
    var nodeName: String?
    var nodeSelector: [String: String]
    var usesHostNetwork: Bool

    struct Container: Hashable, Sendable {
        var name: String
        /// Empty: the image's own program, which is not here.
        var command: [String]
        var arguments: [String]
        var directory: String?
        var environment: [Variable]
        var ports: [Port]
    }

    struct Variable: Hashable, Sendable {
        enum Value: Hashable, Sendable {
            case text(String)
            /// A field of the pod: `metadata.name`.
            case field(String)
        }

        var name: String
        var value: Value
    }

    struct Port: Hashable, Sendable {
        var name: String
        var number: UInt16
        var transport: TransportProtocol
    }

    /// From `spec.template` of a Deployment, or from a Pod.
    init(_ template: YAMLNode, of object: KubernetesObject) throws(SandboxError) {
        guard let spec = template["spec"], spec.mapping != nil else {
            throw object.wrong("its pods have no spec")
        }
        labels = template["metadata"]?["labels"]?.texts ?? [:]
        annotations = template["metadata"]?["annotations"]?.texts ?? [:]
        self.spec = spec
        nodeName = spec["nodeName"]?.string
        nodeSelector = spec["nodeSelector"]?.texts ?? [:]
        usesHostNetwork = spec["hostNetwork"]?.bool ?? false
        guard let list = spec["containers"]?.sequence, !list.isEmpty else {
            throw object.wrong("spec.containers is missing", line: spec.line)
        }
        containers = []
        for node in list { containers.append(try Self.container(node, object)) }
    }

    private static func container(
        _ node: YAMLNode, _ object: KubernetesObject
    ) throws(SandboxError) -> Container {
        guard let name = node["name"]?.string, name.isKubernetesName else {
            throw object.wrong("a container has no proper name", line: node.line)
        }
        var ports: [Port] = []
        for port in node["ports"]?.sequence ?? [] {
            guard let number = port["containerPort"]?.int, let number = UInt16(exactly: number), number > 0
            else {
                throw object.wrong("containerPort must be a number from 1 to 65535", line: port.line)
            }
            guard let transport = transport(port["protocol"]) else { continue }
            ports.append(Port(name: port["name"]?.string ?? "", number: number, transport: transport))
        }
        return Container(
            name: name, command: (node["command"]?.sequence ?? []).compactMap(\.string),
            arguments: (node["args"]?.sequence ?? []).compactMap(\.string),
            directory: node["workingDir"]?.string,
            environment: (node["env"]?.sequence ?? []).compactMap(variable), ports: ports)
    }

    /// Values from secrets and config maps are left out: those are not here.
    private static func variable(_ node: YAMLNode) -> Variable? {
        guard let name = node["name"]?.string else { return nil }
        if let path = node["valueFrom"]?["fieldRef"]?["fieldPath"]?.string {
            return Variable(name: name, value: .field(path))
        }
        return node["valueFrom"] == nil
            ? Variable(name: name, value: .text(node["value"]?.string ?? "")) : nil
    }
}

/// TCP unless said otherwise; `nil` for one that the mesh does not steer (SCTP).
func transport(_ node: YAMLNode?) -> TransportProtocol? {
    guard let name = node?.string else { return .tcp }
    return TransportProtocol.allCases.first { $0.name == name }
}
