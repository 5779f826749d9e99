/// How objects choose a waypoint, in the labels that Istio gave this meaning.

extension Kubernetes {
    /// What an object's labels say of its waypoint.
    public enum WaypointChoice: Hashable, Sendable {
        /// None, whatever the namespace says.
        case none
        /// A Gateway; without a namespace one of the object's own.
        case gateway(name: String, namespace: String?)

        /// `nil` when the labels do not say.
        public init?(_ labels: Labels) {
            guard let name = labels["istio.io/use-waypoint"], !name.isEmpty else { return nil }
            self = name == "none" ? .none : .gateway(name: name, namespace: labels[Self.namespaceLabel])
        }

        private static var namespaceLabel: String { "istio.io/use-waypoint-namespace" }

        /// The Gateway that an object in `namespace` means; `nil` for none.
        func gateway(in namespace: String) -> ObjectKey? {
            switch self {
            case .none: nil
            case .gateway(let name, let other):
                ObjectKey(.gateway, namespace: other ?? namespace, name: name)
            }
        }
    }

    public struct Namespace: Hashable, Sendable {
        public var name: String
        public var labels: Labels

        public init(name: String, labels: Labels = [:]) {
            self.name = name
            self.labels = labels
        }
    }
}

/// What a waypoint takes.
struct WaypointScope: OptionSet, Sendable {
    let rawValue: UInt8

    static let services = WaypointScope(rawValue: 1)
    static let workloads = WaypointScope(rawValue: 2)
}

extension Kubernetes.Gateway {
    static let waypointClasses: Set<String> = ["istio-waypoint", "kmesh-waypoint"]

    var isWaypoint: Bool { Self.waypointClasses.contains(className) }

    /// What it is for. An unknown word is taken for the default.
    var scope: WaypointScope {
        switch labels["istio.io/waypoint-for"] {
        case "workload": .workloads
        case "all": [.services, .workloads]
        case "none": []
        default: .services
        }
    }

    /// Its service has the same name.
    var serviceKey: Kubernetes.ObjectKey {
        Kubernetes.ObjectKey(.service, namespace: namespace, name: name)
    }
}
