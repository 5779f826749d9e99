import Glibc
import Testing

@testable import KmeshKit

/// What a large mesh costs. Only optimized builds are held to it: `swift test -c release -Xswiftc
/// -enable-testing`.
@Suite(.serialized) struct CostTests {
    private static let isOptimized: Bool = {
        var isOptimized = true
        assert(
            {
                isOptimized = false
                return true
            }())
        if !isOptimized { print("CostTests: not an optimized build, figures are not held to their limits") }
        return isOptimized
    }()

    private func processorTime() -> Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Services of 10 endpoints each, as a mesh file gives them.
    private func mesh(_ services: Range<Int>) -> [Change] {
        var changes: [Change] = []
        changes.reserveCapacity(services.count * 11)
        for index in services {
            let hostname = "service-\(index).namespace-\(index % 100).svc.cluster.local"
            let key = ServiceKey(namespace: "namespace-\(index % 100)", hostname: hostname)
            changes.append(
                put(
                    Service(
                        key: key, name: "service-\(index)",
                        addresses: [IPAddress(v4: 0x0a60_0000 + UInt32(index))],
                        ports: [ServicePort(port: 80, transport: .tcp, name: "http")])))
            for pod in 0..<10 {
                let name = "service-\(index)-7d4f8b9c5-\(pod)x2p9"
                let membership = Membership(
                    service: ServiceKey(namespace: "namespace-\(index % 100)", hostname: hostname),
                    ports: [PortMapping(servicePort: 80, transport: .tcp, targetPort: 8080)])
                changes.append(
                    put(
                        Workload(
                            uid: "Pod/namespace-\(index % 100)/\(name)", name: name,
                            namespace: "namespace-\(index % 100)",
                            addresses: [IPAddress(v4: 0x0b00_0000 + UInt32(index * 10 + pod))],
                            locality: Locality(
                                region: "region-1", zone: "zone-\(pod % 3)", node: "node-\(pod)"),
                            memberships: [membership])))
            }
        }
        return changes
    }

    @Test func aLargeMeshLoadsFast() throws {
        let services = Self.isOptimized ? 10_000 : 300
        let maps = InMemoryL4Maps()
        var dataplane = L4Dataplane(maps: maps.maps, localNode: "node-1")
        var changes = mesh(0..<services)
        let before = processorTime()
        #expect(dataplane.apply(changes).rejected.isEmpty)
        let load = processorTime() - before
        changes = []
        #expect(maps.endpoints.count == services * 10)

        let restartBefore = processorTime()
        dataplane = L4Dataplane(maps: maps.maps, localNode: "node-1")
        try dataplane.adopt()
        changes = mesh(0..<services)
        let made = processorTime()
        #expect(dataplane.apply(changes).writes == 0)
        let restart = processorTime() - made

        guard case .upsert(.workload(var pod)) = changes[changes.count / 2 + 1] else { return }
        pod.addresses = [IPAddress(v4: 0x0c00_0001)]
        let changeBefore = processorTime()
        for port: UInt16 in 1...1000 {
            pod.memberships[0].ports[0].targetPort = port
            #expect(dataplane.apply([put(pod)]).writes <= 8)
        }
        let change = (processorTime() - changeBefore) / 1000
        let adopt = made - restartBefore
        print("CostTests: load \(load), adopt and make \(adopt), restart \(restart), change \(change)")
        guard Self.isOptimized else { return }
        #expect(load < .milliseconds(1500))
        #expect(restart < .milliseconds(1500))
        #expect(change < .microseconds(200))
    }

    /// The stores and states alone: maps that keep nothing. Applied bit by bit, so that the updates
    /// themselves do not count.
    @Test func aWorkloadTakesLittleMemory() throws {
        let services = Self.isOptimized ? 10_000 : 300
        let before = try residentBytes()
        var dataplane = L4Dataplane(maps: SinkMap.maps, localNode: "node-1")
        for first in stride(from: 0, to: services, by: 100) {
            #expect(dataplane.apply(mesh(first..<(first + 100))).rejected.isEmpty)
        }
        let bytes = (try residentBytes() - before) / (services * 10)
        #expect(dataplane.workloadCount == services * 10)
        // A small mesh drowns in what other tests take meanwhile.
        guard Self.isOptimized else { return }
        print("CostTests: \(bytes) bytes for each workload")
        #expect(bytes <= 800)
    }

    private func residentBytes() throws -> Int {
        let pages = try Files.readText("/proc/self/statm").split(separator: " ").dropFirst().first
        return try #require(pages.flatMap { Int($0) }) * 4096
    }

    @Test func aTableIsBuiltFast() {
        let shares = (1...100).map {
            TableShare(hash: StableHash.of(IPAddress(v4: $0), port: 80), endpointID: $0, weight: $0 % 5 + 1)
        }
        let rounds = Self.isOptimized ? 100 : 1
        let before = processorTime()
        for _ in 0..<rounds { #expect(maglevTable(shares).count == 16381) }
        let time = (processorTime() - before) / rounds
        print("CostTests: a table takes \(time)")
        if Self.isOptimized { #expect(time < .milliseconds(1)) }
    }
}

/// A map that takes everything and keeps nothing.
private struct SinkMap<Key: MapWords, Value: MapWords>: KeyValueMap {
    let name: String
    let capacity = 10_000_000

    func upsert(_ entries: [MapEntry<Key, Value>]) {}
    func remove(_ keys: [Key]) {}
    func contents() -> MapContents<Key, Value> { MapContents(entries: [:]) }
    func read(_ key: Key) -> MapReading<Value> { .absent }
    func chunk(
        from position: MapPosition?, limit: Int
    ) -> (contents: MapContents<Key, Value>, next: MapPosition?) {
        (contents(), nil)
    }
}

extension SinkMap<FrontendKey, FrontendValue> {
    static var maps: L4Maps {
        L4Maps(
            frontends: SinkMap(name: "km_frontend"),
            services: SinkMap<ServiceMapKey, ServiceValue>(name: "km_service"),
            slots: SinkMap<SlotKey, SlotValue>(name: "km_slot"),
            tables: SinkMap<ServiceMapKey, TableValue>(name: "km_table"),
            endpoints: SinkMap<EndpointKey, EndpointValue>(name: "km_endpoint"),
            waypoints: SinkMap<WaypointKey, WaypointValue>(name: "km_waypoint"))
    }
}
