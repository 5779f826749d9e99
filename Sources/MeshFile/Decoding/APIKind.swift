// Which API versions and kinds there are, so that a misspelt one is not taken for a foreign one.
internal import KmeshKit

enum APIKind {
    private struct Group {
        var versions: [String]
        var read: [Kubernetes.Kind]
        /// Kinds of the group that mean nothing here.
        var others: [String]
    }

    private static let groups: [String: Group] = [
        "": Group(
            versions: ["v1"], read: [.service, .pod, .node, .namespace],
            others: [
                "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "List",
                "PersistentVolume", "PersistentVolumeClaim", "PodTemplate", "ReplicationController",
                "ResourceQuota", "Secret", "ServiceAccount",
            ]),
        "discovery.k8s.io": Group(versions: ["v1"], read: [.endpointSlice], others: []),
        "gateway.networking.k8s.io": Group(
            versions: ["v1", "v1beta1"], read: [.gateway, .referenceGrant, .httpRoute],
            others: [
                "BackendTLSPolicy", "GatewayClass", "GRPCRoute", "ListenerSet", "TCPRoute", "TLSRoute",
                "UDPRoute",
            ]),
        "networking.istio.io": Group(
            versions: ["v1", "v1beta1", "v1alpha3"], read: [.serviceEntry, .workloadEntry],
            others: [
                "DestinationRule", "EnvoyFilter", "Gateway", "ProxyConfig", "Sidecar", "VirtualService",
                "WorkloadGroup",
            ]),
        "security.istio.io": Group(
            versions: ["v1", "v1beta1"], read: [.authorizationPolicy, .peerAuthentication],
            others: ["RequestAuthentication"]),
    ]

    /// `nil` for a kind that is not read.
    static func known(
        _ kind: String, version apiVersion: String, line: Int
    ) throws(DecodeError) -> Kubernetes.Kind? {
        let (name, version) = split(apiVersion)
        guard let group = groups[name] else { return nil }
        guard let known = group.read.first(where: { $0.name == kind }) else {
            if group.others.contains(kind) { return nil }
            let guess = Suggestion.nearest(to: kind, among: group.read.map(\.name) + group.others)
            let remedy = guess.map { "did you mean \($0)?" } ?? "correct it"
            throw DecodeError(
                line: line,
                message: "the API \(apiVersion.prefix(80)) has no kind \(kind.prefix(80)); \(remedy)")
        }
        guard group.versions.contains(version) else {
            let all = group.versions.map { name.isEmpty ? $0 : "\(name)/\($0)" }.joined(separator: ", ")
            throw DecodeError(line: line, message: "\(kind) is read in \(all), not \(apiVersion.prefix(80))")
        }
        return known
    }

    /// How a skipped kind is counted: with its group where the name alone is one that is read.
    static func label(_ kind: String, version: String) -> String {
        let (group, _) = split(version)
        let isReadElsewhere = Kubernetes.Kind.allCases.contains { $0.name == kind }
        let label = isReadElsewhere ? "\(kind).\(group)" : kind
        return String(label.prefix(120))
    }

    private static func split(_ apiVersion: String) -> (group: String, version: String) {
        guard let slash = apiVersion.firstIndex(of: "/") else { return ("", apiVersion) }
        return (String(apiVersion[..<slash]), String(apiVersion[apiVersion.index(after: slash)...]))
    }
}

extension Kubernetes.Kind {
    var schema: Schema {
        switch self {
        case .service: .service
        case .pod: .pod
        case .endpointSlice: .endpointSlice
        case .node: .node
        case .namespace: .namespace
        case .serviceEntry: .serviceEntry
        case .workloadEntry: .workloadEntry
        case .gateway: .gateway
        case .referenceGrant: .referenceGrant
        case .httpRoute: .httpRoute
        case .authorizationPolicy: .authorizationPolicy
        case .peerAuthentication: .peerAuthentication
        }
    }
}
