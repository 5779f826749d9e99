/// The Kubernetes and Istio objects that make a mesh, as compact values with what the translation reads.
public enum Kubernetes {}

extension Kubernetes {
    public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        case service, pod, endpointSlice, node, namespace, serviceEntry, workloadEntry
        case gateway, referenceGrant, httpRoute
        case authorizationPolicy, peerAuthentication

        public var name: String {
            switch self {
            case .service: "Service"
            case .pod: "Pod"
            case .endpointSlice: "EndpointSlice"
            case .node: "Node"
            case .namespace: "Namespace"
            case .serviceEntry: "ServiceEntry"
            case .workloadEntry: "WorkloadEntry"
            case .gateway: "Gateway"
            case .referenceGrant: "ReferenceGrant"
            case .httpRoute: "HTTPRoute"
            case .authorizationPolicy: "AuthorizationPolicy"
            case .peerAuthentication: "PeerAuthentication"
            }
        }

        /// Nodes and namespaces belong to no namespace.
        public var isNamespaced: Bool { self != .node && self != .namespace }
    }

    public struct ObjectKey: Hashable, Sendable, CustomStringConvertible {
        public let kind: Kind
        /// Empty for kinds without a namespace.
        public let namespace: String
        public let name: String

        public init(_ kind: Kind, namespace: String = "", name: String) {
            self.kind = kind
            self.namespace = namespace
            self.name = name
        }

        public var description: String {
            namespace.isEmpty ? "\(kind.name) \(name)" : "\(kind.name) \(namespace)/\(name)"
        }
    }

    /// Where an object was read. What the numbers of the files mean is the source's business.
    public struct Origin: Hashable, Sendable {
        public var file: UInt32
        public var line: UInt32

        public init(file: UInt32 = 0, line: UInt32 = 0) {
            self.file = file
            self.line = line
        }
    }

    public enum Object: Hashable, Sendable {
        case service(Service)
        case pod(Pod)
        case endpointSlice(EndpointSlice)
        case node(Node)
        case namespace(Namespace)
        indirect case serviceEntry(ServiceEntry)
        indirect case workloadEntry(WorkloadEntry)
        indirect case gateway(Gateway)
        indirect case referenceGrant(ReferenceGrant)
        indirect case httpRoute(HTTPRoute)
        indirect case authorizationPolicy(AuthorizationPolicy)
        indirect case peerAuthentication(PeerAuthentication)

        public var key: ObjectKey {
            switch self {
            case .service(let service): ObjectKey(.service, namespace: service.namespace, name: service.name)
            case .pod(let pod): pod.key
            case .endpointSlice(let slice):
                ObjectKey(.endpointSlice, namespace: slice.namespace, name: slice.name)
            case .node(let node): ObjectKey(.node, name: node.name)
            case .namespace(let namespace): ObjectKey(.namespace, name: namespace.name)
            case .serviceEntry(let entry):
                ObjectKey(.serviceEntry, namespace: entry.namespace, name: entry.name)
            case .workloadEntry(let entry): entry.key
            case .gateway(let gateway): gateway.key
            case .referenceGrant(let grant): grant.key
            case .httpRoute(let route): route.key
            case .authorizationPolicy(let policy): policy.key
            case .peerAuthentication(let authentication): authentication.key
            }
        }
    }

    public struct Label: Hashable, Sendable, Comparable {
        public let key: String
        public let value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }

        public static func < (left: Label, right: Label) -> Bool {
            (left.key, left.value) < (right.key, right.value)
        }
    }

    /// Labels in the order of their keys.
    public struct Labels: Hashable, Sendable {
        public let pairs: [Label]

        public init(_ pairs: [Label] = []) {
            self.pairs = pairs.sorted()
        }

        public subscript(key: String) -> String? { pairs.first { $0.key == key }?.value }

        public func contains(_ selector: Labels) -> Bool {
            selector.pairs.allSatisfy { pairs.contains($0) }
        }
    }
}

extension Kubernetes.Labels: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { Kubernetes.Label(key: $0.0, value: $0.1) })
    }
}
