import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@testable import AuthzXDP

private func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}

/// Without a variable these; with an empty one a seed that nobody tried yet.
private let seeds: [UInt64] = {
    guard let text = environment("KMESH_SIM_SEED") else { return Array(1...16) }
    return [UInt64(text) ?? UInt64.random(in: 0..<1_000_000)]
}()

private let steps = environment("KMESH_SIM_STEPS").flatMap { Int($0) } ?? 60

/// Random histories: after every single write each connection meets what it did before or what it shall
/// meet, and in the end the maps hold what they would if it had been written at once.
@Suite(.serialized) struct HistoryTests {
    @Test(arguments: seeds) func everyWriteIsSafe(seed: UInt64) throws {
        print("authorization history: seed \(seed), \(steps) steps")
        var history = History(seed: seed)
        for step in 0..<steps { try history.run("seed \(seed) step \(step)") }
        try history.finish("seed \(seed) at the end")
    }
}

private struct History {
    private var random: RandomPolicies
    private var rig: Rig
    private var wanted: Mesh
    /// What may still be in force in part: more than one where writes wait.
    private var open: [Mesh]
    private let isSmall: Bool
    private let hasFaults: Bool
    private var podCount = 0
    /// Addresses that wait for room before the step or after it.
    private var inWant: Set<IPAddress> = []

    init(seed: UInt64) {
        random = RandomPolicies(seed: seed)
        isSmall = seed % 4 == 0
        hasFaults = seed % 2 == 1
        let small = AuthzCounts(
            sources: 9, destinations: 7, views: 9, blocks: 12, bits: 130, prefixes: 110, terms: 90,
            policies: 14, probes: 2)
        rig = Rig(capacities: isSmall ? small : .defaultCapacities)
        wanted = Mesh()
        open = [wanted]
        _ = rig.dataplane.apply([])
    }

