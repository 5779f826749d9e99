/// A workload of this node whose traffic is steered: a pod and the network namespace it lives in.
public struct LocalWorkload: Hashable, Sendable, Identifiable {
    /// The pod's uid; `namespace/name` for a pod that was enrolled without one.
    public struct ID: Hashable, Sendable, Comparable, CustomStringConvertible {
        public let text: String

        public init(_ text: String) { self.text = text }

        public var description: String { text }

        public static func < (left: ID, right: ID) -> Bool { left.text < right.text }
    }

    public var id: ID
    public var pod: PodName
    public var networkNamespacePath: String
    public var networkNamespace: NetworkNamespaceIdentity
    /// The pod's interface inside its namespace.
    public var interface: String
    /// Never empty; the first one is the workload's identity for affinity and consistent hashing.
    public var addresses: [IPAddress]
    /// The pod's cgroup v2 directory, when known.
    public var cgroupPath: String?

    public init(
        id: ID, pod: PodName, networkNamespacePath: String, networkNamespace: NetworkNamespaceIdentity,
        interface: String, addresses: [IPAddress], cgroupPath: String? = nil
    ) {
        self.id = id
        self.pod = pod
        self.networkNamespacePath = networkNamespacePath
        self.networkNamespace = networkNamespace
        self.interface = interface
        self.addresses = addresses
        self.cgroupPath = cgroupPath
    }
}

/// A pod's namespace and name.
public struct PodName: Hashable, Sendable, Comparable {
    public let namespace: String
    public let name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// Its uid as a workload of the mesh.
    package var workloadUID: String { "Pod/\(namespace)/\(name)" }

    public static func < (left: PodName, right: PodName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

extension PodName: LosslessStringConvertible {
    /// Reads `namespace/name`; both in the characters of Kubernetes names.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(isKubernetesName) else { return nil }
        self.init(namespace: String(parts[0]), name: String(parts[1]))
    }

    public var description: String { "\(namespace)/\(name)" }
}

/// At most 253 lower-case letters, digits, dashes and dots (RFC 1123).
private func isKubernetesName(_ text: Substring) -> Bool {
    (1...253).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
}
