// PeerAuthentications.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    mutating func peerAuthentication(
        _ node: YAMLNode, _ name: ObjectName
    ) throws(DecodeError) -> Kubernetes.PeerAuthentication {
        let spec = try node.required("spec", "spec")
        var authentication = Kubernetes.PeerAuthentication(
            namespace: interner.share(name.namespace), name: name.name)
        authentication.creationTime = try node["metadata"]?.present("creationTimestamp")?
            .timestamp("metadata.creationTimestamp")
        authentication.selector = try workloadSelector(spec, &authentication.notices)
        authentication.mode = try mode(spec.present("mtls"), "spec.mtls")
        guard let ports = spec.present("portLevelMtls") else { return authentication }
        for entry in ports.mapping ?? [] {
            guard let port = UInt16(entry.key), port > 0, entry.key == String(port) else {
                throw DecodeError(
                    line: entry.line,
                    message: "spec.portLevelMtls must name ports from 1 to 65535, not \(entry.key.prefix(80))"
                )
            }
            authentication.portModes[port] = try mode(entry.node, "spec.portLevelMtls.\(entry.key)")
        }
        guard authentication.selector != nil || authentication.portModes.isEmpty else {
            throw DecodeError(
                line: ports.line,
                message: "spec.portLevelMtls needs a selector: ports are those of certain workloads")
        }
        return authentication
    }

    private func mode(
        _ node: YAMLNode?, _ field: String
    ) throws(DecodeError) -> Kubernetes.PeerAuthentication.Mode {
        try node?.present("mode")?.choice("\(field).mode", Kubernetes.PeerAuthentication.Mode.self) ?? .unset
    }
}
