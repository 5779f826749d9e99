// The lookup of `bpf/lib/l4_lookup.h` once more, over maps in memory: what programs can answer in this
// moment.
import CKmeshABI
import KmeshKit

enum Outcome: Hashable, Sendable {
    case endpoint(IPAddress, UInt16)
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
            let marker = FrontendKey(markerOf: key.address)
            return maps.frontends.value(of: marker) == nil ? [.notAService] : [.undeclaredPort]
        }
        return Set(choices(of: frontend.serviceID).keys)
    }

    /// Each answer of a service with the number of slots that lead to it.
    func choices(of serviceID: UInt32) -> [Outcome: Int] {
        guard let value = maps.services.value(of: ServiceMapKey(serviceID: serviceID)) else {
            return [.incomplete: 1]
        }
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

    init(frontend: FrontendKey, epoch: Int) {
        self.frontend = frontend
        self.epoch = epoch
    }

    /// Reads one entry. Returns the answer when there is one.
    mutating func step(_ lookup: ReferenceLookup, draw: UInt64) -> Outcome? {
        let maps = lookup.maps
        switch position {
        case .start:
            guard let entry = maps.frontends.value(of: frontend) else {
                return lookup.outcomes(of: frontend).first { $0 == .notAService || $0 == .undeclaredPort }
            }
            position = .service(entry.serviceID)
        case .service(let id):
            guard let value = maps.services.value(of: ServiceMapKey(serviceID: id)) else { return again() }
            guard value.endpointCount > 0 else { return lookup.refusal(value) }
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
            return outcome == .incomplete ? again() : outcome
        }
        return nil
    }

    private mutating func again() -> Outcome? {
        attempts += 1
        position = .start
        return attempts < Int(KMESH_ATTEMPTS_MAX) ? nil : .incomplete
    }
}