    mutating func run(_ place: Comment) throws {
        if hasFaults { setFault() }
        let watch = Watch((0..<14).map { _ in random.query(wanted) })
        let before = wanted
        var change = MeshChange(of: before)
        change.vary(&random, &podCount)
        wanted = change.mesh
        let isRestart = random.isLucky(0.08)
        let rejected = try watch.watching(rig.maps) { try make(change, isRestart: isRestart, place) }
        try checkRejections(rejected, place)
        let after = inForce()
        open.append(after)
        let kept = Set(RandomPolicies.addresses.filter(waitsForRoom))
        inWant.formUnion(kept)
        // A workload that is enrolled may have to wait for room, under the default.
        let enrolled =
            isSmall ? Set((isRestart ? wanted.enrolled : change.protected).flatMap(\.addresses)) : []
        try check(watch, place, mayWait: enrolled)
        inWant = kept
        guard rig.dataplane.stall == nil else { return }
        open = [after]
        // What finds no room is missing.
        let dataplane = rig.dataplane
        let differences = try dataplane.verify().filter { difference in
            !(difference.map == "km_authz_probe" && !dataplane.withoutProbes.isEmpty)
                && !(difference.map == "km_authz_source" && !dataplane.dirtySources.isEmpty)
                && !(difference.map == "km_authz_dest" && !dataplane.delayed.isEmpty)
        }
        try #require(differences == [], place)
        if random.isLucky(0.3) { try tend(place) }
        guard rig.dataplane.stall == nil else { return }
        // Of what was not written to its end it is not known how much is there.
        let isExact =
            rig.dataplane.leftovers.blocks.isEmpty && rig.dataplane.delayed.isEmpty
            && rig.dataplane.blocks.blocks.values.allSatisfy { $0.state == .written }
        if isExact { try #require(rig.maps.counts == rig.dataplane.entryCounts, place) }
    }

    private mutating func setFault() {
        switch random.number(0...5) {
        case 0: rig.maps.setFault(.random(0.3, seed: random.random.next()))
        case 1: rig.maps.setFault(.from(random.number(1...60)))
        case 2: rig.maps.bits.setFault(.nth(random.number(1...4), errno: .notPermitted))
        default: rig.maps.setFault(nil)
        }
    }

    private mutating func make(
        _ change: MeshChange, isRestart: Bool, _ place: Comment
    ) throws -> [RejectedResource] {
        if isRestart {
            try rig.restart()
            // What changed meanwhile comes with the first configuration.
            rig.dataplane.setNodeAddresses(Array(change.mesh.nodeAddresses))
            for workload in change.mesh.enrolled { try rig.dataplane.protect(workload) }
            return rig.dataplane.apply(change.mesh.changes).rejected
        }
        for id in change.released { _ = try? rig.dataplane.release(id) }
        for workload in change.protected { _ = try? rig.dataplane.protect(workload) }
        if change.mesh.nodeAddresses != rig.dataplane.sources.nodeAddresses {
            rig.dataplane.setNodeAddresses(Array(change.mesh.nodeAddresses))
        }
        return change.resources.isEmpty ? [] : rig.dataplane.apply(change.resources).rejected
    }

    private func checkRejections(_ rejected: [RejectedResource], _ place: Comment) throws {
        if !isSmall { try #require(rejected.isEmpty, place) }
        for (key, policy) in wanted.policies where rig.dataplane.refusals[key] == nil {
            guard case .targets = policy.scope else {
                let form = rig.dataplane.policies[key]?.policy
                try #require(form == policy.atL4, "\(place): \(key) is neither refused nor in force")
                continue
            }
        }
        for key in rig.dataplane.policies.forms.keys where wanted.policies[key] == nil {
            try #require(rig.dataplane.refusals[key] != nil, "\(place): \(key) is still in force")
        }
    }

    /// What the data plane says that it enforces; where everything fits that is what is wanted.
    private func inForce() -> Mesh {
        guard isSmall else { return wanted }
        var mesh = wanted
        mesh.policies = rig.dataplane.policies.forms.mapValues(\.policy)
        let dataplane = rig.dataplane
        mesh.forcedProtection = dataplane.assignments.filter { dataplane.reasonForDefault(of: $0.key) == nil }
            .mapValues { Mesh.Protection(namespace: $0.namespace, attached: $0.attached) }
        var identities: [IPAddress: WorkloadIdentity] = [:]
        for address in RandomPolicies.addresses where !rig.dataplane.dirtySources.contains(address) {
            identities[address] = wanted.identity(of: address)
        }
        mesh.forcedIdentities = identities
        return mesh
    }

    /// Where room is scarce a step is made in parts, each as a whole: any of the meshes in between.
    private static func between(_ before: Mesh, _ after: Mesh) -> [Mesh]? {
        var meshes = [after]
        let policies = Set(before.policies.keys).union(after.policies.keys).filter {
            before.policies[$0]?.atL4 != after.policies[$0]?.atL4
        }
        let old = before.forcedProtection ?? [:], new = after.forcedProtection ?? [:]
        let workloads = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
        guard policies.count + workloads.count <= 6 else { return nil }
        for key in policies {
            meshes += meshes.map { mesh in
                var mesh = mesh
                mesh.policies[key] = before.policies[key]
                return mesh
            }
        }
        for id in workloads {
            meshes += meshes.map { mesh in
                var mesh = mesh
                mesh.forcedProtection?[id] = old[id]
                return mesh
            }
        }
        return meshes
    }

    /// Between two steps a connection may meet the new policies with the old identities, and where writes
    /// wait any that are open; nothing else.
    private func check(_ watch: Watch, _ place: Comment, mayWait: Set<IPAddress> = []) throws {
        var open = open
        if isSmall, let before = open.first, let after = open.last {
            guard let meshes = Self.between(before, after) else { return }
            open = [before] + meshes
        }
        for (query, seen) in watch.outcomes where !inWant.contains(query.destination) {
            var allowed: Set<Outcome> = []
            for policies in open {
                for sources in open { allowed.insert(policies.outcome(query, sources: sources)) }
            }
            if open.count == 2, !isSmall {
                allowed = [
                    open[0].outcome(query, sources: open[0]), open[1].outcome(query, sources: open[0]),
                    open[1].outcome(query, sources: open[1]),
                ]
            }
            // So may one while a policy that protects it is refused.
            if isSmall || mayWait.contains(query.destination) { allowed.insert(.notProtected) }
            try #require(
                seen.isSubset(of: allowed), "\(place): \(query) met \(seen), not only \(allowed)")
        }
        let now = rig.reader
        guard rig.dataplane.stall == nil, let last = self.open.last else { return }
        for query in watch.outcomes.keys where !waitsForRoom(query.destination) {
            try #require(
                now.decide(query).outcome == last.outcome(query, sources: last), "\(place): \(query)")
        }
    }

    /// Whether an address still has what an earlier run left, or waits for an entry, for want of room.
    private func waitsForRoom(_ address: IPAddress) -> Bool {
        guard isSmall, let owner = rig.dataplane.destinations.owner(of: address) else { return false }
        let assigned = rig.dataplane.assignments[owner]?.viewID
        let held = rig.dataplane.held.destinations[address]
        if held == nil { return rig.dataplane.delayed[owner] != nil }
        return rig.dataplane.held.untouched.contains(address) && held != assigned
    }

    private mutating func tend(_ place: Comment) throws {
        let watch = Watch((0..<14).map { _ in random.query(wanted) })
        _ = watch.watching(rig.maps) { rig.dataplane.tend() }
        let after = inForce()
        open.append(after)
        try check(watch, place)
        if rig.dataplane.stall == nil { open = [after] }
    }

