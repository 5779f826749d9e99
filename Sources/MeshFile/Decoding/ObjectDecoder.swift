/// Decodes documents into the objects that the translation reads; tells other kinds by name.
public import KmeshKit
public import KmeshYAML

public struct ObjectDecoder {
    public enum Decoded: Hashable, Sendable {
        case object(Kubernetes.Object)
        case skipped(kind: String)
    }

    var interner = Interner()

    public init() {}

    public mutating func decode(_ node: YAMLNode) throws(DecodeError) -> Decoded {
        guard node.mapping != nil else {
            throw DecodeError(line: node.line, message: "a Kubernetes object must be a mapping")
        }
        guard let kindNode = node.present("kind"), let kind = kindNode.string else {
            throw DecodeError(line: node.line, message: "an object has no kind: add it")
        }
        guard let version = node.present("apiVersion")?.string else {
            throw DecodeError(line: node.line, message: "\(kind) has no apiVersion: add it")
        }
        if kind.hasSuffix("List"), node["items"] != nil {
            throw DecodeError(line: node.line, message: "a List inside a List is not read: take it apart")
        }
        guard let known = try APIKind.known(kind, version: version, line: kindNode.line) else {
            return .skipped(kind: APIKind.label(kind, version: version))
        }
        let name = try ObjectName(node, kind: known)
        do throws(DecodeError) {
            return try decode(node, known, name)
        } catch {
            throw DecodeError(line: error.line, message: "\(name.key): \(error.message)")
        }
    }

    private mutating func decode(
        _ node: YAMLNode, _ kind: Kubernetes.Kind, _ name: ObjectName
    ) throws(DecodeError) -> Decoded {
        try kind.schema.check(node, kind: kind.name)
        switch kind {
        case .service: return .object(.service(try service(node, name)))
        case .pod: return .object(.pod(try pod(node, name)))
        case .endpointSlice:
            guard let slice = try endpointSlice(node, name) else {
                return .skipped(kind: "EndpointSlice of addressType FQDN")
            }
            return .object(.endpointSlice(slice))
        case .node: return .object(.node(try self.node(node, name)))
        case .namespace: return .object(.namespace(try namespace(node, name)))
        case .serviceEntry: return .object(.serviceEntry(try serviceEntry(node, name)))
        case .workloadEntry: return .object(.workloadEntry(try workloadEntry(node, name)))
        case .gateway: return .object(.gateway(try gateway(node, name)))
        case .referenceGrant: return .object(.referenceGrant(try referenceGrant(node, name)))
        case .httpRoute: return .object(.httpRoute(try httpRoute(node, name)))
        case .authorizationPolicy:
            return .object(.authorizationPolicy(try authorizationPolicy(node, name)))
        case .peerAuthentication:
            return .object(.peerAuthentication(try peerAuthentication(node, name)))
        }
    }

    // MARK: Parts that several kinds have

    mutating func labels(_ node: YAMLNode?, _ field: String) throws(DecodeError) -> Kubernetes.Labels {
        guard let node, !node.isNull else { return [:] }
        guard let entries = node.mapping else {
            throw DecodeError(line: node.line, message: "\(field) must be a mapping of texts")
        }
        var pairs: [Kubernetes.Label] = []
        pairs.reserveCapacity(entries.count)
        for entry in entries {
            let value = entry.node.isNull ? "" : try entry.node.text("\(field).\(entry.key)")
            pairs.append(Kubernetes.Label(key: interner.share(entry.key), value: interner.share(value)))
        }
        return interner.share(Kubernetes.Labels(pairs))
    }

    /// `nil` for a protocol that is not steered.
    func transport(_ node: YAMLNode?, _ field: String) throws(DecodeError) -> TransportProtocol? {
        guard let node, !node.isNull else { return .tcp }
        switch node.string {
        case "TCP": return .tcp
        case "UDP": return .udp
        case "SCTP": return nil
        default: throw DecodeError(line: node.line, message: "\(field) must be TCP, UDP or SCTP\(node.found)")
        }
    }

    private mutating func namespace(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.Namespace {
        Kubernetes.Namespace(
            name: interner.share(name.name),
            labels: try labels(node["metadata"]?["labels"], "metadata.labels"))
    }

    mutating func node(_ node: YAMLNode, _ name: ObjectName) throws(DecodeError) -> Kubernetes.Node {
        let labels = try labels(node["metadata"]?["labels"], "metadata.labels")
        return Kubernetes.Node(
            name: interner.share(name.name), region: labels["topology.kubernetes.io/region"] ?? "",
            zone: labels["topology.kubernetes.io/zone"] ?? "", addresses: try nodeAddresses(node["status"]))
    }

    /// Of the addresses those that are none but names are left out.
    private func nodeAddresses(_ status: YAMLNode?) throws(DecodeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for element in try status?.present("addresses")?.elements("status.addresses") ?? [] {
            guard ["InternalIP", "ExternalIP"].contains(element["type"]?.string),
                let address = element.present("address")
            else { continue }
            addresses.append(try address.address("status.addresses[].address"))
        }
        return addresses
    }
}

/// Name and namespace of an object, checked.
struct ObjectName {
    let namespace: String
    let name: String
    let kind: Kubernetes.Kind

    var key: Kubernetes.ObjectKey {
        Kubernetes.ObjectKey(kind, namespace: kind.isNamespaced ? namespace : "", name: name)
    }

    init(_ node: YAMLNode, kind: Kubernetes.Kind) throws(DecodeError) {
        guard let metadata = node["metadata"], let name = metadata.present("name")?.string else {
            throw DecodeError(line: node.line, message: "a \(kind.name) has no metadata.name: add it")
        }
        self.kind = kind
        self.name = name
        namespace = metadata.present("namespace")?.string ?? "default"
        for part in [name, namespace] where !Self.isValid(part) {
            throw DecodeError(
                line: metadata.line,
                message: "\(kind.name) \(part.prefix(80)): a name has lower-case letters, digits, - and ., "
                    + "at most 253 of them")
        }
    }

    private static func isValid(_ name: String) -> Bool {
        (1...253).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
