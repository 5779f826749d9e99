/// The file's objects, sorted by what the sandbox does with them.
internal import KmeshKit
internal import KmeshYAML

struct SandboxPlan: Sendable {
    var nodes: [NodePlan] = []
    var podSets: [PodSet] = []
    var services: [ServicePlan] = []
    /// Objects that the daemon reads as they are.
    var passed: [KubernetesObject] = []
    /// What is left out, and why.
    var remarks: [String] = []

    struct NodePlan: Hashable, Sendable {
        var name: String
        /// Begins with 1; the node's address.
        var number: Int
        var node: YAMLNode
        var labels: [String: String] { node["metadata"]?["labels"]?.texts ?? [:] }
    }

    /// Kinds that the daemon understands and the sandbox has no part in.
    static let passedKinds = [
        "Namespace", "ServiceEntry", "WorkloadEntry", "EndpointSlice", "HTTPRoute", "Gateway",
        "AuthorizationPolicy",
        "PeerAuthentication",
    ]

    init(_ objects: [KubernetesObject], families: [AddressFamily], nodeName: String) throws(SandboxError) {
        for object in objects {
            if let set = try PodSet(object) {
                podSets.append(set)
            } else if object.kind == "Service" {
                services.append(try ServicePlan(object, available: families))
            } else if object.kind == "Node" {
                nodes.append(NodePlan(name: object.name, number: nodes.count + 1, node: object.node))
            } else if Self.passedKinds.contains(object.kind) {
                passed.append(object)
            } else {
                remarks.append("skipped \(object.title): it means nothing here")
            }
        }
        if nodes.isEmpty { nodes = [Self.onlyNode(nodeName)] }
        guard nodes.count <= AddressPlan.nodeLimit else {
            throw SandboxError(
                "there are \(nodes.count) Nodes, and a sandbox has room for \(AddressPlan.nodeLimit)")
        }
        dropSlicesOfControllers()
    }

    private static func onlyNode(_ name: String) -> NodePlan {
        let node = YAMLNode.mapping([
            "apiVersion": "v1", "kind": "Node",
            "metadata": .mapping([
                "name": .string(name),
                "labels": .mapping([
                    "kubernetes.io/hostname": .string(name), "topology.kubernetes.io/region": "local",
                    "topology.kubernetes.io/zone": "local-a",
                ]),
            ]),
        ])
        return NodePlan(name: name, number: 1, node: node)
    }

    /// Slices that a cluster wrote for a service with a selector name addresses that are not here.
    private mutating func dropSlicesOfControllers() {
        let selecting = Set(services.filter { !$0.selector.isEmpty }.map(\.key))
        passed.removeAll { object in
            let service = object.node["metadata"]?["labels"]?["kubernetes.io/service-name"]?.string ?? ""
            let isDropped =
                object.kind == "EndpointSlice" && selecting.contains("\(object.namespace)/\(service)")
            if isDropped { remarks.append("skipped \(object.title): the sandbox writes those of \(service)") }
            return isDropped
        }
    }

    /// The node for pod number `ordinal` of a set: its own wish, else one after the other.
    func node(for set: PodSet, ordinal: Int) throws(SandboxError) -> NodePlan {
        let wishes = set.template
        let fitting = nodes.filter { node in
            (wishes.nodeName == nil || wishes.nodeName == node.name)
                && wishes.nodeSelector.allSatisfy { node.labels[$0.key] == $0.value }
        }
        guard !fitting.isEmpty else {
            throw SandboxError("line \(set.line): \(set.title): no Node fits its nodeName or nodeSelector")
        }
        // Sets with one pod each must not all meet on the first node.
        let start = set.kind == .daemonSet ? 0 : podSets.firstIndex { $0.title == set.title } ?? 0
        return fitting[(start + ordinal) % fitting.count]
    }

    /// Whether a waypoint's Gateway has a Service that selects the pod.
    func isWaypoint(_ pod: ResolvedMesh.Pod) -> Bool {
        services.contains { service in
            service.object.namespace == pod.record.namespace && service.selects(pod.template.labels)
                && passed.contains {
                    $0.isWaypoint && $0.namespace == pod.record.namespace
                        && $0.name == service.object.name
                }
        }
    }

    /// How many pods a set has when nobody has scaled it.
    func replicas(of set: PodSet) -> Int {
        guard set.kind == .daemonSet else { return set.replicas }
        return nodes.count { node in
            (set.template.nodeName == nil || set.template.nodeName == node.name)
                && set.template.nodeSelector.allSatisfy { node.labels[$0.key] == $0.value }
        }
    }
}

extension KubernetesObject {
    /// A Gateway that stands for a waypoint.
    fileprivate var isWaypoint: Bool {
        let classes = ["istio-waypoint", "kmesh-waypoint"]
        return kind == "Gateway" && classes.contains(spec?["gatewayClassName"]?.string ?? "")
    }
}
