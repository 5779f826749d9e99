/// EndpointSlices of services with a selector, as a cluster's controller writes them.
internal import KmeshKit
internal import KmeshYAML

extension ResolvedMesh {
    /// As many endpoints as Kubernetes puts into a slice.
    private static let endpointLimit = 100

    /// The pods that a service selects, those that do not serve yet included.
    func members(of service: ServicePlan) -> [Pod] {
        pods.filter { pod in
            pod.record.namespace == service.object.namespace && service.selects(pod.template.labels)
        }
    }

    func endpointSlices(_ service: ServicePlan) -> [YAMLNode] {
        if case .external = service.kind { return [] }
        guard !service.selector.isEmpty else { return [] }
        let members = members(of: service).filter(\.record.isServing)
        return service.families.flatMap { family in slices(service, family, members) }
    }

    private func slices(_ service: ServicePlan, _ family: AddressFamily, _ members: [Pod]) -> [YAMLNode] {
        // Pods may have different numbers for a port's name; a slice has one for all of its endpoints.
        var groups: [(ports: [ResolvedPort], pods: [Pod])] = []
        for pod in members {
            let ports = service.ports.compactMap { port in
                port.number(in: pod.template).map { ResolvedPort(port: port, number: $0) }
            }
            if let index = groups.firstIndex(where: { $0.ports == ports }) {
                groups[index].pods.append(pod)
            } else {
                groups.append((ports, [pod]))
            }
        }
        if groups.isEmpty { groups = [([], [])] }
        var slices: [YAMLNode] = []
        for group in groups {
            for start in stride(from: 0, to: max(1, group.pods.count), by: Self.endpointLimit) {
                let pods = Array(group.pods.dropFirst(start).prefix(Self.endpointLimit))
                slices.append(slice(service, family, slices.count, group.ports, pods))
            }
        }
        return slices
    }

    private func slice(
        _ service: ServicePlan, _ family: AddressFamily, _ number: Int, _ ports: [ResolvedPort], _ pods: [Pod]
    ) -> YAMLNode {
        .mapping([
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": .mapping([
                "name": .string("\(service.object.name)-ipv\(family.rawValue)-\(number)"),
                "namespace": .string(service.object.namespace),
                "labels": .mapping([
                    "kubernetes.io/service-name": .string(service.object.name),
                    "endpointslice.kubernetes.io/managed-by": "kmesh-sandbox",
                ]),
            ]),
            "addressType": .string("IPv\(family.rawValue)"),
            "ports": .sequence(ports.map(\.node)),
            "endpoints": .sequence(pods.compactMap { endpoint($0, family) }),
        ])
    }

    private func endpoint(_ pod: Pod, _ family: AddressFamily) -> YAMLNode? {
        let record = pod.record
        guard let address = record.addresses.first(where: { $0.family == family }) else { return nil }
        var pairs: [(String, YAMLNode)] = [
            ("addresses", [.string(address.description)]),
            ("conditions", .mapping(["ready": true, "serving": true, "terminating": false])),
            ("nodeName", .string(record.node)),
        ]
        let labels = plan.nodes.first { $0.name == record.node }?.labels ?? [:]
        if let zone = labels["topology.kubernetes.io/zone"] { pairs.append(("zone", .string(zone))) }
        pairs.append(
            (
                "targetRef",
                .mapping([
                    "kind": "Pod", "namespace": .string(record.namespace), "name": .string(record.name),
                    "uid": .string(record.uid),
                ])
            ))
        return .mapping(pairs: pairs)
    }
}

private struct ResolvedPort: Hashable {
    var port: ServicePlan.Port
    var number: UInt16

    var node: YAMLNode {
        var pairs: [(String, YAMLNode)] = [
            ("name", .string(port.name)), ("port", .int(Int(number))),
            ("protocol", .string(port.transport.name)),
        ]
        if let name = port.appProtocol { pairs.append(("appProtocol", .string(name))) }
        return .mapping(pairs: pairs)
    }
}
