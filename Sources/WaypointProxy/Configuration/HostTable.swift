/// The routes of listeners that belong to no service: hosts of Gateways, then every service by its names.
internal import KmeshKit

struct HostTable: Sendable {
    /// Where the short names of services are known.
    let namespace: String
    let clusterDomain: String

    static let key = RouteConfigurationKey.gateway(namespace: "", name: "plain", listener: "")

    /// Whose a host is: a service port's, or that of Gateways.
    struct Owner: Hashable, Sendable {
        var backend: BackendReference?
        var gateways: [PolicyTarget] = []
    }

    /// Hosts with their owners, by number.
    private struct Hosts {
        var list: [VirtualHost] = []
        var owners: [Owner] = []
        var places: [DomainPattern: Int] = [:]

        mutating func append(_ host: VirtualHost, _ owner: Owner) {
            list.append(host)
            owners.append(owner)
        }
    }

    /// The routes of a Gateway's hosts come before those that a service's name leads to.
    func hosts(
        services: [ServiceKey: Service], routes: [RouteConfigurationKey: RouteConfiguration]
    ) -> (configuration: RouteConfiguration, owners: [Owner]) {
        var hosts = Hosts()
        addGateways(routes, to: &hosts)
        let sorted = services.values.filter { !$0.tcpPorts.isEmpty }.sorted { left, right in
            // Of two services with one name, that of the own namespace is meant.
            let own = (left.key.namespace == namespace, right.key.namespace == namespace)
            return own.0 == own.1 ? left.key < right.key : own.0
        }
        // A host that somebody wrote out is stronger than a short form of another.
        for isShort in [false, true] {
            for service in sorted {
                let names = isShort ? shortNames(of: service) : [service.key.hostname.lowercased()]
                add(service, names, routes, to: &hosts)
            }
        }
        return (RouteConfiguration(key: Self.key, virtualHosts: hosts.list), hosts.owners)
    }

    /// Hosts of several Gateways are tried in the order of the Gateways' names.
    private func addGateways(
        _ routes: [RouteConfigurationKey: RouteConfiguration], to hosts: inout Hosts
    ) {
        let gateways = routes.values.filter { !$0.key.isOfService }
        for gateway in gateways.sorted(by: { $0.key.description < $1.key.description }) {
            guard case .gateway(let namespace, let name, _) = gateway.key else { continue }
            let owner = PolicyTarget.gateway(namespace: namespace, name: name)
            for host in gateway.virtualHosts {
                for domain in host.domains {
                    if let place = hosts.places[domain] {
                        hosts.list[place].routes += host.routes
                        if !hosts.owners[place].gateways.contains(owner) {
                            hosts.owners[place].gateways.append(owner)
                        }
                    } else {
                        hosts.places[domain] = hosts.list.count
                        hosts.append(
                            VirtualHost(domains: [domain], routes: host.routes), Owner(gateways: [owner]))
                    }
                }
            }
        }
    }

    private func add(
        _ service: Service, _ names: [String],
        _ routes: [RouteConfigurationKey: RouteConfiguration], to hosts: inout Hosts
    ) {
        let free = names.filter { hosts.places[.exact($0)] == nil }
        guard !free.isEmpty else { return }
        for name in free { hosts.places[.exact(name)] = hosts.list.count }
        let ports = service.tcpPorts
        guard let standard = ports.first(where: { $0.applicationProtocol != .tcp }) ?? ports.first else {
            return
        }
        for port in ports {
            var domains = free.map { DomainPattern.exact("\($0):\(port.port)") }
            if port == standard { domains += free.map { .exact($0) } }
            let backend = BackendReference(service: service.key, port: port.port)
            hosts.append(
                VirtualHost(domains: domains, routes: self.routes(of: backend, service, port.port, routes)),
                Owner(backend: backend))
        }
    }

    /// The service's own routes; else everything goes to its endpoints.
    private func routes(
        of backend: BackendReference, _ service: Service, _ port: UInt16,
        _ routes: [RouteConfigurationKey: RouteConfiguration]
    ) -> [Route] {
        if let key = backend.ownRoutes, let own = routes[key] {
            return own.virtualHosts.flatMap(\.routes)
        }
        let forward = ForwardAction(backends: [WeightedBackend(backend: backend)])
        return [
            Route(
                name: "\(service.key.namespace)/\(service.name):\(port)", action: .forward(forward))
        ]
    }

    /// `reviews.default` and the like; `reviews` alone only in the own namespace.
    private func shortNames(of service: Service) -> [String] {
        let name = service.name.lowercased()
        let qualified = "\(name).\(service.key.namespace)".lowercased()
        guard service.key.hostname.lowercased() == "\(qualified).svc.\(clusterDomain)" else { return [] }
        let own = service.key.namespace == namespace ? [name] : []
        return own + [qualified, "\(qualified).svc"]
    }
}

extension RouteConfigurationKey {
    var isOfService: Bool {
        switch self {
        case .service: true
        case .gateway, .named: false
        }
    }
}

extension BackendReference {
    /// What configures the service port's own routes.
    var ownRoutes: RouteConfigurationKey? { servicePort.map { .service($0.key, port: $0.port) } }
}

extension RouteConfiguration {
    /// The service ports that its requests go to.
    var backends: Set<BackendReference> {
        var backends: Set<BackendReference> = []
        for route in virtualHosts.lazy.flatMap(\.routes) {
            guard case .forward(let action) = route.action else { continue }
            for weighted in action.backends {
                if let backend = weighted.backend { backends.insert(backend) }
            }
        }
        return backends
    }
}