    mutating func finish(_ place: Comment) throws {
        rig.maps.setFault(nil)
        for _ in 0..<3 { rig.dataplane.tend() }
        try #require(rig.dataplane.stall == nil, place)
        try #require(!rig.dataplane.hasPendingWrites, place)
        if !isSmall { try #require(try rig.dataplane.verify() == [], place) }
        if rig.dataplane.delayed.isEmpty {
            try #require(rig.maps.counts == rig.dataplane.entryCounts, place)
        }
        // Nothing is left of what was: what the maps hold is what blocks and views in use have.
        guard !isSmall else { return }
        try #require(Set(rig.dataplane.blocks.blocks.keys) == rig.dataplane.wantedBlockIDs, place)
        var fresh = Rig()
        try fresh.load(wanted)
        for _ in 0..<300 {
            let query = random.query(wanted)
            try #require(
                rig.reader.decide(query).outcome == fresh.reader.decide(query).outcome, "\(place): \(query)")
        }
        // Of a workload whose addresses another one has now, a restart finds nothing.
        let enrolled = wanted.enrolled
        let isOwner = { (workload: LocalWorkload) in
            workload.addresses.contains { wanted.owner(of: $0) == workload }
        }
        // Nor of one that leads nowhere.
        let dataplane = rig.dataplane
        let leadsNowhere = enrolled.contains { dataplane.reasonForDefault(of: $0.id) != nil }
        guard enrolled.allSatisfy(isOwner), !leadsNowhere else { return }
        let writes = rig.maps.writeCount
        try rig.restart()
        for workload in wanted.enrolled { try rig.dataplane.protect(workload) }
        rig.dataplane.setNodeAddresses(Array(wanted.nodeAddresses))
        _ = rig.dataplane.apply(wanted.changes)
        rig.dataplane.tend()
        try #require(rig.maps.writeCount == writes, "\(place): a restart without a change wrote")
        try #require(try rig.dataplane.verify() == [], place)
    }
}

/// A step from one mesh to the next.
private struct MeshChange {
    var mesh: Mesh
    var resources: [ResourceChange<MeshResource>] = []
    var released: [LocalWorkload.ID] = []
    var protected: [LocalWorkload] = []
    private var names: Set<MeshResourceName> = []

    init(of mesh: Mesh) { self.mesh = mesh }

    mutating func vary(_ random: inout RandomPolicies, _ podCount: inout Int) {
        switch random.number(0...11) {
        case 0...7:
            for _ in 0..<random.number(1...(random.isLucky(0.3) ? 5 : 1)) {
                if random.isLucky(0.6) { varyPolicy(&random) } else { varyWorkload(&random, &podCount) }
            }
        case 8: mesh.nodeAddresses = Set(random.some(of: RandomPolicies.addresses, 0.06))
        case 9:
            guard !mesh.enrolled.isEmpty else { return }
            let workload = random.one(of: mesh.enrolled)
            mesh.enrolled.removeAll { $0.id == workload.id }
            protected.removeAll { $0.id == workload.id }
            released.append(workload.id)
        default:
            let known = mesh.workloads.values.sorted { $0.uid < $1.uid }.map(\.local)
            let other = local(
                PodName(namespace: random.one(of: RandomPolicies.namespaces), name: "unknown"),
                [random.one(of: RandomPolicies.addresses)])
            let workload = known.isEmpty || random.isLucky(0.1) ? other : random.one(of: known)
            guard !released.contains(workload.id) else { return }
            mesh.enrolled.removeAll { $0.id == workload.id }
            protected.removeAll { $0.id == workload.id }
            mesh.enrolled.append(workload)
            protected.append(workload)
        }
    }

    private mutating func varyPolicy(_ random: inout RandomPolicies) {
        let key = random.policyKey()
        guard names.insert(.policy(key)).inserted else { return }
        if mesh.policies[key] != nil, random.isLucky(0.4) {
            mesh.policies[key] = nil
            resources.append(.remove(.policy(key)))
        } else {
            let policy = random.policy(key, scope: random.scope())
            mesh.policies[key] = policy
            resources.append(.upsert(.policy(policy)))
        }
    }

    private mutating func varyWorkload(_ random: inout RandomPolicies, _ podCount: inout Int) {
        let old = mesh.workloads.keys.sorted()
        if !old.isEmpty, random.isLucky(old.count > 10 ? 0.6 : 0.25) {
            let uid = random.one(of: old)
            guard names.insert(.workload(uid: uid)).inserted else { return }
            mesh.workloads[uid] = nil
            resources.append(.remove(.workload(uid: uid)))
            return
        }
        var workload = random.workload("w\(podCount)")
        if !old.isEmpty, random.isLucky(0.5), let present = mesh.workloads[random.one(of: old)] {
            workload = random.workload(present.name, in: present.namespace)
            if random.isLucky(0.5) { workload.addresses = present.addresses }
        } else {
            podCount += 1
        }
        guard names.insert(.workload(uid: workload.uid)).inserted else { return }
        workload.policies = random.attached(mesh.policies.keys.sorted())
        mesh.workloads[workload.uid] = workload
        resources.append(.upsert(.workload(workload)))
    }
}
