/// One Kubernetes object of the sandbox's file, with the line it begins on.
internal import KmeshKit
internal import KmeshYAML

struct KubernetesObject: Hashable, Sendable {
    let kind: String
    /// Empty for objects that belong to no namespace.
    let namespace: String
    let name: String
    /// The whole object; its `metadata.namespace` is filled in.
    var node: YAMLNode

    /// `Service default/reviews`
    var title: String { namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)" }
    var line: Int { node.line }
    var spec: YAMLNode? { node["spec"] }

    func wrong(_ what: String, line: Int? = nil) -> SandboxError {
        SandboxError("line \(line ?? self.line): \(title): \(what)")
    }

    init(_ node: YAMLNode) throws(SandboxError) {
        guard node.mapping != nil else {
            throw SandboxError(
                "line \(node.line): expected a Kubernetes object, a mapping with kind and metadata")
        }
        guard let kind = node["kind"]?.string else {
            throw SandboxError("line \(node.line): the object has no kind")
        }
        guard let metadata = node["metadata"], let name = metadata["name"]?.string, !name.isEmpty else {
            throw SandboxError("line \(node.line): \(kind): metadata.name is missing")
        }
        // Names become parts of paths.
        let namespace = metadata["namespace"]?.string ?? "default"
        for part in [name, namespace] where !part.isKubernetesName {
            throw SandboxError(
                "line \(metadata.line): \(kind): \"\(part)\" is no name: use small letters, digits, - and .")
        }
        self.kind = kind
        self.name = name
        self.namespace = ["Node", "Namespace"].contains(kind) ? "" : namespace
        self.node = node
        if !self.namespace.isEmpty {
            var filled = metadata
            filled.set("namespace", .string(namespace))
            self.node.set("metadata", filled)
        }
    }

    /// The objects of a file, those of Lists included.
    static func read(file path: String) throws(SandboxError) -> [KubernetesObject] {
        try SandboxError.during("read \(path)") {
            let file = try FileDescriptor.open(path)
            return try read(YAMLReader(descriptor: file.number))
        }
    }

    static func read(_ text: String) throws -> [KubernetesObject] {
        try read(YAMLReader(text))
    }

    private static func read(_ reader: consuming YAMLReader) throws -> [KubernetesObject] {
        var objects: [KubernetesObject] = []
        var lines: [String: Int] = [:]
        while let node = try reader.next() {
            let object = try KubernetesObject(node)
            if let first = lines.updateValue(object.line, forKey: object.title) {
                throw object.wrong("is here twice; the first is on line \(first)")
            }
            objects.append(object)
        }
        return objects
    }
}

extension String {
    /// Letters that a DNS subdomain has, and no more than 253 of them.
    var isKubernetesName: Bool {
        guard (1...253).contains(utf8.count), let first = utf8.first, let last = utf8.last else {
            return false
        }
        func isAlphanumeric(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 || byte &- 0x30 < 10 }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
}

extension YAMLNode {
    /// A mapping of texts, such as labels.
    var texts: [String: String] {
        var texts: [String: String] = [:]
        for entry in mapping ?? [] { texts[entry.key] = entry.node.string ?? "" }
        return texts
    }
}
