// A mesh that changes at random: services that share and contend for few addresses, workloads that come and
// go.
import KmeshKit

struct World {
    private(set) var services: [ServiceKey: Service] = [:]
    private(set) var workloads: [String: Workload] = [:]
    private(set) var nodes: [String: Node] = [:]
    private(set) var random: SplitMix64

    static let localNode = "n1"
    static let virtualAddresses =
        (1...8).map { IPAddress(v4: 0x0a60_0000 + $0) }
        + (1...4).map { IPAddress(high: 0xfd00 << 48, low: $0) }
    static let ports: [UInt16] = [53, 80, 443]

    /// Every address and port that is ever dialed.
    static let frontends =
        virtualAddresses.flatMap { address in
            ports.flatMap { port in
                TransportProtocol.allCases.map { FrontendKey(address: address, port: port, transport: $0) }
            }
        } + workloadAddresses.map { FrontendKey(address: $0, port: 8080, transport: .tcp) }

    /// Of workloads that may have a waypoint.
    static let workloadAddresses =
        (0...29).map { IPAddress(v4: 0x0a01_0000 + $0) }
        + (0...29).map { IPAddress(high: 0xfd01 << 48, low: $0) }

    /// Whether workloads have waypoints, too.
    let marksWorkloads: Bool

    init(seed: UInt64, marksWorkloads: Bool) {
        random = SplitMix64(seed: seed)
        self.marksWorkloads = marksWorkloads
    }

    /// The waypoint of a workload's address.
    func waypoint(of address: IPAddress) -> WaypointReference? {
        let claims = workloads.values.filter { $0.waypoint != nil && $0.addresses.contains(address) }
        return claims.min { $0.uid < $1.uid }?.waypoint
    }

    /// Everything, as a source says it after a restart.
    mutating func configuration() -> [ResourceChange<MeshResource>] {
        let all: [ResourceChange<MeshResource>] =
            services.values.sorted { $0.key.hostname < $1.key.hostname }.map { .upsert(.service($0)) }
            + workloads.values.sorted { $0.uid < $1.uid }.map { .upsert(.workload($0)) }
            + nodes.values.sorted { $0.name < $1.name }.map { .upsert(.node($0)) }
        return all.shuffled(using: &random)
    }

    /// A batch of changes; mostly one.
    mutating func step() -> [ResourceChange<MeshResource>] {
        let count = chance(0.7) ? 1 : chance(0.8) ? number(2...6) : number(10...40)
        return (0..<count).map { _ in change() }
    }

    mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &random) < probability
    }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[number(0...(elements.count - 1))]
    }

    private mutating func change() -> ResourceChange<MeshResource> {
        switch number(0...99) {
        case 0..<15: return changeService()
        case 15..<20: return removeService()
        case 20..<78: return changeWorkload()
        case 78..<95: return removeWorkload()
        default: return changeNode()
        }
    }

    private mutating func changeService() -> ResourceChange<MeshResource> {
        let key = serviceKey()
        var service = services[key] ?? newService(key)
        if services[key] != nil {
            switch number(0...6) {
            case 6: service.waypoint = waypoint(for: key)
            case 0: service.addresses = addresses()
            case 1: service.ports = servicePorts()
            case 2: service.policy = policy()
            case 3: service.locality = locality()
            case 4: service.affinityTimeout = chance(0.5) ? nil : UInt32(number(1...100))
            default: service = newService(key)
            }
        }
        services[key] = service
        return .upsert(.service(service))
    }

    private mutating func newService(_ key: ServiceKey) -> Service {
        var service = Service(
            key: key, name: key.hostname, addresses: addresses(), ports: servicePorts(), policy: policy(),
            locality: locality(), affinityTimeout: chance(0.8) ? nil : 60)
        service.waypoint = waypoint(for: key)
        return service
    }

    /// Two services are waypoints and go through none.
    private mutating func waypoint(for key: ServiceKey? = nil) -> WaypointReference? {
        guard chance(0.4), key.map({ $0.hostname < "s8" }) ?? true else { return nil }
        let waypoint = ServiceKey(namespace: "default", hostname: chance(0.7) ? "s8" : "s9")
        return WaypointReference(service: waypoint, port: pick(Self.ports))
    }

    private mutating func removeService() -> ResourceChange<MeshResource> {
        let key = serviceKey()
        services[key] = nil
        return .remove(.service(key))
    }

    private mutating func changeWorkload() -> ResourceChange<MeshResource> {
        let uid = "Pod/default/w\(number(0...24))"
        var workload = workloads[uid] ?? newWorkload(uid)
        if workloads[uid] != nil {
            switch number(0...6) {
            case 6:
                workload.waypoint = marksWorkloads ? waypoint() : nil
                workload.isWaypoint = chance(0.3)
            case 0: workload.addresses = workloadAddresses()
            case 1: workload.locality = place()
            case 2: workload.weight = weight()
            case 3: workload.memberships = memberships()
            case 4:
                for index in workload.memberships.indices {
                    workload.memberships[index].health = chance(0.5) ? .ready : .terminating
                }
            default: workload = newWorkload(uid)
            }
        }
        workloads[uid] = workload
        return .upsert(.workload(workload))
    }

    private mutating func newWorkload(_ uid: String) -> Workload {
        var workload = Workload(
            uid: uid, name: uid, namespace: "default", addresses: workloadAddresses(), locality: place(),
            weight: weight(), memberships: memberships())
        workload.waypoint = marksWorkloads ? waypoint() : nil
        workload.isWaypoint = chance(0.2)
        return workload
    }

    private mutating func removeWorkload() -> ResourceChange<MeshResource> {
        let uid = "Pod/default/w\(number(0...24))"
        workloads[uid] = nil
        return .remove(.workload(uid: uid))
    }

    private mutating func changeNode() -> ResourceChange<MeshResource> {
        let name = "n\(number(1...3))"
        if chance(0.2) {
            nodes[name] = nil
            return .remove(.node(name))
        }
        let place = place()
        nodes[name] = Node(name: name, region: place.region, zone: place.zone)
        return .upsert(.node(Node(name: name, region: place.region, zone: place.zone)))
    }

    private mutating func serviceKey() -> ServiceKey {
        ServiceKey(namespace: "default", hostname: "s\(number(0...9))")
    }

    private mutating func addresses() -> [IPAddress] {
        chance(0.05) ? [] : (0..<number(1...3)).map { _ in pick(Self.virtualAddresses) }
    }

    private mutating func servicePorts() -> [ServicePort] {
        Self.ports.shuffled(using: &random).prefix(number(1...2)).map { port in
            ServicePort(port: port, transport: chance(0.8) ? .tcp : .udp)
        }
    }

    private mutating func policy() -> LoadBalancingPolicy {
        chance(0.8) ? .random : chance(0.5) ? .weighted : .maglev
    }

    private mutating func locality() -> LocalityPreference? {
        guard chance(0.5) else { return nil }
        let scopes = LocalityScope.allCases.prefix(number(1...3))
        return LocalityPreference(mode: chance(0.7) ? .failover : .strict, scopes: Array(scopes))
    }

    private mutating func workloadAddresses() -> [IPAddress] {
        let v4 = IPAddress(v4: 0x0a01_0000 + UInt32(number(0...29)))
        let v6 = IPAddress(high: 0xfd01 << 48, low: UInt64(number(0...29)))
        return chance(0.5) ? [v4] : chance(0.7) ? [v4, v6] : [v6]
    }

    private mutating func place() -> Locality {
        Locality(
            region: pick(["r1", "r1", "r2", ""]), zone: pick(["z1", "z2", ""]), node: "n\(number(1...3))")
    }

    private mutating func weight() -> UInt32 { pick([0, 1, 1, 1, 2, 5, 100]) }

    private mutating func memberships() -> [Membership] {
        (0..<number(0...3)).map { _ in
            Membership(
                service: serviceKey(),
                ports: Self.ports.prefix(number(1...3)).map { port in
                    PortMapping(
                        servicePort: port, transport: chance(0.8) ? .tcp : .udp,
                        targetPort: chance(0.9) ? 8000 + port : 9000)
                },
                health: chance(0.8) ? .ready : .terminating)
        }
    }
}
