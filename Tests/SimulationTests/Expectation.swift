// What a configuration means, worked out from the model alone and in the plainest way: the judge of the maps.
import CKmeshABI
import KmeshKit

struct Target: Hashable {
    let address: IPAddress
    let port: UInt16
}

/// One port of one service in one address family.
struct ExpectedPort: Hashable {
    struct Quality: Hashable {
        var isTerminating: Bool
        var distance: Int
        var weight: UInt32

        func isBetter(than other: Quality) -> Bool {
            if isTerminating != other.isTerminating { return !isTerminating }
            if distance != other.distance { return distance < other.distance }
            return weight > other.weight
        }
    }

    var policy: LoadBalancingPolicy
    var affinityTimeout: UInt32?
    var targets: [Target: Quality] = [:]
    /// There are endpoints, but strict locality forbids them.
    var isForbidden = false
    /// Read back from the data plane, because nobody else knows: weights are not known.
    var isObserved = false

    /// The endpoints that new connections reach, with their shares.
    var chosen: [Target: Double] {
        var candidates = targets
        if policy != .random, !isObserved { candidates = candidates.filter { $0.value.weight > 0 } }
        if candidates.values.contains(where: { !$0.isTerminating }) {
            candidates = candidates.filter { !$0.value.isTerminating }
        }
        let nearest = candidates.values.map(\.distance).min()
        candidates = candidates.filter { $0.value.distance == nearest }
        return candidates.mapValues { policy == .random ? 1 : Double($0.weight) }
    }

    var outcomes: Set<Outcome> {
        let chosen = chosen
        if chosen.isEmpty, isObserved { return [.noLocalEndpoint, .noEndpoint] }
        if chosen.isEmpty { return [isForbidden ? .noLocalEndpoint : .noEndpoint] }
        return Set(chosen.keys.map { .endpoint($0.address, $0.port) })
    }

    /// What a program may answer while the service changes from or to this.
    var passingOutcomes: Set<Outcome> {
        let all = Set(targets.keys.map { Outcome.endpoint($0.address, $0.port) })
        if isObserved { return all.union([.noLocalEndpoint, .noEndpoint]) }
        return chosen.isEmpty ? all.union(outcomes) : all
    }
}

extension ExpectedPort? {
    /// What goes through this port of a waypoint's service leads to; `nil` is one that is not there.
    var outcomesThrough: Set<Outcome> {
        self.map { Set($0.outcomes.map(\.throughWaypoint)) } ?? [.noWaypoint]
    }

    var passingOutcomesThrough: Set<Outcome> {
        self.map { Set($0.passingOutcomes.map(\.throughWaypoint)) } ?? [.noWaypoint]
    }
}

/// A service as it should be in the maps.
struct ExpectedService: Hashable {
    struct PortKey: Hashable {
        let port: UInt16
        let transport: TransportProtocol
        let family: AddressFamily
    }

    var addresses: Set<IPAddress> = []
    var ports: [PortKey: ExpectedPort] = [:]
    /// Addresses by port: all of the family, unless a data plane was asked.
    var frontends: [FrontendKey: PortKey] = [:]
    var waypoint: WaypointReference?

    init() {}

    init(_ service: Service, in world: World) {
        addresses = Set(service.addresses)
        waypoint = service.waypoint
        for port in service.ports {
            for address in addresses {
                let key = PortKey(port: port.port, transport: port.transport, family: address.family)
                frontends[FrontendKey(address: address, port: port.port, transport: port.transport)] = key
                ports[key] = ports[key] ?? Self.port(key, of: service, in: world)
            }
        }
    }

    private static func port(_ key: PortKey, of service: Service, in world: World) -> ExpectedPort {
        var expected = ExpectedPort(policy: service.policy, affinityTimeout: service.affinityTimeout)
        for workload in world.workloads.values {
            for membership in workload.memberships where membership.service == service.key {
                for mapping in membership.ports
                where mapping.servicePort == key.port && mapping.transport == key.transport {
                    let quality = ExpectedPort.Quality(
                        isTerminating: membership.health == .terminating,
                        distance: distance(of: workload, for: service, in: world), weight: workload.weight)
                    for address in workload.addresses where address.family == key.family {
                        let target = Target(address: address, port: mapping.targetPort)
                        if expected.targets[target].map({ quality.isBetter(than: $0) }) ?? true {
                            expected.targets[target] = quality
                        }
                    }
                }
            }
        }
        if service.locality?.mode == .strict {
            let allowed = expected.targets.filter { $0.value.distance == 0 }
            expected.isForbidden = allowed.isEmpty && !expected.targets.isEmpty
            expected.targets = allowed
        }
        return expected
    }

    private static func distance(of workload: Workload, for service: Service, in world: World) -> Int {
        guard let preference = service.locality else { return 0 }
        let node = world.nodes[World.localNode]
        for (index, scope) in preference.scopes.enumerated() {
            let pair =
                switch scope {
                case .region: (node?.region ?? "", workload.locality.region)
                case .zone: (node?.zone ?? "", workload.locality.zone)
                case .node: (World.localNode, workload.locality.node)
                }
            if pair.0.isEmpty || pair.0 != pair.1 { return preference.scopes.count - index }
        }
        return 0
    }

    /// Entries that it takes in each map, without markers.
    var entryCounts: MapCounts {
        MapCounts(
            frontends: frontends.count, services: ports.count,
            slots: ports.values.filter { $0.policy == .random }.reduce(0) { $0 + $1.targets.count },
            tables: ports.values.count { $0.policy != .random && !$0.chosen.isEmpty },
            endpoints: ports.values.reduce(0) { $0 + $1.targets.count })
    }
}

/// Services that are in force together.
struct ExpectedMesh {
    var services: [ServiceKey: ExpectedService] = [:]
    /// Workloads' addresses that have a waypoint.
    var marks: [IPAddress: WaypointReference] = [:]
    /// Addresses of waypoint instances.
    var instances: Set<IPAddress> = []

    /// The service port that a service port's connections go through; `.some(nil)` when it is not there.
    func waypoint(of service: ExpectedService, _ port: ExpectedService.PortKey) -> ExpectedPort?? {
        guard let waypoint = service.waypoint, port.transport == .tcp else { return .none }
        return .some(self.port(of: waypoint, port.family))
    }

    func port(of waypoint: WaypointReference, _ family: AddressFamily) -> ExpectedPort? {
        let key = ExpectedService.PortKey(port: waypoint.port, transport: .tcp, family: family)
        return services[waypoint.service]?.ports[key]
    }

    /// Services that have the address and port; more than one would be wrong.
    func owners(of key: FrontendKey) -> [ServiceKey] {
        services.filter { $0.value.frontends[key] != nil }.map(\.key)
    }

    func owner(of key: FrontendKey) -> (ServiceKey, ExpectedService.PortKey)? {
        for (name, service) in services {
            if let port = service.frontends[key] { return (name, port) }
        }
        return nil
    }

    func isMarked(_ address: IPAddress) -> Bool {
        services.values.contains { $0.addresses.contains(address) }
    }

    var entryCounts: MapCounts {
        var sum = MapCounts()
        for service in services.values {
            let counts = service.entryCounts
            sum.frontends += counts.frontends
            sum.services += counts.services
            sum.slots += counts.slots
            sum.tables += counts.tables
            sum.endpoints += counts.endpoints
        }
        sum.frontends += Set(services.values.flatMap(\.addresses)).union(marks.keys).count
        sum.waypoints = instances.count
        return sum
    }
}
