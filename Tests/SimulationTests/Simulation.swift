// Drives a data plane through a random history of updates, faults, crashes and restarts, and checks every
// step.
import KmeshKit
import Testing

struct Simulation {
    let maps: InMemoryL4Maps
    let auditor: Auditor
    var world: World
    private var dataplane: L4Dataplane
    /// What is in force after each update; the first is the empty mesh.
    private var meshes = [ExpectedMesh()]
    /// From this one on, each may still be partly in the maps: writes wait.
    private var firstOpen = 0
    /// `firstOpen` during each update.
    private var openSince: [Int] = []
    private let isSmall: Bool
    private var isRestarting = false
    private let label: String

    init(seed: UInt64) {
        isSmall = seed % 2 == 0
        // Small maps have no room for the marks of workloads.
        world = World(seed: seed, marksWorkloads: !isSmall)
        maps = InMemoryL4Maps(
            capacities: isSmall
                ? MapCounts(frontends: 26, services: 16, slots: 30, tables: 3, endpoints: 34, waypoints: 99)
                : .defaultCapacities)
        auditor = Auditor(maps: maps, seed: seed &+ 1)
        dataplane = L4Dataplane(maps: maps.maps, localNode: World.localNode)
        label = "rerun with: make sim SEED=\(seed)"
    }

    mutating func run(steps: Int) throws {
        for step in 0..<steps {
            switch world.number(0...99) {
            case 0..<4: try restart(step, "restart", isUnchanged: true)
            case 4..<8: try crash(step)
            case 8..<16: try fault(step)
            default: try update(step, "update")
            }
        }
        maps.setFault(nil)
        try update(steps, "last update")
        try #require(dataplane.pendingWrites == 0, "\(label)")
        try #require(try dataplane.verify() == [], "\(label)")
    }

    // MARK: Events

    private mutating func update(_ step: Int, _ event: String) throws {
        let hadRejections = !dataplane.rejections.isEmpty || dataplane.pendingWrites > 0
        let before = world
        let changes = world.step()
        auditor.begin()
        let result = dataplane.apply(changes)
        let place = Comment(rawValue: "step \(step), \(event): \(label)")
        let writes = try check(place, inForce: try meshInForce(), verifies: step % 8 == 0)
        if !hadRejections, dataplane.rejections.isEmpty, dataplane.pendingWrites == 0 {
            try #require(result.writes <= writes, place)
            try checkBudget(changes, from: before, writes, place)
        }
        let affected = Set(result.rejected.map(\.name))
        try #require(affected.isSubset(of: dataplane.rejections.keys.map { .service($0) }), place)
    }

    /// Some writes fail for a while.
    private mutating func fault(_ step: Int) throws {
        let seed = UInt64(step)
        switch world.number(0...3) {
        case 0: maps.setFault(.random(0.2, seed: seed))
        case 1: maps.slots.setFault(.random(1, seed: seed))
        case 2: maps.endpoints.setFault(.random(0.6, seed: seed))
        default: maps.setFault(.nth(world.number(1...20)))
        }
        for _ in 0..<world.number(1...3) { try update(step, "faults") }
        maps.setFault(nil)
        guard world.chance(0.5) else { return }
        auditor.begin()
        _ = dataplane.retryPending()
        let place = Comment(rawValue: "step \(step), retry: \(label)")
        try check(place, inForce: try meshInForce(), verifies: true)
        try #require(dataplane.pendingWrites == 0, place)
    }

