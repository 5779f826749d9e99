import Glibc
import Testing

@testable import KmeshKit

/// Looks for drift in the kernel's maps: what they find, and what they cost.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: makes BPF maps"))
struct DriftMapTests {
    /// Services of ten endpoints each.
    private func mesh(_ services: Int) -> [ResourceChange<MeshResource>] {
        var changes: [ResourceChange<MeshResource>] = []
        for index in 0..<services {
            let key = ServiceKey(namespace: "default", hostname: "s\(index)")
            changes.append(
                .upsert(
                    .service(
                        Service(
                            key: key, name: "s\(index)",
                            addresses: [IPAddress(v4: 0x0a60_0000 + UInt32(index))],
                            ports: [ServicePort(port: 80, transport: .tcp)]))))
            for pod in 0..<10 {
                let membership = Membership(
                    service: key, ports: [PortMapping(servicePort: 80, transport: .tcp, targetPort: 8080)])
                changes.append(
                    .upsert(
                        .workload(
                            Workload(
                                uid: "Pod/default/s\(index)-\(pod)", name: "s\(index)-\(pod)",
                                namespace: "default",
                                addresses: [IPAddress(v4: 0x0b00_0000 + UInt32(index * 10 + pod))],
                                memberships: [membership]))))
            }
        }
        return changes
    }

    private func loaded(_ services: Int) throws -> L4Dataplane {
        let harness = try LookupHarness(capacity: nil)
        var dataplane = L4Dataplane(maps: harness.maps, localNode: "n")
        #expect(dataplane.apply(mesh(services)).rejected.isEmpty)
        #expect(try dataplane.verify() == [])
        return dataplane
    }

    @Test func chunksAreTheContents() throws {
        let slots = try loaded(50).reconciler.maps.slots
        let whole = try slots.contents()
        for limit in [1, 7, 100, 10_000] {
            var position: MapPosition?
            var entries: [SlotKey: SlotValue] = [:]
            repeat {
                let (contents, next) = try slots.chunk(from: position, limit: limit)
                entries.merge(contents.entries) { $1 }
                position = next
            } while position != nil
            #expect(entries == whole.entries, "chunks of \(limit)")
        }
        let key = try #require(whole.entries.keys.first)
        #expect(try slots.read(key) == whole.entries[key].map { .found($0) })
        #expect(try slots.read(SlotKey(serviceID: 9999, tier: 0, index: 0)) == .absent)
    }

    @Test func damageInTheKernelIsRepaired() throws {
        var dataplane = try loaded(50)
        let maps = dataplane.reconciler.maps
        let key = try #require(try maps.slots.contents().entries.keys.first)
        try maps.slots.upsert([MapEntry(key, SlotValue(endpointID: 4242))])
        let endpoints = try maps.endpoints.contents().entries.keys.prefix(5)
        try maps.endpoints.remove(Array(endpoints))
        let foreign = FrontendKey(address: IPAddress(v4: 0x0b09_0909), port: 1, transport: .udp)
        try maps.frontends.upsert([MapEntry(foreign, FrontendValue(serviceID: 1))])
        var repaired: [String: UInt64] = [:]
        for _ in 0..<70 { repaired.merge(dataplane.repairDrift().repaired, uniquingKeysWith: +) }
        #expect(
            repaired == [maps.slots.name: 1, maps.endpoints.name: 5, maps.frontends.name: 1])
        #expect(try dataplane.verify() == [])
    }

    @Test(arguments: [10, 1_000])
    func aLookCostsLittle(services: Int) throws {
        var dataplane = try loaded(services)
        var longest = Duration.zero, total = Duration.zero
        let looks = 120
        for _ in 0..<looks {
            let time = ContinuousClock().measure { _ = dataplane.repairDrift() }
            longest = max(longest, time)
            total += time
        }
        print("DriftMapTests: \(services) services: \(total / looks) for a look, at most \(longest)")
        // Far more than it takes, also where nothing is optimized and others work beside it.
        #expect(total / looks < .milliseconds(50))
    }
}
