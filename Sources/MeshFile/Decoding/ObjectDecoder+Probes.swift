// The ports of a pod that kubelet probes.
internal import KmeshKit
internal import KmeshYAML

extension ObjectDecoder {
    /// Sorted, each once.
    mutating func probePorts(_ containers: [RunningContainer]) throws(DecodeError) -> [UInt16] {
        var ports: Set<UInt16> = []
        for (prefix, container) in containers {
            for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
                guard let probe = container.present(kind) else { continue }
                if let port = try port(of: probe, in: container, "\(prefix).\(kind)") { ports.insert(port) }
            }
        }
        return ports.isEmpty ? [] : interner.share(ports.sorted())
    }

    /// `nil` for a probe that no connection to the pod is made for.
    private func port(
        of probe: YAMLNode, in container: YAMLNode, _ field: String
    ) throws(DecodeError) -> UInt16? {
        if let grpc = probe.present("grpc") {
            return try grpc.required("port", "\(field).grpc.port").port("\(field).grpc.port")
        }
        for kind in ["httpGet", "tcpSocket"] {
            guard let action = probe.present(kind) else { continue }
            let field = "\(field).\(kind).port"
            let node = try action.required("port", field)
            // With a host of its own it goes elsewhere.
            if let host = action.present("host")?.string, !host.isEmpty { return nil }
            if node.int != nil { return try node.port(field) }
            let name = try node.text(field)
            for port in container["ports"]?.sequence ?? [] where port["name"]?.string == name {
                return try port["containerPort"]?.port(field)
            }
            // Kubelet takes a text for a number when no port has that name, and else sends no probe.
            return UInt16(name)
        }
        return nil
    }
}
