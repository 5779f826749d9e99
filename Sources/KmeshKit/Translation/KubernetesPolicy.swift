// Istio's policies on who may connect, with rules already in the model's form.

extension Kubernetes {
    public struct AuthorizationPolicy: Hashable, Sendable {
        /// What a policy is for instead of workloads.
        public enum Target: Hashable, Sendable, CustomStringConvertible {
            /// A Service, ServiceEntry or Gateway of the policy's namespace.
            case object(ObjectKey)
            case gatewayClass(String)

            public var description: String {
                switch self {
                case .object(let key): "\(key)"
                case .gatewayClass(let name): "GatewayClass \(name)"
                }
            }
        }

        public var namespace: String
        public var name: String
        public var action: PolicyAction
        /// Never empty; `nil` picks every workload.
        public var selector: Labels?
        /// Empty: the policy is for workloads.
        public var targets: [Target]
        public var isDryRun = false
        public var rules: [PolicyRule]
        /// What of the object has no effect, for people.
        public var notices: [String] = []

        public init(
            namespace: String, name: String, action: PolicyAction = .allow, selector: Labels? = nil,
            targets: [Target] = [], rules: [PolicyRule] = []
        ) {
            self.namespace = namespace
            self.name = name
            self.action = action
            self.selector = selector
            self.targets = targets
            self.rules = rules
        }

        public var key: ObjectKey { ObjectKey(.authorizationPolicy, namespace: namespace, name: name) }
    }

    /// Who must show an identity. One without a selector is for its namespace, or, in the root namespace, for
    /// the mesh.
    public struct PeerAuthentication: Hashable, Sendable {
        public enum Mode: String, Hashable, Sendable, CaseIterable {
            /// What the namespace or the mesh says.
            case unset = "UNSET"
            case disable = "DISABLE"
            case permissive = "PERMISSIVE"
            case strict = "STRICT"
        }

        public var namespace: String
        public var name: String
        /// Seconds since 1970; `nil` counts as newer than any.
        public var creationTime: Int64?
        /// Never empty; `nil` picks every workload.
        public var selector: Labels?
        public var mode: Mode
        /// Modes of single ports of the workloads.
        public var portModes: [UInt16: Mode]
        /// What of the object has no effect, for people.
        public var notices: [String] = []

        public init(
            namespace: String, name: String, creationTime: Int64? = nil, selector: Labels? = nil,
            mode: Mode = .unset, portModes: [UInt16: Mode] = [:]
        ) {
            self.namespace = namespace
            self.name = name
            self.creationTime = creationTime
            self.selector = selector
            self.mode = mode
            self.portModes = portModes
        }

        public var key: ObjectKey { ObjectKey(.peerAuthentication, namespace: namespace, name: name) }
    }
}
