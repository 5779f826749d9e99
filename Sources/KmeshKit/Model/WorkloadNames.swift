/// What a workload is called in metrics, as Istio derives it from labels and owners. Replicas share one.
public final class WorkloadNames: Hashable, Sendable {
    /// The Deployment, StatefulSet, … that it is a replica of; empty when it is none.
    public let workload: String
    /// `service.istio.io/canonical-name`, `app.kubernetes.io/name` or `app`; empty without.
    public let canonicalService: String
    /// `service.istio.io/canonical-revision`, `app.kubernetes.io/version`, `version`, or `latest`.
    public let canonicalRevision: String
    /// The labels `app` and `version`; empty without.
    public let app: String
    public let version: String

    public init(workload: String, label: (String) -> String? = { _ in nil }) {
        func first(_ names: [String]) -> String? {
            names.lazy.compactMap(label).first { !$0.isEmpty }
        }
        self.workload = workload
        canonicalService =
            first(["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]) ?? ""
        canonicalRevision =
            first(["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"])
            ?? "latest"
        app = label("app") ?? ""
        version = label("version") ?? ""
    }

    public static func == (left: WorkloadNames, right: WorkloadNames) -> Bool {
        left === right
            || (left.workload, left.canonicalService, left.canonicalRevision, left.app, left.version)
                == (right.workload, right.canonicalService, right.canonicalRevision, right.app, right.version)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(workload)
        hasher.combine(canonicalService)
        hasher.combine(canonicalRevision)
    }
}

/// A pod's owner: what its controller reference names.
public struct WorkloadOwner: Sendable {
    public var kind: String
    public var name: String

    public init(kind: String, name: String) {
        self.kind = kind
        self.name = name
    }

    /// The name that people know: a Deployment's, of which a ReplicaSet's name begins with.
    public func workload(templateHash: String?) -> String {
        guard kind == "ReplicaSet", let templateHash, !templateHash.isEmpty else { return name }
        let suffix = "-\(templateHash)"
        guard name.hasSuffix(suffix), name.utf8.count > suffix.utf8.count else { return name }
        return String(name.dropLast(suffix.count))
    }
}
