// Services as Kubernetes and Istio declare them.

extension Kubernetes {
    public enum TargetPort: Hashable, Sendable {
        case number(UInt16)
        /// The name of a container's port.
        case name(String)
    }

    public struct Port: Hashable, Sendable {
        public var port: UInt16
        /// `nil` for a protocol that is not steered.
        public var transport: TransportProtocol?
        public var name: String
        public var target: TargetPort
        /// Not declared, but there because of what the service is. No slice lists it.
        public var isImplied = false
        public var applicationProtocol: ApplicationProtocol

        public init(
            port: UInt16, transport: TransportProtocol? = .tcp, name: String = "", target: TargetPort? = nil,
            applicationProtocol: ApplicationProtocol = .detect
        ) {
            self.port = port
            self.transport = transport
            self.name = name
            self.target = target ?? .number(port)
            self.applicationProtocol = applicationProtocol
        }
    }

    public enum TrafficDistribution: String, Hashable, Sendable, CaseIterable {
        case preferClose = "PreferClose"
        case preferSameZone = "PreferSameZone"
        case preferSameNode = "PreferSameNode"
    }

    public struct Service: Hashable, Sendable {
        public enum Form: Hashable, Sendable {
            case clusterIP, headless, externalName
        }

        public var namespace: String
        public var name: String
        public var form: Form
        /// Cluster, external and load-balancer addresses, each once.
        public var addresses: [IPAddress]
        /// Those of `addresses` that are no cluster addresses.
        public var outerAddresses: Set<IPAddress> = []
        public var ports: [Port]
        public var selector: Labels?
        public var publishesNotReady = false
        public var isNodeLocal = false
        public var distribution: TrafficDistribution?
        /// Session affinity by client, in seconds.
        public var affinityTimeout: UInt32?
        public var policy = LoadBalancingPolicy.random
        /// `nil`: what session affinity says, else the model's default.
        public var upstreamPolicy: UpstreamPolicy?
        public var localityMode: LocalityPreference.Mode?
        public var maxConnections: UInt32?
        public var prefersKernelRouting = false
        /// In milliseconds.
        public var httpReadTimeout: UInt32?
        public var httpIdleTimeout: UInt32?
        /// The load balancer's addresses were left out, as only some sources may use them.
        public var hidesLoadBalancer = false
        public var waypoint: WaypointChoice?

        public init(
            namespace: String, name: String, form: Form = .clusterIP, addresses: [IPAddress] = [],
            ports: [Port] = [], selector: Labels? = nil
        ) {
            self.namespace = namespace
            self.name = name
            self.form = form
            self.addresses = addresses
            self.ports = ports
            self.selector = selector
        }
    }

    public struct ServiceEntry: Hashable, Sendable {
        public enum Resolution: String, Hashable, Sendable, CaseIterable {
            case none = "NONE"
            case fixed = "STATIC"
            case dns = "DNS"
            case dnsRoundRobin = "DNS_ROUND_ROBIN"
            case dynamicDNS = "DYNAMIC_DNS"
        }

        public struct Endpoint: Hashable, Sendable {
            public var address: IPAddress
            /// Target ports by the name of the service's port.
            public var ports: [NamedPort]
            public var locality: Locality
            public var weight: UInt32
            /// Empty: it runs as none.
            public var serviceAccount = ""

            public init(
                address: IPAddress, ports: [NamedPort] = [], locality: Locality = Locality(),
                weight: UInt32 = 1
            ) {
                self.address = address
                self.ports = ports
                self.locality = locality
                self.weight = weight
            }
        }

        public var namespace: String
        public var name: String
        public var hosts: [String]
        public var addresses: [IPAddress]
        public var ports: [Port]
        public var resolution: Resolution
        public var endpoints: [Endpoint]
        /// Selects pods and workload entries of the namespace.
        public var selector: Labels?
        public var waypoint: WaypointChoice?

        public init(
            namespace: String, name: String, hosts: [String], addresses: [IPAddress] = [], ports: [Port] = [],
            resolution: Resolution = .fixed, endpoints: [Endpoint] = [], selector: Labels? = nil
        ) {
            self.namespace = namespace
            self.name = name
            self.hosts = hosts
            self.addresses = addresses
            self.ports = ports
            self.resolution = resolution
            self.endpoints = endpoints
            self.selector = selector
        }
    }
}