    /// The daemon ends in order and starts again.
    private mutating func restart(_ step: Int, _ event: String, isUnchanged: Bool) throws {
        let wasClean = isUnchanged && dataplane.rejections.isEmpty && dataplane.pendingWrites == 0
        let markers = World.virtualAddresses.filter {
            maps.frontends.value(of: FrontendKey(markerOf: $0)) != nil
        }
        dataplane = L4Dataplane(maps: maps.maps, localNode: World.localNode)
        try dataplane.adopt()
        auditor.begin()
        isRestarting = true
        defer { isRestarting = false }
        let result = dataplane.apply(world.configuration())
        let place = Comment(rawValue: "step \(step), \(event): \(label)")
        let mesh = try meshInForce(observing: Set(markers))
        let writes = try check(place, inForce: mesh, verifies: true)
        try #require(result.writes == writes, place)
        if wasClean, dataplane.rejections.isEmpty { try #require(writes == 0, place) }
    }

    /// The daemon dies in the middle of an update.
    private mutating func crash(_ step: Int) throws {
        maps.setFault(.from(world.number(1...8)))
        try update(step, "crash")
        maps.setFault(nil)
        if world.chance(0.5) { _ = world.step() }
        try restart(step, "restart after a crash", isUnchanged: false)
    }

    // MARK: Expectations

    /// Rejected services stay as they were, the others are as the world wants them.
    private func meshInForce(observing markers: Set<IPAddress>? = nil) throws -> ExpectedMesh {
        var mesh = ExpectedMesh()
        for (key, service) in world.services {
            if dataplane.rejections[key] == nil {
                let expected = ExpectedService(service, in: world)
                mesh.services[key] = expected.addresses.isEmpty ? nil : expected
            } else if let markers {
                mesh.services[key] = observed(service, markers)
            } else {
                mesh.services[key] = meshes[meshes.count - 1].services[key]
            }
        }
        // A service that was removed is never rejected.
        for key in dataplane.rejections.keys { try #require(world.services[key] != nil, "\(label)") }
        for address in World.workloadAddresses { mesh.marks[address] = world.waypoint(of: address) }
        mesh.instances = Set(world.workloads.values.filter(\.isWaypoint).flatMap(\.addresses))
        return mesh
    }

    /// What a restart left of a service that it rejected: only the data plane knows which ids it took over.
    private func observed(_ service: Service, _ markers: Set<IPAddress>) -> ExpectedService? {
        var snapshot = EngineSnapshot(mode: .dualEngine)
        dataplane.describe(in: &snapshot)
        var expected = ExpectedService()
        for port in snapshot.services where port.service == service.key.description {
            let key = ExpectedService.PortKey(port: port.port, transport: port.transport, family: port.family)
            var observed = ExpectedPort(policy: port.policy, affinityTimeout: port.affinityTimeout)
            observed.isObserved = true
            for endpoint in port.endpoints {
                observed.targets[Target(address: endpoint.address, port: endpoint.port)] = .init(
                    isTerminating: false, distance: Int(endpoint.tier), weight: 1)
            }
            expected.ports[key] = observed
            for frontend in snapshot.frontends
            where frontend.serviceID == port.id && frontend.transport != nil {
                let address = FrontendKey(
                    address: frontend.address, port: port.port, transport: port.transport)
                expected.frontends[address] = key
            }
        }
        guard !expected.ports.isEmpty else { return nil }
        expected.waypoint = service.waypoint
        expected.addresses = Set(service.addresses).intersection(markers)
        return expected
    }

    // MARK: Checks

    /// Checks what was seen during an update and what the maps hold after it. Returns the writes.
    @discardableResult
    private mutating func check(_ place: Comment, inForce mesh: ExpectedMesh, verifies: Bool) throws -> Int {
        meshes.append(mesh)
        openSince.append(firstOpen)
        let (seen, readings, writes) = auditor.end()
        for (key, outcomes) in seen {
            let strange = outcomes.subtracting(passingOutcomes(of: key, since: firstOpen))
            try #require(
                strange.isEmpty,
                "\(key) of \(meshes[firstOpen...].map { $0.owners(of: key) }) led to \(strange); \(place)"
            )
        }
        for reading in readings where reading.outcome != .incomplete {
            let since = openSince[reading.epoch - 1]
            let isRight = passingOutcomes(of: reading.frontend, since: since).contains(reading.outcome)
            try #require(isRight, "a slow reader of \(reading.frontend) got \(reading.outcome); \(place)")
        }
        try checkDrift(place)
        guard dataplane.pendingWrites == 0 else { return writes }
        firstOpen = meshes.count - 1
        try checkMaps(against: mesh, place)
        try checkRejections(mesh, place)
        if verifies {
            let differences = try dataplane.verify()
            try #require(differences.isEmpty, "\(differences); \(place)")
        }
        return writes
    }

    /// Nobody else writes to the maps, so nothing is found, whatever waits or was refused.
    private mutating func checkDrift(_ place: Comment) throws {
        var pace = DriftPace()
        (pace.wantedRound, pace.mapRound) = (1, 1)
        for _ in 0..<3 {
            let report = dataplane.repairDrift(pace)
            try #require(report.texts.isEmpty && report.writes == 0, "\(report.texts); \(place)")
        }
    }

    /// What a program may answer that reads while the mesh goes through those since `first`: the address may
    /// still lead to a service that loses it, and that service may be on its way to its next form.
    private func passingOutcomes(of key: FrontendKey, since first: Int) -> Set<Outcome> {
        let window = meshes[first...]
        // In full maps a waypoint may have to wait for room that what goes through it does not need.
        var outcomes: Set<Outcome> = isSmall ? [.noWaypoint] : []
        // In full maps a service that takes over an address may have to wait for the room of the one that
        // goes.
        let owners = Set(window.map { $0.owner(of: key)?.0 })
        if isSmall, isRestarting || owners.count > 1 || owners == [nil] {
            outcomes.formUnion([.undeclaredPort, .notAService])
        }
        for mesh in window {
            guard let (service, port) = mesh.owner(of: key) else {
                outcomes.formUnion(passingOutcomes(ofUnowned: key, mesh, window))
                continue
            }
            let forms = window.compactMap { $0.services[service] }.filter { $0.ports[port] != nil }
            // Where a form goes straight, it may already have the endpoints of one that does not. After a
            // restart a service may take over what was another's.
            let names = isRestarting ? Set(window.compactMap { $0.owner(of: key)?.0 }) : []
            let others = names.flatMap { name in window.compactMap { $0.services[name] } }
            if port.transport != .tcp || (forms + others).contains(where: { $0.waypoint == nil }) {
                for form in forms { outcomes.formUnion(form.ports[port]?.passingOutcomes ?? []) }
            }
            for form in forms {
                for other in window {
                    guard case .some(let waypoint) = other.waypoint(of: form, port) else { continue }
                    outcomes.formUnion(waypoint.passingOutcomesThrough)
                }
            }
        }
        return outcomes
    }

    private func passingOutcomes(
        ofUnowned key: FrontendKey, _ mesh: ExpectedMesh, _ window: ArraySlice<ExpectedMesh>
    ) -> Set<Outcome> {
        guard let mark = mesh.marks[key.address] else {
            return [mesh.isMarked(key.address) ? .undeclaredPort : .notAService]
        }
        return window.reduce(into: []) { outcomes, other in
            outcomes.formUnion(other.port(of: mark, key.address.family).passingOutcomesThrough)
        }
    }

    private func checkMaps(against mesh: ExpectedMesh, _ place: Comment) throws {
        let lookup = ReferenceLookup(maps: maps)
        for key in World.frontends {
            let owners = mesh.owners(of: key)
            try #require(owners.count <= 1, "\(key) belongs to \(owners); \(place)")
            if let name = owners.first, let (_, port) = mesh.owner(of: key),
                let service = mesh.services[name], let expected = service.ports[port]
            {
                if case .some(let waypoint) = mesh.waypoint(of: service, port) {
                    try checkRedirect(key, to: waypoint, lookup, place)
                } else {
                    try checkPort(key, of: name, expected, lookup, place)
                }
            } else if let mark = mesh.marks[key.address] {
                try checkRedirect(key, to: mesh.port(of: mark, key.address.family), lookup, place)
            } else {
                let outcome: Outcome = mesh.isMarked(key.address) ? .undeclaredPort : .notAService
                try #require(lookup.outcomes(of: key) == [outcome], place)
            }
        }
        let hasUnknownTables = mesh.services.values.contains { service in
            service.ports.values.contains { $0.isObserved && $0.policy != .random }
        }
        if !hasUnknownTables { try #require(maps.counts == mesh.entryCounts, place) }
        try #require(maps.counts == dataplane.entryCounts, place)
    }

    private func checkRedirect(
        _ key: FrontendKey, to waypoint: ExpectedPort?, _ lookup: ReferenceLookup, _ place: Comment
    ) throws {
        if let waypoint, waypoint.isObserved { return }
        try #require(lookup.outcomes(of: key) == waypoint.outcomesThrough, "\(key); \(place)")
    }

    private func checkPort(
        _ key: FrontendKey, of name: ServiceKey, _ expected: ExpectedPort, _ lookup: ReferenceLookup,
        _ place: Comment
    ) throws {
        guard let id = maps.frontends.value(of: key)?.serviceID,
            let value = maps.services.value(of: ServiceMapKey(serviceID: id))
        else {
            Issue.record("\(name) is not behind \(key); \(place)")
            return
        }
        try #require(value.affinityTimeout == expected.affinityTimeout ?? 0, place)
        try #require((value.flags & 1 != 0) == (expected.affinityTimeout != nil), place)
        let choices = lookup.choices(of: id)
        if expected.isObserved {
            let isKnown =
                expected.targets.isEmpty || expected.policy != .random
                || Set(choices.keys) == expected.outcomes
            try #require(isKnown, "\(name) at \(key); \(place)")
            return
        }
        try #require(Set(choices.keys) == expected.outcomes, "\(name) at \(key); \(place)")
        let chosen = expected.chosen
        try #require(value.endpointCount == chosen.count, "\(name) at \(key); \(place)")
        let total = chosen.values.reduce(0, +), slots = Double(choices.values.reduce(0, +))
        for (target, weight) in chosen {
            let share = Double(choices[.endpoint(target.address, target.port)] ?? 0)
            let tolerance = expected.policy == .random ? 0 : 1.0
            try #require(abs(share - slots * weight / total) <= tolerance, "\(name) at \(key); \(place)")
        }
    }

    /// Who is refused either wants what another one has, or does not fit.
    private func checkRejections(_ mesh: ExpectedMesh, _ place: Comment) throws {
        for (key, reason) in dataplane.rejections {
            guard let service = world.services[key] else { continue }
            let wanted = ExpectedService(service, in: world)
            if reason.contains("belongs to") {
                let isTaken = wanted.frontends.keys.contains { frontend in
                    mesh.owners(of: frontend).contains { $0 != key }
                }
                try #require(isTaken, "\(key) \(reason); \(place)")
            } else {
                let counts = wanted.entryCounts
                let isTooLarge =
                    maps.counts.frontends + counts.frontends + wanted.addresses.count
                    > maps.frontends.capacity
                    || maps.counts.services + counts.services > maps.services.capacity
                    || maps.counts.slots + counts.slots > maps.slots.capacity
                    || maps.counts.tables + counts.tables > maps.tables.capacity
                    || maps.counts.endpoints + counts.endpoints > maps.endpoints.capacity
                try #require(isTooLarge, "\(key) \(reason); \(place)")
            }
        }
    }

    /// One workload that changes costs at most eight writes for each service id.
    private func checkBudget(
        _ changes: [ResourceChange<MeshResource>], from before: World, _ writes: Int, _ place: Comment
    ) throws {
        guard changes.count == 1, let change = changes.first else { return }
        let uid: String
        switch change {
        case .upsert(.workload(let workload)): uid = workload.uid
        case .remove(.workload(let name)): uid = name
        case .upsert, .remove: return
        }
        let memberships = [before.workloads[uid], world.workloads[uid]].flatMap { $0?.memberships ?? [] }
        let mesh = meshes[meshes.count - 1]
        let ports = Set(memberships.map(\.service)).reduce(0) { $0 + (mesh.services[$1]?.ports.count ?? 0) }
        // Each address may be marked or not, and be an instance's or not.
        let addresses = [before.workloads[uid], world.workloads[uid]].flatMap { $0?.addresses ?? [] }
        try #require(writes <= 8 * ports + 2 * addresses.count, place)
    }
}
