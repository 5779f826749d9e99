// The lookup of `bpf/lib/l4_lookup.h` once more, over maps in memory: what programs can answer in this
// moment.
import CKmeshABI
import KmeshKit

enum Outcome: Hashable, Sendable {
    case endpoint(IPAddress, UInt16)
    /// An instance of the waypoint of what was dialed.
    case redirected(IPAddress, UInt16)
    case noWaypoint
    case noWaypointEndpoint
    case noEndpoint
    case noLocalEndpoint
    case undeclaredPort
    case notAService
    /// An entry that another one refers to is not there.
    case incomplete
}

struct ReferenceLookup: Sendable {
    let maps: InMemoryL4Maps

    /// Everything that a program can answer to a connection, whatever number it draws.
    func outcomes(of key: FrontendKey) -> Set<Outcome> {
        guard let frontend = maps.frontends.value(of: key) else {
            guard let marker = maps.frontends.value(of: FrontendKey(markerOf: key.address)) else {
                return [.notAService]
            }
            return marker.serviceID == 0 ? [.undeclaredPort] : Set(redirected(to: marker.serviceID).keys)
        }
        return Set(choices(of: frontend.serviceID).keys)
    }

    /// The choices of a waypoint's service port, as who goes through it sees them.
    private func redirected(to id: UInt32) -> [Outcome: Int] {
        guard id != KMESH_WAYPOINT_MISSING else { return [.noWaypoint: 1] }
        guard let value = maps.services.value(of: ServiceMapKey(serviceID: id)) else {
            return [.incomplete: 1]
        }
        var choices: [Outcome: Int] = [:]
        for (outcome, count) in self.choices(of: id, value) {
            choices[outcome.throughWaypoint, default: 0] += count
        }
        return choices
    }

    /// Each answer of a service with the number of slots that lead to it.
    func choices(of serviceID: UInt32) -> [Outcome: Int] {
        guard let value = maps.services.value(of: ServiceMapKey(serviceID: serviceID)) else {
            return [.incomplete: 1]
        }
        return value.waypointID == 0 ? choices(of: serviceID, value) : redirected(to: value.waypointID)
    }

    private func choices(of serviceID: UInt32, _ value: ServiceValue) -> [Outcome: Int] {
        guard value.endpointCount > 0 else { return [refusal(value): 1] }
        var choices: [Outcome: Int] = [:]
        for (id, count) in chosen(value, of: serviceID) {
            choices[endpoint(id, of: serviceID), default: 0] += count
        }
        return choices
    }

    func refusal(_ value: ServiceValue) -> Outcome {
        value.flags & KMESH_SERVICE_STRICT.rawValue != 0 ? .noLocalEndpoint : .noEndpoint
    }

    func endpoint(_ id: UInt32, of serviceID: UInt32) -> Outcome {
        let value = maps.endpoints.value(of: EndpointKey(serviceID: serviceID, endpointID: id))
        return value.map { .endpoint($0.address, $0.port) } ?? .incomplete
    }

    private func chosen(_ value: ServiceValue, of serviceID: UInt32) -> [UInt32: Int] {
        var counts: [UInt32: Int] = [:]
        if value.policy == KMESH_POLICY_RANDOM.rawValue {
            for index in 0..<value.endpointCount {
                let slot = SlotKey(serviceID: serviceID, tier: value.tier, index: index)
                counts[maps.slots.value(of: slot)?.endpointID ?? 0, default: 0] += 1
            }
        } else {
            let table = maps.tables.value(of: ServiceMapKey(serviceID: serviceID))
            for id in table?.endpointIDs ?? [0] { counts[id, default: 0] += 1 }
        }
        return counts
    }
}

extension Outcome {
    /// What it means when the service is the waypoint of what was dialed.
    var throughWaypoint: Outcome {
        switch self {
        case .endpoint(let address, let port): .redirected(address, port)
        case .noEndpoint, .noLocalEndpoint: .noWaypointEndpoint
        default: self
        }
    }
}

/// A program in the middle of a lookup: each step reads one entry, and writes happen between the steps.
struct SlowReader: Sendable {
    private enum Position: Sendable {
        case start
        case service(UInt32)
        case choice(UInt32, ServiceValue)
        case endpoint(UInt32, UInt32)
    }

    let frontend: FrontendKey
    /// The update during which it began.
    let epoch: Int
    private var position = Position.start
    private var attempts = 0
    private var isRedirected = false

    init(frontend: FrontendKey, epoch: Int) {
        self.frontend = frontend
        self.epoch = epoch
    }

    /// Reads one entry. Returns the answer when there is one.
    mutating func step(_ lookup: ReferenceLookup, draw: UInt64) -> Outcome? {
        let maps = lookup.maps
        switch position {
        case .start:
            isRedirected = false
            if let entry = maps.frontends.value(of: frontend) {
                position = .service(entry.serviceID)
            } else if let marker = maps.frontends.value(of: FrontendKey(markerOf: frontend.address)) {
                guard marker.serviceID != 0 else { return .undeclaredPort }
                return redirect(to: marker.serviceID)
            } else {
                return .notAService
            }
        case .service(let id):
            guard let value = maps.services.value(of: ServiceMapKey(serviceID: id)) else { return again() }
            if value.waypointID != 0, !isRedirected { return redirect(to: value.waypointID) }
            guard value.endpointCount > 0 else { return seen(lookup.refusal(value)) }
            position = .choice(id, value)
        case .choice(let id, let value):
            var chosen: UInt32?
            if value.policy == KMESH_POLICY_RANDOM.rawValue {
                let index = UInt32(truncatingIfNeeded: draw % UInt64(value.endpointCount))
                let slot = SlotKey(serviceID: id, tier: value.tier, index: index)
                chosen = maps.slots.value(of: slot)?.endpointID
            } else {
                let table = maps.tables.value(of: ServiceMapKey(serviceID: id))
                chosen = table?.endpointIDs[Int(draw % UInt64(KMESH_TABLE_SLOTS))]
            }
            guard let chosen else { return again() }
            position = .endpoint(id, chosen)
        case .endpoint(let id, let endpointID):
            let outcome = lookup.endpoint(endpointID, of: id)
            return outcome == .incomplete ? again() : seen(outcome)
        }
        return nil
    }

    private func seen(_ outcome: Outcome) -> Outcome { isRedirected ? outcome.throughWaypoint : outcome }

    private mutating func redirect(to id: UInt32) -> Outcome? {
        guard id != KMESH_WAYPOINT_MISSING else { return .noWaypoint }
        isRedirected = true
        position = .service(id)
        return nil
    }

    private mutating func again() -> Outcome? {
        attempts += 1
        position = .start
        return attempts < Int(KMESH_ATTEMPTS_MAX) ? nil : .incomplete
    }
}
