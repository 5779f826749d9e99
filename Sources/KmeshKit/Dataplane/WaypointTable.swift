/// Who is a waypoint, and which services and addresses go through one. Remembers what of it changed since the
/// maps were last brought in line.

struct WaypointTable: Sendable {
    /// The workloads that are waypoint instances, by address.
    private var instances: [IPAddress: Set<String>] = [:]
    /// The waypoints of the workloads that have an address.
    private var claims: [IPAddress: [String: WaypointReference]] = [:]
    private var addresses: [ServiceKey: Set<IPAddress>] = [:]
    private var services: [ServiceKey: Set<ServiceKey>] = [:]

    /// Addresses of instances that are in the map, or on their way there.
    private(set) var known: Set<IPAddress> = []
    /// Addresses of instances, and addresses with a waypoint, that found no room in their map.
    private(set) var unplacedInstances: Set<IPAddress> = []
    private(set) var unplacedAddresses: Set<IPAddress> = []

    private var touchedServices: Set<ServiceKey> = []
    private var touchedAddresses: Set<IPAddress> = []
    private var touchedInstances: Set<IPAddress> = []

    // MARK: The configuration

    /// A workload changes; `nil` is one that is not there.
    mutating func replace(_ old: Workload?, with new: Workload?) {
        if let old, let new, old.addresses == new.addresses, old.waypoint == new.waypoint,
            old.isWaypoint == new.isWaypoint
        {
            return
        }
        if let old { remove(old) }
        if let new { add(new) }
    }

    private mutating func remove(_ workload: Workload) {
        for address in workload.addresses where workload.isWaypoint {
            instances[address]?.remove(workload.uid)
            if instances[address]?.isEmpty == true { instances[address] = nil }
            touchedInstances.insert(address)
        }
        guard let waypoint = workload.waypoint else { return }
        for address in workload.addresses {
            claims[address]?[workload.uid] = nil
            let isLeft = claims[address]?.values.contains { $0.service == waypoint.service } ?? false
            if !isLeft { addresses.remove(address, from: waypoint.service) }
            if claims[address]?.isEmpty == true { claims[address] = nil }
            touchedAddresses.insert(address)
        }
    }

    private mutating func add(_ workload: Workload) {
        for address in workload.addresses where workload.isWaypoint {
            instances[address, default: []].insert(workload.uid)
            touchedInstances.insert(address)
        }
        guard let waypoint = workload.waypoint else { return }
        for address in workload.addresses {
            claims[address, default: [:]][workload.uid] = waypoint
            addresses[waypoint.service, default: []].insert(address)
            touchedAddresses.insert(address)
        }
    }

    /// A service comes into force with another waypoint, or none.
    mutating func assign(_ service: ServiceKey, from old: WaypointReference?, to new: WaypointReference?) {
        guard old != nil || new != nil else { return }
        touchedServices.insert(service)
        guard old?.service != new?.service else { return }
        if let old { services.remove(service, from: old.service) }
        if let new { services[new.service, default: []].insert(service) }
    }

    /// What goes through a waypoint's service has to find its service ports again.
    mutating func touchDependents(of waypoint: ServiceKey) {
        if let services = services[waypoint] { touchedServices.formUnion(services) }
        if let addresses = addresses[waypoint] { touchedAddresses.formUnion(addresses) }
    }

    /// The waypoint of an address. Of workloads that share it, which should not be, the first decides.
    func waypoint(of address: IPAddress) -> WaypointReference? {
        claims[address]?.min { $0.key < $1.key }?.value
    }

    /// The services that are waypoints, for those services or for workloads.
    func named(by references: [WaypointReference]) -> Set<ServiceKey> {
        Set(references.map(\.service)).union(addresses.keys)
    }

    func isInstance(_ address: IPAddress) -> Bool { instances[address] != nil }

    // MARK: The maps

    /// Takes over what an earlier run left: all of it is looked at again.
    mutating func adopt(_ found: AdoptedMaps, _ services: [ServiceKey]) {
        known = found.waypoints
        touchedInstances.formUnion(found.waypoints)
        touchedAddresses.formUnion(found.redirects.keys)
        touchedServices.formUnion(services)
    }

    mutating func setKnown(_ address: IPAddress, _ isKnown: Bool) {
        if isKnown { known.insert(address) } else { known.remove(address) }
    }

    /// Notes whether an instance's address found the room that it wants, if it wants any.
    mutating func placeInstance(_ address: IPAddress, hasRoom: Bool) {
        if hasRoom { unplacedInstances.remove(address) } else { unplacedInstances.insert(address) }
    }

    /// The same for the mark of an address with a waypoint.
    mutating func placeAddress(_ address: IPAddress, hasRoom: Bool) {
        if hasRoom { unplacedAddresses.remove(address) } else { unplacedAddresses.insert(address) }
    }

    var waitsForRoom: Bool { !unplacedInstances.isEmpty || !unplacedAddresses.isEmpty }

    /// What to bring in line, sorted; it does not come again.
    mutating func takeTouched() -> (services: [ServiceKey], addresses: [IPAddress], instances: [IPAddress]) {
        defer {
            touchedServices = []
            touchedAddresses = []
            touchedInstances = []
        }
        return (
            touchedServices.sorted(), touchedAddresses.union(unplacedAddresses).sorted(),
            touchedInstances.union(unplacedInstances).sorted()
        )
    }
}

extension Dictionary {
    /// Removes an element of the set under `key`, and the key with its last element.
    fileprivate mutating func remove<Element>(_ element: Element, from key: Key)
    where Value == Set<Element> {
        self[key]?.remove(element)
        if self[key]?.isEmpty == true { self[key] = nil }
    }
}
