import CKmeshABI
import Glibc
import Testing

@testable import KmeshKit

/// The lookup of `bpf/lib/l4_lookup.h`, run in the kernel by BPF_PROG_TEST_RUN.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: loads BPF programs"))
struct L4LookupTests {
    let address = IPAddress(v4: 0x0a60_0001)
    var frontend: FrontendKey { FrontendKey(address: address, port: 80, transport: .tcp) }

    /// A service with `count` endpoints 10.0.0.1… on port 8080, in tier 2.
    private func fill(
        _ maps: L4Maps, count: UInt32, policy: kmesh_policy = KMESH_POLICY_RANDOM, flags: UInt32 = 0,
        timeout: UInt32 = 0
    ) throws {
        for index in 0..<count {
            try maps.endpoints.upsert([
                MapEntry(
                    EndpointKey(serviceID: 7, endpointID: 100 + index),
                    EndpointValue(address: IPAddress(v4: 0x0a00_0001 + index), port: 8080))
            ])
            try maps.slots.upsert([
                MapEntry(
                    SlotKey(serviceID: 7, tier: 2, index: index), SlotValue(endpointID: 100 + index))
            ])
        }
        try maps.services.upsert([
            MapEntry(
                ServiceMapKey(serviceID: 7),
                ServiceValue(
                    policy: policy.rawValue, flags: flags, tier: 2, endpointCount: count,
                    affinityTimeout: timeout))
        ])
        try maps.frontends.upsert([
            MapEntry(frontend, FrontendValue(serviceID: 7)),
            MapEntry(FrontendKey(markerOf: address), FrontendValue(serviceID: 0)),
        ])
    }

    private func reason(_ reason: kmesh_reason) -> UInt32 { reason.rawValue }

