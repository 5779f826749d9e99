/// Which services and workloads are targets of conveyed destinations, and where in the index they are.
internal import KmeshKit

struct TargetPlacement: Sendable {
    struct Numbers {
        var cluster: Int32?
        var table: Int32?
    }

    private struct PlacedWorkload {
        var number: Int32
        var addresses: [IPAddress]
        var policies: Int32
    }

    private struct PlacedPort {
        var number: Int32
        var target: Target
        var addresses: [SocketAddress]

        func isAtPlace(of other: PlacedPort) -> Bool {
            target.kind == other.target.kind && addresses == other.addresses
        }
    }

    private(set) var index = TargetIndex()
    /// Only what asks for this waypoint is a target; `nil`: everything.
    private let scope: ServiceKey?
    private var services: [ServiceKey: [PlacedPort]] = [:]
    private var workloads: [String: PlacedWorkload] = [:]
    /// How many name a service as their waypoint. It is no target then: its traffic would come back.
    private var waypoints: [ServiceKey: Int] = [:]
    /// Services that became a waypoint, or are none any more.
    private var turned: Set<ServiceKey> = []

    init(scope: ServiceKey?) { self.scope = scope }

    mutating func note(waypointOf old: WaypointReference?, becomes new: WaypointReference?) {
        guard old?.service != new?.service else { return }
        if let old {
            waypoints[old.service, default: 0] -= 1
            if waypoints[old.service] == 0 {
                waypoints[old.service] = nil
                turned.insert(old.service)
            }
        }
        if let new {
            if waypoints[new.service] == nil { turned.insert(new.service) }
            waypoints[new.service, default: 0] += 1
        }
    }

    mutating func takeTurnedServices() -> Set<ServiceKey> {
        defer { turned = [] }
        return turned
    }

    /// Makes the index say what `service` is; `nil`: it is gone. `policies` is the number of its set.
    mutating func place(
        _ service: Service?, _ key: ServiceKey, policies: Int32, numbers: (BackendReference) -> Numbers
    ) {
        let old = services[key] ?? []
        var new: [PlacedPort] = []
        for port in service?.tcpPorts ?? [] {
            let backend = BackendReference(service: key, port: port.port)
            let found = numbers(backend)
            let target = Target(
                kind: .service(backend), applicationProtocol: port.applicationProtocol,
                cluster: found.cluster ?? -1, table: found.table, policies: policies)
            new.append(PlacedPort(number: -1, target: target, addresses: addresses(of: service, port)))
        }
        for port in old where !new.contains(where: port.isAtPlace(of:)) {
            index.remove(port.number, from: port.addresses)
        }
        for place in new.indices {
            if let same = old.first(where: { $0.isAtPlace(of: new[place]) }) {
                new[place].number = same.number
                if same.target != new[place].target { index.replace(same.number, with: new[place].target) }
            } else {
                new[place].number = index.insert(new[place].target, at: new[place].addresses)
            }
        }
        services[key] = new.isEmpty ? nil : new
    }

    private func addresses(of service: Service?, _ port: ServicePort) -> [SocketAddress] {
        guard let service, isTarget(service) else { return [] }
        return Set(service.addresses).sorted().map { SocketAddress($0, port.port) }
    }

    /// By uid: those that are targets.
    var placedWorkloads: [String] { Array(workloads.keys) }

    /// Only workloads with a waypoint of their own are targets by their addresses.
    mutating func place(_ workload: Workload?, uid: String, policies: Int32) {
        let old = workloads[uid]
        let addresses = workload.map { isTarget($0) ? $0.addresses : [] } ?? []
        let target = Target(
            kind: .workload(uid: uid), applicationProtocol: .detect, cluster: -1, table: nil,
            policies: policies)
        if let old, old.addresses == addresses {
            if old.policies != policies { index.replace(old.number, with: target) }
            workloads[uid]?.policies = policies
            return
        }
        if let old { index.remove(workload: old.number, from: old.addresses) }
        guard !addresses.isEmpty else {
            workloads[uid] = nil
            return
        }
        let number = index.insert(workload: target, at: addresses)
        workloads[uid] = PlacedWorkload(number: number, addresses: addresses, policies: policies)
    }

    private func isTarget(_ service: Service) -> Bool {
        if let scope { return service.waypoint?.service == scope }
        return waypoints[service.key] == nil
    }

    private func isTarget(_ workload: Workload) -> Bool {
        guard let waypoint = workload.waypoint else { return false }
        return scope == nil || waypoint.service == scope
    }
}
