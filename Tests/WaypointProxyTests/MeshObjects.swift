/// Small services, workloads and routes for tests of the configuration.
import KmeshKit
import Testing

@testable import WaypointProxy

func key(_ name: String, in namespace: String = "default") -> ServiceKey {
    ServiceKey(namespace: namespace, hostname: "\(name).\(namespace).svc.cluster.local")
}

func backend(_ name: String, _ port: UInt16) -> BackendReference {
    BackendReference(service: key(name), port: port)
}

func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(v4: 0) }

func service(
    _ name: String, in namespace: String = "default", ports: [UInt16], at addresses: [String] = []
) -> Service {
    Service(
        key: key(name, in: namespace), name: name, addresses: addresses.map(address),
        ports: ports.map { ServicePort(port: $0, transport: .tcp) })
}

/// As a ServiceEntry makes it.
func entry(_ host: String, ports: [UInt16]) -> Service {
    Service(
        key: ServiceKey(namespace: "default", hostname: host), name: host, addresses: [],
        ports: ports.map { ServicePort(port: $0, transport: .tcp) })
}

func workload(
    _ uid: String, _ place: String, of name: String, ports: [UInt16: UInt16],
    health: EndpointHealth = .ready
) -> Workload {
    let mappings = ports.map { PortMapping(servicePort: $0, transport: .tcp, targetPort: $1) }
    return Workload(
        uid: uid, name: uid, namespace: "default", addresses: [address(place)],
        memberships: [Membership(service: key(name), ports: mappings, health: health)])
}

/// Sends all requests of a service to another.
func routes(_ name: String, _ port: UInt16, to other: String) -> RouteConfiguration {
    let action = ForwardAction(backends: [WeightedBackend(backend: backend(other, port))])
    return RouteConfiguration(
        key: .service(key(name), port: port),
        virtualHosts: [
            VirtualHost(
                domains: [.any], routes: [Route(name: "default/\(name)/0", action: .forward(action))])
        ])
}

func makeBuilder(
    _ change: (inout ConfigurationBuilder.Options) -> Void = { _ in }
) -> ConfigurationBuilder {
    var options = ConfigurationBuilder.Options()
    change(&options)
    return ConfigurationBuilder(options) { source, clusters, statistics in
        let routes = source.virtualHosts.flatMap(\.routes).map { route in
            var compiled = CompiledRoute(
                name: route.name, statistic: statistics(route.name), action: .forward,
                requestEdits: HeaderEdits(), responseEdits: HeaderEdits())
            if case .forward(let action) = route.action {
                compiled.backends = action.backends.map { weighted in
                    CompiledBackend(
                        cluster: weighted.backend.flatMap(clusters) ?? -1, upTo: weighted.weight,
                        requestEdits: HeaderEdits(), responseEdits: HeaderEdits())
                }
            }
            return compiled
        }
        return RouteTable(source: source, routes: routes)
    }
}

func cluster(
    _ configuration: WaypointConfiguration, _ name: String, _ port: UInt16
) throws -> ClusterConfiguration {
    try #require(configuration.clusters.lazy.compactMap { $0 }.first { $0.backend == backend(name, port) })
}

func endpoints(_ configuration: WaypointConfiguration, _ name: String, _ port: UInt16) throws -> [String] {
    try cluster(configuration, name, port).endpoints.map(\.address.description)
}

func identity(_ cluster: ClusterConfiguration?) -> ObjectIdentifier? { cluster.map(ObjectIdentifier.init) }
