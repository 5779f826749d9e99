import CKmeshABI
import KernelNativeEngine
import KmeshKit
import Testing

/// A data plane over maps in memory, with the service ports that tests say are in force.
struct Rig {
    let maps: InMemoryNativeMaps
    var dataplane: RouteDataplane
    var ports = TestPorts()

    init(_ maps: InMemoryNativeMaps = InMemoryNativeMaps()) {
        self.maps = maps
        dataplane = RouteDataplane(maps: maps.maps)
    }

    /// Services are in force at L4 before anything leads to them.
    @discardableResult
    mutating func apply(_ changes: [ResourceChange<MeshResource>]) throws -> [RejectedResource] {
        dataplane.prepare(changes)
        for case .upsert(.service(let service)) in changes { ports.add(service) }
        for case .upsert(.cluster(let cluster)) in changes { ports.add(cluster) }
        let gone = changes.compactMap { if case .remove(let name) = $0 { name } else { nil } }
        for name in gone { ports.hide(name) }
        defer { for name in gone { ports.remove(name) } }
        try dataplane.refer(to: ports)
        return dataplane.rejections(of: changes)
    }

    /// Two seconds pass.
    mutating func settle() {
        for _ in 0..<2 { dataplane.tend(ports) }
    }

    func decide(
        _ address: String, _ request: TestRequest = TestRequest(), port: UInt16 = 80,
        client: String = "10.9.9.9"
    ) throws -> Decision {
        let key = FrontendKey(address: try #require(IPAddress(address)), port: port, transport: .tcp)
        return KernelLookup(maps: maps).decide(key, request, client: try #require(IPAddress(client)))
    }

    /// Where everything goes to one service port.
    func all(_ name: String, _ family: AddressFamily = .v4, port: UInt16 = 80) -> Decision {
        .shares([.init(id: id(name, family, port: port), weight: 1)])
    }

    func id(_ name: String, _ family: AddressFamily = .v4, port: UInt16 = 80) -> UInt32 {
        ports.ids[ServicePortReference(BackendReference(service: .named(name), port: port), family)] ?? 0
    }

    func verify() throws -> [Difference] { try dataplane.verify { "service \($0)" } }

    /// Entries in all maps.
    var count: Int { maps.all.map(\.count).reduce(0, +) }

    var writeCount: Int { maps.all.map(\.writeCount).reduce(0, +) }

    func setFault(_ fault: MapFault?) { for map in maps.all { map.setFault(fault) } }
}

/// Service ports with ids that rise.
struct TestPorts: ServicePorts {
    var ids: [ServicePortReference: UInt32] = [:]
    var owners: [FrontendKey: UInt32] = [:]
    private var last: UInt32 = 100
    private var hidden: Set<ServicePortReference> = []

    func id(of reference: ServicePortReference) -> UInt32? {
        hidden.contains(reference) ? nil : ids[reference]
    }
    func owner(of frontend: FrontendKey) -> UInt32? { owners[frontend] }

    mutating func add(_ service: Service) {
        remove(.service(service.key))
        for port in service.ports where port.transport == .tcp {
            for family in AddressFamily.allCases {
                let backend = BackendReference(service: service.key, port: port.port)
                let id = add(ServicePortReference(backend, family))
                for address in service.addresses where address.family == family {
                    owners[FrontendKey(address: address, port: port.port, transport: .tcp)] = id
                }
            }
        }
    }

    mutating func add(_ cluster: Cluster) {
        for family in AddressFamily.allCases { add(ServicePortReference(.cluster(cluster.name), family)) }
    }

    @discardableResult
    private mutating func add(_ reference: ServicePortReference) -> UInt32 {
        if let id = ids[reference] { return id }
        last += 1
        ids[reference] = last
        return last
    }

    private func references(of name: MeshResourceName) -> [ServicePortReference] {
        ids.keys.filter { reference in
            switch (name, reference.backend) {
            case (.service(let key), .service(let other, _)): key == other
            case (.cluster(let name), .cluster(let other)): name == other
            default: false
            }
        }
    }

    /// It goes, and nothing shall lead to it any more.
    mutating func hide(_ name: MeshResourceName) { hidden.formUnion(references(of: name)) }

    mutating func remove(_ name: MeshResourceName) {
        for reference in references(of: name) {
            hidden.remove(reference)
            guard let id = ids.removeValue(forKey: reference) else { continue }
            owners = owners.filter { $0.value != id }
        }
    }
}

extension ServiceKey {
    static func named(_ name: String) -> ServiceKey { ServiceKey(namespace: "default", hostname: name) }
}

func service(_ name: String, _ addresses: [String] = [], ports: [UInt16] = [80]) -> Service {
    Service(
        key: .named(name), name: name, addresses: addresses.compactMap { IPAddress($0) },
        ports: ports.map { ServicePort(port: $0, transport: .tcp) })
}

func put(_ service: Service) -> ResourceChange<MeshResource> { .upsert(.service(service)) }
func put(_ routes: RouteConfiguration) -> ResourceChange<MeshResource> { .upsert(.routes(routes)) }
func put(_ listener: Listener) -> ResourceChange<MeshResource> { .upsert(.listener(listener)) }
func put(cluster name: String) -> ResourceChange<MeshResource> { .upsert(.cluster(Cluster(name: name))) }
func drop(service name: String) -> ResourceChange<MeshResource> { .remove(.service(.named(name))) }

/// Routes of a service's port 80.
func routes(of name: String, _ hosts: [VirtualHost]) -> RouteConfiguration {
    RouteConfiguration(key: .service(.named(name), port: 80), virtualHosts: hosts)
}

func host(_ domains: [DomainPattern] = [.any], _ routes: [Route]) -> VirtualHost {
    VirtualHost(domains: domains, routes: routes)
}

extension BackendReference {
    static func named(_ name: String, port: UInt16 = 80) -> BackendReference {
        BackendReference(service: .named(name), port: port)
    }
}

extension RouteAction {
    /// Shares by weight.
    static func to(_ parts: [(String, UInt32)]) -> RouteAction {
        .forward(ForwardAction(backends: parts.map { WeightedBackend(backend: .named($0.0), weight: $0.1) }))
    }
    static func to(_ name: String) -> RouteAction { .to([(name, UInt32(1))]) }
}

func route(
    _ name: String = "r", _ path: PathMatch = .prefix("/"), headers: [NamedMatch] = [], to action: RouteAction
) -> Route {
    Route(name: name, match: RouteMatch(path: path, headers: headers), action: action)
}
