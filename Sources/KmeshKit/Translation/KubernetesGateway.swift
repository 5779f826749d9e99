// Gateways, and the grants that let routes refer to other namespaces.

extension Kubernetes {
    public struct Gateway: Hashable, Sendable {
        public struct Listener: Hashable, Sendable {
            /// The namespaces whose routes may attach.
            public enum RouteNamespaces: String, Hashable, Sendable, CaseIterable {
                case same = "Same"
                case all = "All"
            }

            public var name: String
            /// In lower case, also `*.example.com`; empty is every host.
            public var hostname: String
            public var port: UInt16
            /// `HTTP`, `HBONE` and so on, as it is written.
            public var protocolName: String
            public var routeNamespaces: RouteNamespaces
            /// Whether HTTPRoutes are among the kinds that may attach.
            public var takesHTTPRoutes: Bool

            public init(
                name: String, hostname: String = "", port: UInt16, protocolName: String,
                routeNamespaces: RouteNamespaces = .same, takesHTTPRoutes: Bool = true
            ) {
                self.name = name
                self.hostname = hostname
                self.port = port
                self.protocolName = protocolName
                self.routeNamespaces = routeNamespaces
                self.takesHTTPRoutes = takesHTTPRoutes
            }
        }

        public var namespace: String
        public var name: String
        public var className: String
        public var labels: Labels
        public var listeners: [Listener]
        /// IP addresses that are asked for; names among them are left out.
        public var addresses: [IPAddress]
        /// IP addresses that the gateway has got.
        public var statusAddresses: [IPAddress]

        public init(
            namespace: String, name: String, className: String, labels: Labels = [:],
            listeners: [Listener] = [], addresses: [IPAddress] = [], statusAddresses: [IPAddress] = []
        ) {
            self.namespace = namespace
            self.name = name
            self.className = className
            self.labels = labels
            self.listeners = listeners
            self.addresses = addresses
            self.statusAddresses = statusAddresses
        }

        public var key: ObjectKey { ObjectKey(.gateway, namespace: namespace, name: name) }
    }

    /// Lets objects of other namespaces refer to objects of this one.
    public struct ReferenceGrant: Hashable, Sendable {
        public struct Source: Hashable, Sendable {
            public var group: String
            public var kind: String
            public var namespace: String

            public init(group: String, kind: String, namespace: String) {
                self.group = group
                self.kind = kind
                self.namespace = namespace
            }
        }

        public struct Target: Hashable, Sendable {
            public var group: String
            public var kind: String
            /// `nil`: every object of the kind.
            public var name: String?

            public init(group: String = "", kind: String, name: String? = nil) {
                self.group = group
                self.kind = kind
                self.name = name
            }
        }

        public var namespace: String
        public var name: String
        public var sources: [Source]
        public var targets: [Target]

        public init(namespace: String, name: String, sources: [Source], targets: [Target]) {
            self.namespace = namespace
            self.name = name
            self.sources = sources
            self.targets = targets
        }

        public var key: ObjectKey { ObjectKey(.referenceGrant, namespace: namespace, name: name) }
    }
}
