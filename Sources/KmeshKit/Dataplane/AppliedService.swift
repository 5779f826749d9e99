/// A service as it is in force: all of its ports, or none.
struct AppliedService: Hashable, Sendable {
    /// Those that are the service's alone: sorted, each once; each has a marker.
    var addresses: [IPAddress] = []
    var ports: [ServicePortState] = []
    /// Where its connections go through.
    var waypoint: WaypointReference?

    var isEmpty: Bool { addresses.isEmpty && ports.isEmpty }

    /// What clients dial, and the id that answers.
    var frontends: [(key: FrontendKey, id: UInt32)] {
        ports.flatMap { port in port.frontendKeys.map { ($0, port.id) } }
    }

    func hasSameFrontends(as other: AppliedService) -> Bool {
        guard addresses == other.addresses, ports.count == other.ports.count else { return false }
        return zip(ports, other.ports).allSatisfy {
            $0.id == $1.id && $0.key == $1.key && $0.frontends == $1.frontends
        }
    }

    func port(_ key: ServicePortKey) -> ServicePortState? { ports.first { $0.key == key } }
}
