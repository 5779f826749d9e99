/// One thing of the mesh's configuration, as a source hands it to an engine.
public enum MeshResource: Hashable, Sendable {
    case service(Service)
    case workload(Workload)
    /// A node's place. Engines care for that of their own node.
    case node(Node)
    /// How HTTP requests are routed. Data planes that do not look into HTTP have no use for it.
    case routes(RouteConfiguration)
    /// Where connections are taken and what becomes of them, as a control plane of Envoys says it.
    case listener(Listener)
    case cluster(Cluster)
    case policy(AuthorizationPolicy)

    public var name: MeshResourceName {
        switch self {
        case .service(let service): .service(service.key)
        case .workload(let workload): .workload(uid: workload.uid)
        case .node(let node): .node(node.name)
        case .routes(let routes): .routes(routes.key)
        case .listener(let listener): .listener(listener.name)
        case .cluster(let cluster): .cluster(cluster.name)
        case .policy(let policy): .policy(policy.key)
        }
    }
}

public enum MeshResourceName: Hashable, Sendable, CustomStringConvertible {
    case service(ServiceKey)
    case workload(uid: String)
    case node(String)
    case routes(RouteConfigurationKey)
    case listener(String)
    case cluster(String)
    case policy(PolicyKey)

    public var description: String {
        switch self {
        case .service(let key): "Service \(key)"
        case .workload(let uid): uid
        case .node(let name): "Node \(name)"
        case .routes(let key): "routes of \(key)"
        case .listener(let name): "Listener \(name)"
        case .cluster(let name): "Cluster \(name)"
        case .policy(let key): "\(key)"
        }
    }
}

public struct Node: Hashable, Sendable {
    public var name: String
    public var region: String
    public var zone: String
    /// Where kubelet's probes may come from, besides others that the node has.
    public var addresses: [IPAddress]

    public init(name: String, region: String = "", zone: String = "", addresses: [IPAddress] = []) {
        self.name = name
        self.region = region
        self.zone = zone
        self.addresses = addresses
    }
}
