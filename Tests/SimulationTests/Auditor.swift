// Looks at the maps after every single write, as programs in the kernel may.
import KmeshKit
import Synchronization

final class Auditor: Sendable {
    private let lookup: ReferenceLookup
    private let state: Mutex<State>

    struct Reading: Sendable {
        let frontend: FrontendKey
        let outcome: Outcome
        /// The update during which the reader began.
        let epoch: Int
    }

    fileprivate struct State {
        var owners: [FrontendKey: UInt32] = [:]
        var seen: [FrontendKey: Set<Outcome>] = [:]
        var readers: [SlowReader] = []
        var readings: [Reading] = []
        var random: SplitMix64
        var epoch = 0
        var writes = 0
    }

    init(maps: InMemoryL4Maps, seed: UInt64) {
        lookup = ReferenceLookup(maps: maps)
        state = Mutex(State(random: SplitMix64(seed: seed)))
        maps.frontends.observeWrites { [weak self] write in self?.frontendChanged(write.key) }
        maps.services.observeWrites { [weak self] write in self?.serviceChanged(write.key.serviceID) }
        maps.slots.observeWrites { [weak self] write in self?.serviceChanged(write.key.serviceID) }
        maps.tables.observeWrites { [weak self] write in self?.serviceChanged(write.key.serviceID) }
        maps.endpoints.observeWrites { [weak self] write in self?.serviceChanged(write.key.serviceID) }
        maps.waypoints.observeWrites { [weak self] _ in self?.serviceChanged(0) }
    }

    /// Begins the next update.
    func begin() {
        state.withLock {
            $0.epoch += 1
            $0.seen = [:]
            $0.writes = 0
        }
    }

    /// Ends the update: what was seen after its writes, and the answers that slow readers got. Nobody reads
    /// for longer than two updates.
    func end() -> (seen: [FrontendKey: Set<Outcome>], readings: [Reading], writes: Int) {
        state.withLock { state in
            let epoch = state.epoch
            var staying: [SlowReader] = []
            for var reader in state.readers {
                if reader.epoch == epoch {
                    staying.append(reader)
                    continue
                }
                var outcome: Outcome?
                while outcome == nil { outcome = reader.step(lookup, draw: state.random.next()) }
                if let outcome { state.finish(reader, outcome) }
            }
            state.readers = staying
            defer { state.readings = [] }
            return (state.seen, state.readings, state.writes)
        }
    }

    private func frontendChanged(_ key: FrontendKey) {
        let changed = key.isMarker ? World.frontends.filter { $0.address == key.address } : [key]
        let outcomes = changed.map { ($0, lookup.outcomes(of: $0)) }
        let owner = lookup.maps.frontends.value(of: key)?.serviceID
        state.withLock { state in
            if !key.isMarker { state.owners[key] = owner }
            for (key, outcomes) in outcomes { state.seen[key, default: []].formUnion(outcomes) }
            state.moveReaders(lookup)
        }
    }

    private func serviceChanged(_ id: UInt32) {
        state.withLock { state in
            for (key, owner) in state.owners {
                let waypoint = lookup.maps.services.value(of: ServiceMapKey(serviceID: owner))?.waypointID
                guard owner == id || waypoint == id else { continue }
                state.seen[key, default: []].formUnion(lookup.outcomes(of: key))
            }
            state.moveReaders(lookup)
        }
    }
}

extension Auditor.State {
    mutating func moveReaders(_ lookup: ReferenceLookup) {
        writes += 1
        if readers.count < 6, let frontend = World.frontends.randomElement(using: &random) {
            let dialed = owners.keys.sorted {
                ($0.address, $0.port, $0.transport) < ($1.address, $1.port, $1.transport)
            }
            readers.append(
                SlowReader(frontend: dialed.randomElement(using: &random) ?? frontend, epoch: epoch))
        }
        var staying: [SlowReader] = []
        for var reader in readers {
            let isAwake = Bool.random(using: &random)
            if isAwake, let outcome = reader.step(lookup, draw: random.next()) {
                finish(reader, outcome)
            } else {
                staying.append(reader)
            }
        }
        readers = staying
    }

    mutating func finish(_ reader: SlowReader, _ outcome: Outcome) {
        readings.append(Auditor.Reading(frontend: reader.frontend, outcome: outcome, epoch: reader.epoch))
    }
}

extension MapWrite {
    var key: Key {
        switch self {
        case .upsert(let key), .remove(let key): key
        }
    }
}
