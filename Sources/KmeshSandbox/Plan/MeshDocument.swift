/// The resolved mesh: the file's objects with the addresses that the sandbox gave, as a cluster would show
/// them.
internal import KmeshKit
internal import KmeshYAML

/// Plan and state together: which pod has which template.
struct ResolvedMesh: Sendable {
    struct Pod: Sendable {
        var record: SandboxState.PodRecord
        var template: PodTemplate
        var set: PodSet
    }

    let plan: SandboxPlan
    let state: SandboxState
    /// All pods of the state whose set is in the plan.
    let pods: [Pod]

    init(_ plan: SandboxPlan, _ state: SandboxState) {
        self.plan = plan
        self.state = state
        var sets: [String: PodSet] = [:]
        for set in plan.podSets { sets[set.title] = set }
        pods = state.pods.compactMap { record in
            sets[record.set].map { Pod(record: record, template: $0.template, set: $0) }
        }
    }

    func addresses(of node: SandboxPlan.NodePlan) -> [IPAddress] {
        state.settings.families.map { AddressPlan.pods.address(node.number, $0) }
    }

    /// What the daemon watches.
    var document: String {
        var objects = plan.nodes.map(nodeObject)
        objects += plan.passed.map(\.node)
        objects += plan.services.map(serviceObject)
        objects += pods.filter(\.record.isServing).map(podObject)
        objects += plan.services.flatMap(endpointSlices)
        return YAMLWriter.yaml(documents: objects)
    }

    private func nodeObject(_ node: SandboxPlan.NodePlan) -> YAMLNode {
        var object = node.node
        let addresses = addresses(of: node).map { address in
            YAMLNode.mapping(["type": "InternalIP", "address": .string(address.description)])
        }
        object.set("status", .mapping(["addresses": .sequence(addresses)]))
        return object
    }

    private func serviceObject(_ service: ServicePlan) -> YAMLNode {
        var object = service.object.node
        object.removeKey("status")
        var spec = object["spec"] ?? .mapping([:])
        let addresses: [YAMLNode]
        switch service.kind {
        case .external: return object
        case .headless: addresses = ["None"]
        case .clustered: addresses = (state.services[service.key] ?? []).map { .string($0.description) }
        }
        if let first = addresses.first {
            spec.set("clusterIP", first)
            spec.set("clusterIPs", .sequence(addresses))
        }
        spec.set("ipFamilies", .sequence(service.families.map { .string("IPv\($0.rawValue)") }))
        if spec["ipFamilyPolicy"] == nil {
            spec.set("ipFamilyPolicy", service.families.count == 2 ? "RequireDualStack" : "SingleStack")
        }
        object.set("spec", spec)
        return object
    }

    private func podObject(_ pod: Pod) -> YAMLNode {
        let record = pod.record
        var spec = pod.template.spec
        spec.set("nodeName", .string(record.node))
        if spec["serviceAccountName"] == nil { spec.set("serviceAccountName", "default") }
        var metadata = YAMLNode.mapping([
            "name": .string(record.name), "namespace": .string(record.namespace),
            "uid": .string(record.uid),
            "labels": texts(pod.template.labels), "annotations": texts(pod.template.annotations),
        ])
        if pod.set.kind != .pod {
            let owner = YAMLNode.mapping([
                "kind": .string(pod.set.kind.rawValue), "name": .string(pod.set.name), "controller": true,
            ])
            metadata.set("ownerReferences", .sequence([owner]))
        }
        let hostAddress = plan.nodes.first { $0.name == record.node }.flatMap { addresses(of: $0).first }
        return .mapping([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": .mapping([
                "phase": "Running",
                "conditions": [.mapping(["type": "Ready", "status": "True"])],
                "hostIP": .string(hostAddress?.description ?? ""),
                "podIP": .string(record.addresses.first?.description ?? ""),
                "podIPs": .sequence(
                    record.addresses.map { .mapping(["ip": .string($0.description)]) }),
            ]),
        ])
    }

    private func texts(_ labels: [String: String]) -> YAMLNode {
        .mapping(pairs: labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }
}
