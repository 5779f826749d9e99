// What serves: pods, workload entries, the endpoints of slices; and the nodes they are on.

extension Kubernetes {
    public struct NamedPort: Hashable, Sendable {
        public var name: String
        /// `nil` fits every protocol.
        public var transport: TransportProtocol?
        public var number: UInt16

        public init(name: String, transport: TransportProtocol? = nil, number: UInt16) {
            self.name = name
            self.transport = transport
            self.number = number
        }
    }

    public struct Pod: Hashable, Sendable {
        public var namespace: String
        public var name: String
        public var labels: Labels
        public var addresses: [IPAddress]
        public var node: String
        /// The containers' ports that have a name.
        public var ports: [NamedPort]
        public var isReady: Bool
        public var isTerminating: Bool
        /// Its containers have ended for good; its address may belong to another pod.
        public var isFinished: Bool
        /// Its addresses are the node's.
        public var usesHostNetwork = false
        public var serviceAccount = "default"
        /// What it is a replica of; empty for a pod of its own.
        public var workload = ""
        /// Ports that kubelet probes, sorted.
        public var probePorts: [UInt16] = []

        public init(
            namespace: String, name: String, labels: Labels = [:], addresses: [IPAddress] = [],
            node: String = "",
            ports: [NamedPort] = [], isReady: Bool = true, isTerminating: Bool = false,
            isFinished: Bool = false
        ) {
            self.namespace = namespace
            self.name = name
            self.labels = labels
            self.addresses = addresses
            self.node = node
            self.ports = ports
            self.isReady = isReady
            self.isTerminating = isTerminating
            self.isFinished = isFinished
        }

        public var key: ObjectKey { ObjectKey(.pod, namespace: namespace, name: name) }
    }

    public struct WorkloadEntry: Hashable, Sendable {
        public var namespace: String
        public var name: String
        public var labels: Labels
        public var address: IPAddress
        /// Target ports by the name of the service's port.
        public var ports: [NamedPort]
        public var locality: Locality
        public var weight: UInt32
        /// Empty: it runs as none.
        public var serviceAccount = ""

        public init(
            namespace: String, name: String, labels: Labels = [:], address: IPAddress,
            ports: [NamedPort] = [],
            locality: Locality = Locality(), weight: UInt32 = 1
        ) {
            self.namespace = namespace
            self.name = name
            self.labels = labels
            self.address = address
            self.ports = ports
            self.locality = locality
            self.weight = weight
        }

        public var key: ObjectKey { ObjectKey(.workloadEntry, namespace: namespace, name: name) }
    }

    public struct EndpointSlice: Hashable, Sendable {
        public struct Endpoint: Hashable, Sendable {
            public var addresses: [IPAddress]
            /// `nil`: it takes no connections.
            public var health: EndpointHealth?
            /// The pod behind it.
            public var pod: ObjectKey?
            public var node: String
            public var zone: String

            public init(
                addresses: [IPAddress], health: EndpointHealth? = .ready, pod: ObjectKey? = nil,
                node: String = "",
                zone: String = ""
            ) {
                self.addresses = addresses
                self.health = health
                self.pod = pod
                self.node = node
                self.zone = zone
            }
        }

        public var namespace: String
        public var name: String
        /// The service's name; empty when the slice belongs to none.
        public var service: String
        public var ports: [NamedPort]
        public var endpoints: [Endpoint]

        public init(
            namespace: String, name: String, service: String, ports: [NamedPort], endpoints: [Endpoint]
        ) {
            self.namespace = namespace
            self.name = name
            self.service = service
            self.ports = ports
            self.endpoints = endpoints
        }
    }

    /// What matters of a Node is what the model says of it.
    public typealias Node = KmeshKit.Node
}
