import AuthzXDP
import KmeshKit
import KmeshTestSupport
import Synchronization

/// A data plane over maps in memory.
struct Rig {
    let maps: InMemoryAuthzMaps
    let grace = CountingGracePeriod()
    var dataplane: AuthorizationDataplane

    init(capacities: AuthzCounts = .defaultCapacities) {
        maps = InMemoryAuthzMaps(capacities: capacities)
        dataplane = AuthorizationDataplane(maps: maps.maps, grace: grace)
    }

    /// Starts another data plane over the same maps, as a restart does.
    mutating func restart() throws {
        dataplane = AuthorizationDataplane(maps: maps.maps, grace: grace)
        try dataplane.adopt()
    }

    @discardableResult
    mutating func apply(_ changes: [ResourceChange<MeshResource>]) -> AuthorizationUpdate {
        dataplane.apply(changes)
    }

    /// Brings a whole mesh into force.
    @discardableResult
    mutating func load(_ mesh: Mesh) throws -> AuthorizationUpdate {
        dataplane.setNodeAddresses(Array(mesh.nodeAddresses))
        for workload in mesh.enrolled { try dataplane.protect(workload) }
        return dataplane.apply(mesh.changes)
    }

    var reader: MapReader { MapReader(maps: maps) }

    func outcome(_ source: String, _ destination: String, _ port: UInt16 = 80) -> Outcome? {
        guard let source = IPAddress(source), let destination = IPAddress(destination) else { return nil }
        return reader.decide(AuthorizationQuery(source: source, destination: destination, port: port)).outcome
    }
}

/// Time passes at once, and it is counted how often it was waited for.
final class CountingGracePeriod: GracePeriod {
    private let state = Mutex((count: 0, isOver: true))

    var count: Int { state.withLock { $0.count } }

    func setOver(_ isOver: Bool) { state.withLock { $0.isOver = isOver } }

    func elapse() -> Bool {
        state.withLock {
            $0.count += 1
            return $0.isOver
        }
    }
}

/// What connections would have met after each single write.
final class Watch: Sendable {
    private let seen: Mutex<[AuthorizationQuery: Set<Outcome>]>

    init(_ queries: [AuthorizationQuery]) {
        seen = Mutex(Dictionary(queries.map { ($0, []) }, uniquingKeysWith: { first, _ in first }))
    }

    var outcomes: [AuthorizationQuery: Set<Outcome>] { seen.withLock { $0 } }

    func look(_ reader: MapReader) {
        seen.withLock { seen in
            for query in seen.keys { seen[query]?.insert(reader.decide(query).outcome) }
        }
    }

    /// Looks after every write while `body` runs, before the first one and after the last.
    func watching<Result>(_ maps: InMemoryAuthzMaps, _ body: () throws -> Result) rethrows -> Result {
        let reader = MapReader(maps: maps)
        look(reader)
        maps.observeWrites { self.look(reader) }
        defer {
            maps.observeWrites(nil)
            look(reader)
        }
        return try body()
    }
}
