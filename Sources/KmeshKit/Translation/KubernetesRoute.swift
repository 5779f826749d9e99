// HTTPRoutes as the Gateway API declares them, with matches and filters already in the model's form.

extension Kubernetes {
    public struct HTTPRoute: Hashable, Sendable {
        /// What a route refers to: a parent or a backend.
        public struct Reference: Hashable, Sendable, CustomStringConvertible {
            public var group: String
            public var kind: String
            public var namespace: String
            public var name: String
            public var port: UInt16?

            public init(
                group: String = "", kind: String = "Service", namespace: String, name: String,
                port: UInt16? = nil
            ) {
                self.group = group
                self.kind = kind
                self.namespace = namespace
                self.name = name
                self.port = port
            }

            public var description: String {
                let subject = group.isEmpty || kind == "Gateway" ? kind : "\(kind).\(group)"
                return "\(subject) \(namespace)/\(name)\(port.map { ":\($0)" } ?? "")"
            }
        }

        public struct Parent: Hashable, Sendable {
            public var reference: Reference
            /// The listener of a gateway; `nil`: all of them.
            public var section: String?

            public init(_ reference: Reference, section: String? = nil) {
                self.reference = reference
                self.section = section
            }
        }

        public struct Backend: Hashable, Sendable {
            public var reference: Reference
            public var weight: UInt32
            public var filters: Filters

            public init(_ reference: Reference, weight: UInt32 = 1, filters: Filters = Filters()) {
                self.reference = reference
                self.weight = weight
                self.filters = filters
            }
        }

        public struct Filters: Hashable, Sendable {
            public var requestHeaders = HeaderChanges()
            public var responseHeaders = HeaderChanges()
            public var redirect: RedirectAction?
            public var rewrite: URLRewrite?

            public init() {}
        }

        public struct Rule: Hashable, Sendable {
            /// Empty: its number is its name.
            public var name: String
            /// At least one.
            public var matches: [RouteMatch]
            public var filters: Filters
            public var backends: [Backend]
            /// In milliseconds; `nil` is without limit.
            public var requestTimeout: UInt32?
            public var backendTimeout: UInt32?
            public var retry: RetryPolicy?

            public init(
                name: String = "", matches: [RouteMatch] = [RouteMatch()], filters: Filters = Filters(),
                backends: [Backend] = []
            ) {
                self.name = name
                self.matches = matches
                self.filters = filters
                self.backends = backends
            }
        }

        public var namespace: String
        public var name: String
        /// Seconds since 1970; `nil` counts as newer than any.
        public var creationTime: Int64?
        public var parents: [Parent]
        /// Names in lower case, also `*.example.com`; none is every host.
        public var hostnames: [String]
        public var rules: [Rule]
        /// What of the object has no effect, for people.
        public var notices: [String] = []

        public init(
            namespace: String, name: String, creationTime: Int64? = nil, parents: [Parent],
            hostnames: [String] = [], rules: [Rule] = [Rule()]
        ) {
            self.namespace = namespace
            self.name = name
            self.creationTime = creationTime
            self.parents = parents
            self.hostnames = hostnames
            self.rules = rules
        }

        public var key: ObjectKey { ObjectKey(.httpRoute, namespace: namespace, name: name) }
    }
}

extension Kubernetes.HTTPRoute.Reference {
    /// The service or gateway that is meant; `nil` for other kinds.
    public var object: Kubernetes.ObjectKey? {
        switch (group, kind) {
        case ("", "Service"): Kubernetes.ObjectKey(.service, namespace: namespace, name: name)
        case ("gateway.networking.k8s.io", "Gateway"):
            Kubernetes.ObjectKey(.gateway, namespace: namespace, name: name)
        default: nil
        }
    }
}
