import KmeshKit
import Synchronization
import Testing

@testable import KernelNativeEngine

/// Random updates while maps refuse writes: after each single write a reader gets what was in force before,
/// or what comes, and never something in between.
@Suite struct SimulationTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func readersSeeTheOldOrTheNew(seed: UInt64) throws {
        var world = try SimulatedWorld(seed: seed)
        for step in 0..<60 { try world.step(step) }
        try world.finish()
    }
}

private struct SimulatedWorld {
    private var rig = Rig()
    private var random: SplitMix64
    private var generator: RouteGenerator
    private var configurations: [String: RouteConfiguration] = [:]
    private let seed: UInt64
    private let requests: [TestRequest]

    /// What the listeners may say now, and what they have said.
    private final class Observer: Sendable {
        private struct State {
            var allowed: [FrontendKey: [TestRequest: Set<Decision>]] = [:]
            var strange: [String] = []
            var count = 0
        }
        private let state = Mutex(State())
        private let lookup: KernelLookup

        init(_ maps: InMemoryNativeMaps) { lookup = KernelLookup(maps: maps) }

        func allow(_ allowed: [FrontendKey: [TestRequest: Set<Decision>]]) {
            state.withLock { $0.allowed = allowed }
        }

        func look() {
            let allowed = state.withLock { state in
                state.count += 1
                return state.allowed
            }
            // One listener for each write, in turn: there are thousands of writes.
            let keys = allowed.keys.sorted { $0.address < $1.address }
            guard !keys.isEmpty else { return }
            let key = keys[state.withLock { $0.count } % keys.count]
            for (request, decisions) in allowed[key] ?? [:] {
                let found = lookup.decide(key, request)
                guard !decisions.contains(found) else { continue }
                state.withLock { $0.strange.append("\(key.address): \(found) instead of \(decisions)") }
            }
        }

        var strange: [String] { state.withLock { $0.strange } }
        var count: Int { state.withLock { $0.count } }
    }

    private let observer: Observer
    private static let names = ["s1", "s2", "s3"]

    private static func key(_ name: String) -> FrontendKey {
        let number = UInt32(names.firstIndex(of: name) ?? 0)
        return FrontendKey(address: IPAddress(v4: 0x0a00_0001 + number), port: 80, transport: .tcp)
    }

    init(seed: UInt64) throws {
        self.seed = seed
        random = SplitMix64(seed: seed)
        var generator = RouteGenerator(seed: seed &+ 100)
        requests = (0..<6).map { _ in generator.request() }
        self.generator = generator
        observer = Observer(rig.maps)
        let services = Self.names.map { service($0, ["\(Self.key($0).address)"]) }
        try rig.apply((services + RouteGenerator.services.map { service($0) }).map(put))
        let observer = observer
        for map in rig.maps.all { map.observeAnyWrite { observer.look() } }
    }

    /// What is said now, with what comes.
    private func decisions(
        _ next: [String: RouteConfiguration], _ ports: TestPorts
    ) -> [FrontendKey: [TestRequest: Set<Decision>]] {
        var result: [FrontendKey: [TestRequest: Set<Decision>]] = [:]
        for name in Self.names {
            let key = Self.key(name)
            for request in requests {
                let coming = next[name]?.decide(request) { ports.id(of: ServicePortReference($0, .v4)) ?? 0 }
                result[key, default: [:]][request] = [
                    KernelLookup(maps: rig.maps).decide(key, request), coming ?? .notAListener,
                ]
            }
        }
        return result
    }

    mutating func step(_ step: Int) throws {
        let fails = Int.random(in: 0..<4, using: &random) == 0
        var changes: [ResourceChange<MeshResource>] = []
        var next = configurations
        var ports = rig.ports
        for _ in 0...Int.random(in: 0...2, using: &random) {
            let name = generator.pick(Self.names)
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                next[name] = nil
                changes.append(.remove(.routes(.service(.named(name), port: 80))))
            case 1 where !fails:
                let backend = generator.pick(RouteGenerator.services)
                if ports.id(of: ServicePortReference(.named(backend), .v4)) == nil {
                    changes.append(put(service(backend)))
                } else {
                    changes.append(drop(service: backend))
                    ports.remove(.service(.named(backend)))
                }
            default:
                let configuration = routes(of: name, generator.hosts())
                next[name] = configuration
                changes.append(put(configuration))
            }
        }
        // One change of each resource, for the rig applies them in no order.
        guard Set(changes.map(\.name)).count == changes.count else { return }
        for case .upsert(.service(let added)) in changes { ports.add(added) }
        observer.allow(decisions(next, ports))
        if fails {
            let seed = random.next()
            for map in rig.maps.all { map.setFault(.random(0.3, seed: seed, errno: .notPermitted)) }
        }
        configurations = next
        do throws(any Error) {
            #expect(try rig.apply(changes).isEmpty)
        } catch is MapError {
            #expect(fails && rig.dataplane.pendingWrites > 0)
        }
        if Int.random(in: 0..<3, using: &random) == 0 { rig.dataplane.tend(rig.ports) }
        rig.setFault(nil)
        if fails {
            try rig.apply([])
            try checkAll(step)
        } else if step % 4 == 0 {
            try checkAll(step)
        }
        #expect(observer.strange.isEmpty, "seed \(seed), step \(step): \(observer.strange.prefix(2))")
        if Int.random(in: 0..<12, using: &random) == 0 { try restart() }
    }

    private func checkAll(_ step: Int) throws {
        let differences = try rig.verify()
        #expect(differences.isEmpty, "seed \(seed), step \(step): \(differences.prefix(3))")
        for name in Self.names {
            for request in requests {
                let expected = configurations[name]?.decide(request, rig) ?? .notAListener
                #expect(KernelLookup(maps: rig.maps).decide(Self.key(name), request) == expected)
            }
        }
    }

    /// The daemon starts again, with all that it had.
    private mutating func restart() throws {
        let ports = rig.ports
        rig.dataplane = RouteDataplane(maps: rig.maps.maps)
        try rig.dataplane.adopt()
        observer.allow(decisions(configurations, ports))
        let services = (Self.names.map { service($0, ["\(Self.key($0).address)"]) })
        rig.dataplane.prepare(services.map(put) + configurations.values.map(put))
        try rig.dataplane.refer(to: ports)
    }

    mutating func finish() throws {
        observer.allow([:])
        try rig.apply([])
        rig.settle()
        rig.settle()
        try checkAll(-1)
        #expect(rig.dataplane.entriesByMap.values.reduce(0, +) == rig.count)
        #expect(observer.count > 500)
        try rig.apply(configurations.keys.map { .remove(.routes(.service(.named($0), port: 80))) })
        rig.settle()
        #expect(rig.count == 0)
    }
}
