// Short ways to write services, workloads and changes.
import KmeshKit

func service(
    _ name: String, _ addresses: [String] = [], ports: [UInt16] = [80], policy: LoadBalancingPolicy = .random,
    locality: LocalityPreference? = nil, affinity: UInt32? = nil
) -> Service {
    Service(
        key: key(name), name: name, addresses: addresses.compactMap { IPAddress($0) },
        ports: ports.map { ServicePort(port: $0, transport: .tcp) }, policy: policy, locality: locality,
        affinityTimeout: affinity)
}

/// Those that the maps can say.
let steeringPolicies: [LoadBalancingPolicy] = [.random, .weighted, .maglev]

func key(_ name: String) -> ServiceKey { ServiceKey(namespace: "default", hostname: name) }

/// A workload that serves `services` on port 80 with target port 8080.
func workload(
    _ name: String, _ addresses: [String], serving services: [String], health: EndpointHealth = .ready,
    weight: UInt32 = 1, locality: Locality = Locality(), targetPort: UInt16 = 8080
) -> Workload {
    Workload(
        uid: "Pod/default/\(name)", name: name, namespace: "default",
        addresses: addresses.compactMap { IPAddress($0) }, locality: locality, weight: weight,
        memberships: services.map {
            Membership(
                service: key($0),
                ports: [PortMapping(servicePort: 80, transport: .tcp, targetPort: targetPort)], health: health
            )
        })
}

/// Workloads `<name>-0` … with addresses from 10.1.0.0 on.
func workloads(_ count: Int, _ name: String = "w", serving services: [String]) -> [Workload] {
    (0..<count).map { workload("\(name)-\($0)", ["10.1.\($0 / 256).\($0 % 256)"], serving: services) }
}

typealias Change = ResourceChange<MeshResource>

func put(_ service: Service) -> Change { .upsert(.service(service)) }
func put(_ workload: Workload) -> Change { .upsert(.workload(workload)) }
func remove(_ workload: Workload) -> Change { .remove(.workload(uid: workload.uid)) }
func remove(_ service: Service) -> Change { .remove(.service(service.key)) }

/// A data plane over maps in memory.
struct Rig {
    let maps: InMemoryL4Maps
    var dataplane: L4Dataplane

    init(capacities: MapCounts = .defaultCapacities, localNode: String = "n1") {
        maps = InMemoryL4Maps(capacities: capacities)
        dataplane = L4Dataplane(maps: maps.maps, localNode: localNode)
    }

    /// Starts another data plane over the same maps, as a restart does.
    mutating func restart(localNode: String = "n1") throws {
        dataplane = L4Dataplane(maps: maps.maps, localNode: localNode)
        try dataplane.adopt()
    }

    /// Applies, and returns the writes that the maps saw.
    @discardableResult
    mutating func apply(_ changes: [Change]) -> (rejected: [RejectedResource], writes: Int) {
        let before = maps.writeCount
        let rejected = dataplane.apply(changes).rejected
        return (rejected, maps.writeCount - before)
    }

    /// The service value behind a frontend.
    func value(_ address: String, _ port: UInt16 = 80) -> ServiceValue? {
        serviceID(address, port).flatMap { maps.services.value(of: ServiceMapKey(serviceID: $0)) }
    }

    func serviceID(_ address: String, _ port: UInt16 = 80) -> UInt32? {
        guard let address = IPAddress(address) else { return nil }
        let key = FrontendKey(address: address, port: port, transport: .tcp)
        return maps.frontends.value(of: key)?.serviceID
    }

    func hasMarker(_ address: String) -> Bool {
        IPAddress(address).flatMap { maps.frontends.value(of: FrontendKey(markerOf: $0)) }?.serviceID == 0
    }

    /// Endpoints that the programs can choose for a frontend, once for each slot.
    func choices(_ address: String, _ port: UInt16 = 80) -> [String] {
        guard let id = serviceID(address, port), let value = value(address, port) else { return [] }
        let chosen: [UInt32]
        if value.policy == 1 {
            chosen = (0..<value.endpointCount).map {
                let slot = SlotKey(serviceID: id, tier: value.tier, index: $0)
                return maps.slots.value(of: slot)?.endpointID ?? 0
            }
        } else {
            chosen =
                value.endpointCount == 0
                ? [] : maps.tables.value(of: ServiceMapKey(serviceID: id))?.endpointIDs ?? []
        }
        return chosen.map {
            let endpoint = maps.endpoints.value(of: EndpointKey(serviceID: id, endpointID: $0))
            return endpoint.map { "\($0.address):\($0.port)" } ?? "nothing"
        }.sorted()
    }
}
