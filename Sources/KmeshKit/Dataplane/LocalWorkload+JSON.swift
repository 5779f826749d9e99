/// The form of a local workload in the state file and in the admin protocol.
extension LocalWorkload {
    public var json: JSONValue {
        [
            "uid": .string(id.text),
            "namespace": .string(pod.namespace),
            "name": .string(pod.name),
            "netns": .string(networkNamespacePath),
            "netnsInode": JSONValue(networkNamespace.inode),
            "netnsCookie": JSONValue(networkNamespace.cookie),
            "interface": .string(interface),
            "addresses": JSONValue(addresses.map(\.description)),
            "cgroup": JSONValue(cgroupPath),
        ]
    }

    public init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            id: ID(try reader.string("uid")),
            pod: PodName(namespace: try reader.string("namespace"), name: try reader.string("name")),
            networkNamespacePath: try reader.string("netns"),
            networkNamespace: NetworkNamespaceIdentity(
                inode: try reader.integer("netnsInode"), cookie: try reader.integer("netnsCookie")),
            interface: try reader.string("interface"),
            addresses: try reader.addresses("addresses"),
            cgroupPath: try reader.optionalString("cgroup"))
        guard !addresses.isEmpty else {
            throw JSONShapeError(path: "\(reader.path).addresses", problem: "wanted at least one address")
        }
    }
}