    @Test func anUnknownAddressIsNoService() throws {
        let harness = try LookupHarness()
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_NOT_A_SERVICE))
    }

    /// The service goes through number 9, whose endpoint is 10.0.9.9.
    private func fillWithWaypoint(_ maps: L4Maps, id: UInt32 = 9, instances: UInt32 = 1) throws {
        try fill(maps, count: 2)
        let key = ServiceMapKey(serviceID: 7)
        try maps.services.upsert([
            MapEntry(
                key,
                ServiceValue(
                    policy: 1, flags: 0, tier: 2, endpointCount: 2, affinityTimeout: 0, waypointID: id)),
            MapEntry(
                ServiceMapKey(serviceID: 9),
                ServiceValue(policy: 1, flags: 0, tier: 0, endpointCount: instances, affinityTimeout: 0)),
        ])
        try maps.slots.upsert([
            MapEntry(SlotKey(serviceID: 9, tier: 0, index: 0), SlotValue(endpointID: 1))
        ])
        try maps.endpoints.upsert([
            MapEntry(
                EndpointKey(serviceID: 9, endpointID: 1),
                EndpointValue(address: IPAddress(v4: 0x0a00_0909), port: 15019))
        ])
    }

    @Test func aServiceIsDialedThroughItsWaypoint() throws {
        let harness = try LookupHarness()
        try fillWithWaypoint(harness.maps)
        let verdict = try harness.look(up: frontend)
        #expect(verdict.reason == reason(KMESH_REASON_REDIRECTED) && verdict.isRedirected)
        #expect(verdict.endpoint == IPAddress(v4: 0x0a00_0909) && verdict.port == 15019)
        // An instance goes straight.
        let client = IPAddress(v4: 0x0a00_0909)
        try harness.maps.waypoints.upsert([MapEntry(WaypointKey(address: client), WaypointValue())])
        let straight = try harness.look(up: frontend, client: client)
        #expect(straight.reason == reason(KMESH_REASON_STEERED) && !straight.isRedirected)
        #expect(straight.port == 8080)
    }

    @Test func nothingGoesAroundAWaypoint() throws {
        let harness = try LookupHarness()
        try fillWithWaypoint(harness.maps, instances: 0)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_NO_WAYPOINT_ENDPOINT))
        try fillWithWaypoint(harness.maps, id: KMESH_WAYPOINT_MISSING)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_NO_WAYPOINT))
        try fillWithWaypoint(harness.maps, id: 12)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_WAYPOINT_INCOMPLETE))
    }

    @Test func aWorkloadIsDialedThroughItsWaypoint() throws {
        let harness = try LookupHarness()
        try fillWithWaypoint(harness.maps)
        let workload = IPAddress(v4: 0x0a00_0505), other = IPAddress(v4: 0x0a00_0001)
        try harness.maps.frontends.upsert([
            MapEntry(FrontendKey(markerOf: workload), FrontendValue(serviceID: 9))
        ])
        for port: UInt16 in [1, 80, 65535] {
            let key = FrontendKey(address: workload, port: port, transport: .tcp)
            let verdict = try harness.look(up: key, client: other)
            #expect(verdict.reason == reason(KMESH_REASON_REDIRECTED) && verdict.port == 15019)
        }
        let key = FrontendKey(address: workload, port: 80, transport: .tcp)
        let datagram = FrontendKey(address: workload, port: 80, transport: .udp)
        let untouched = reason(KMESH_REASON_NOT_A_SERVICE)
        #expect(try harness.look(up: datagram, client: other).reason == untouched)
        // By itself, and by a waypoint.
        #expect(try harness.look(up: key, client: workload).reason == untouched)
        try harness.maps.waypoints.upsert([MapEntry(WaypointKey(address: other), WaypointValue())])
        #expect(try harness.look(up: key, client: other).reason == untouched)
        try harness.maps.frontends.upsert([
            MapEntry(
                FrontendKey(markerOf: workload), FrontendValue(serviceID: KMESH_WAYPOINT_MISSING))
        ])
        let third = IPAddress(v4: 0x0a00_0003)
        #expect(try harness.look(up: key, client: third).reason == reason(KMESH_REASON_NO_WAYPOINT))
    }

    @Test func anUndeclaredPortOfAServiceIsRefused() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 1)
        let other = FrontendKey(address: address, port: 81, transport: .tcp)
        #expect(try harness.look(up: other).reason == reason(KMESH_REASON_UNDECLARED_PORT))
        let udp = FrontendKey(address: address, port: 80, transport: .udp)
        #expect(try harness.look(up: udp).reason == reason(KMESH_REASON_UNDECLARED_PORT))
    }

    @Test func aServiceWithoutEndpointsHasItsReason() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 0)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_NO_ENDPOINT))
        try fill(harness.maps, count: 0, flags: KMESH_SERVICE_STRICT.rawValue)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_NO_LOCAL_ENDPOINT))
    }

    @Test func randomReachesEveryEndpoint() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 5)
        var seen: Set<IPAddress> = []
        for _ in 0..<200 {
            let verdict = try harness.look(up: frontend)
            #expect(verdict.reason == reason(KMESH_REASON_STEERED))
            #expect(verdict.port == 8080)
            seen.insert(verdict.endpoint)
        }
        #expect(seen == Set((0..<5).map { IPAddress(v4: 0x0a00_0001 + $0) }))
    }

    @Test func aHashTableKeepsAClientAndSpreadsMany() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 4, policy: KMESH_POLICY_TABLE_HASH)
        let ids = (0..<Int(KMESH_TABLE_SLOTS)).map { UInt32(100 + $0 % 4) }
        try harness.maps.tables.upsert([
            MapEntry(ServiceMapKey(serviceID: 7), TableValue(endpointIDs: ids))
        ])
        var counts: [IPAddress: Int] = [:]
        for client in 0..<400 {
            let address = IPAddress(v4: 0x0a01_0000 + UInt32(client))
            let first = try harness.look(up: frontend, client: address)
            #expect(try harness.look(up: frontend, client: address) == first)
            counts[first.endpoint, default: 0] += 1
        }
        #expect(counts.count == 4)
        #expect(counts.values.allSatisfy { (60...140).contains($0) }, "\(counts)")
    }

    @Test func affinityKeepsAClientUntilItsEndpointGoes() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 8, flags: KMESH_SERVICE_AFFINITY.rawValue, timeout: 600)
        let first = try harness.look(up: frontend)
        #expect(first.reason == reason(KMESH_REASON_STEERED))
        for _ in 0..<50 {
            let again = try harness.look(up: frontend)
            #expect(again.reason == reason(KMESH_REASON_STEERED_AFFINITY))
            #expect(again.endpoint == first.endpoint)
        }
        let gone = 100 + first.endpoint.v4Bits - 0x0a00_0001
        try harness.maps.endpoints.remove([EndpointKey(serviceID: 7, endpointID: gone)])
        // Its slot still leads there: the reader tries again until it finds another.
        var reasons: Set<UInt32> = []
        for _ in 0..<20 {
            let verdict = try harness.look(up: frontend)
            reasons.insert(verdict.reason)
            #expect(verdict.endpoint != first.endpoint)
        }
        #expect(reasons.contains(reason(KMESH_REASON_STEERED_AFFINITY)))
    }

    @Test func affinityExpires() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 50, flags: KMESH_SERVICE_AFFINITY.rawValue, timeout: 1)
        let first = try harness.look(up: frontend)
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_STEERED_AFFINITY))
        sleep(3)
        let later = try harness.look(up: frontend)
        #expect(later.reason == reason(KMESH_REASON_STEERED), "\(first) then \(later)")
    }

    /// A use that another CPU noted after this one read the time.
    @Test func affinityOfALaterMomentIsNotExpired() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 50, flags: KMESH_SERVICE_AFFINITY.rawValue, timeout: 600)
        let client = IPAddress(v4: 0x0a00_0001)
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        for endpoint in UInt32(100)..<120 {
            try harness.affinities.upsert([
                MapEntry(
                    AffinityKey(client: client, serviceID: 7),
                    AffinityValue(endpointID: endpoint, lastUsed: UInt32(now.tv_sec) + 5))
            ])
            let verdict = try harness.look(up: frontend, client: client)
            #expect(verdict.reason == reason(KMESH_REASON_STEERED_AFFINITY))
            #expect(verdict.endpoint == IPAddress(v4: 0x0a00_0001 + endpoint - 100))
        }
    }

    @Test func aSessionKeepsItsEndpointForItsSocketOnly() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 50)
        let first = try harness.look(up: frontend, socketCookie: 1)
        for _ in 0..<20 {
            let again = try harness.look(up: frontend, socketCookie: 1)
            #expect(again.reason == reason(KMESH_REASON_STEERED_SESSION))
            #expect(again.endpoint == first.endpoint)
        }
        let others = try (2..<40).map { try harness.look(up: frontend, socketCookie: $0).endpoint }
        #expect(Set(others).count > 1)
    }

    @Test func aMissingEndpointLetsTheConnectionPass() throws {
        let harness = try LookupHarness()
        try fill(harness.maps, count: 1)
        try harness.maps.endpoints.remove([EndpointKey(serviceID: 7, endpointID: 100)])
        #expect(try harness.look(up: frontend).reason == reason(KMESH_REASON_INCOMPLETE))
    }

    @Test func addressesOfBothFamiliesAreKeys() throws {
        let harness = try LookupHarness()
        let v6 = FrontendKey(address: IPAddress("fd00::1")!, port: 80, transport: .tcp)
        try fill(harness.maps, count: 1)
        try harness.maps.frontends.upsert([MapEntry(v6, FrontendValue(serviceID: 7))])
        #expect(try harness.look(up: v6).reason == reason(KMESH_REASON_STEERED))
    }
}
