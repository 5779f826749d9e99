/// The state as a file.
internal import KmeshKit
internal import KmeshYAML

extension SandboxState {
    var yaml: String {
        YAMLWriter.yaml(
            .mapping([
                "settings": settings.node,
                "isUp": .bool(isUp),
                "nextNumber": .int(nextNumber),
                "serial": .int(serial),
                "services": .sequence(
                    services.sorted { $0.key < $1.key }.map { key, addresses in
                        .mapping(["key": .string(key), "addresses": texts(addresses)])
                    }),
                "pods": .sequence(pods.map(\.entry)),
            ]))
    }

    init(yaml: String) throws(SandboxError) {
        let node = try SandboxError.during("read the state") {
            var reader = YAMLReader(yaml)
            return try reader.next() ?? .null
        }
        guard let settings = node["settings"].flatMap(SandboxSettings.init), let serial = node["serial"]?.int,
            let nextNumber = node["nextNumber"]?.int, let pods = node["pods"]?.sequence,
            let services = node["services"]?.sequence
        else { throw SandboxError("the state is damaged") }
        self.init(settings: settings)
        isUp = node["isUp"]?.bool ?? false
        self.serial = serial
        self.nextNumber = nextNumber
        for pod in pods {
            guard let record = PodRecord(pod) else { throw SandboxError("the state is damaged: a pod") }
            self.pods.append(record)
        }
        for service in services {
            guard let key = service["key"]?.string else {
                throw SandboxError("the state is damaged: a service")
            }
            self.services[key] = parsedAddresses(service["addresses"])
        }
    }
}

extension SandboxState.PodRecord {
    fileprivate var entry: YAMLNode {
        .mapping([
            "namespace": .string(namespace), "name": .string(name), "set": .string(set),
            "ordinal": .int(ordinal),
            "node": .string(node), "addresses": texts(addresses), "uid": .string(uid),
            "isServing": .bool(isServing), "isEnrolled": .bool(isEnrolled),
        ])
    }

    fileprivate init?(_ node: YAMLNode) {
        guard let namespace = node["namespace"]?.string, let name = node["name"]?.string,
            let set = node["set"]?.string, let ordinal = node["ordinal"]?.int,
            let place = node["node"]?.string,
            let uid = node["uid"]?.string
        else { return nil }
        self.init(
            namespace: namespace, name: name, set: set, ordinal: ordinal, node: place,
            addresses: parsedAddresses(node["addresses"]), uid: uid,
            isServing: node["isServing"]?.bool ?? false,
            isEnrolled: node["isEnrolled"]?.bool ?? false)
    }
}

extension SandboxSettings {
    fileprivate var node: YAMLNode {
        .mapping([
            "families": .sequence(families.map { .int(Int($0.rawValue)) }), "nodeName": .string(nodeName),
            "daemonPath": daemonPath.map { .string($0) } ?? .null,
            "daemonArguments": .sequence(daemonArguments.map { .string($0) }),
        ])
    }

    fileprivate init?(_ node: YAMLNode) {
        guard let families = node["families"]?.sequence, let nodeName = node["nodeName"]?.string else {
            return nil
        }
        self.init(
            families: families.compactMap {
                $0.int.flatMap { UInt8(exactly: $0) }.flatMap(AddressFamily.init)
            },
            nodeName: nodeName, daemonPath: node["daemonPath"]?.string,
            daemonArguments: (node["daemonArguments"]?.sequence ?? []).compactMap(\.string))
    }
}

private func texts(_ addresses: [IPAddress]) -> YAMLNode {
    .sequence(addresses.map { .string($0.description) })
}

private func parsedAddresses(_ node: YAMLNode?) -> [IPAddress] {
    (node?.sequence ?? []).compactMap { $0.string.flatMap { IPAddress($0) } }
}
