// What the maps say of waypoints: who goes through one, who is one, and what happens as they come and go.
import CKmeshABI
import KmeshKit
import Testing

@Suite struct WaypointDataplaneTests {
    private let reference = WaypointReference(service: key("proxy"))

    private func proxy(_ addresses: [String] = ["10.96.0.9", "fd00::9"]) -> Service {
        service("proxy", addresses, ports: [15019])
    }

    private func through(_ service: Service) -> Service {
        var service = service
        service.waypoint = reference
        return service
    }

    private func through(_ workload: Workload) -> Workload {
        var workload = workload
        workload.waypoint = reference
        return workload
    }

    private func instance(_ name: String, _ addresses: [String]) -> Workload {
        var instance = workload(name, addresses, serving: [])
        instance.isWaypoint = true
        return instance
    }

    private func mark(_ rig: Rig, _ address: String) -> UInt32? {
        IPAddress(address).flatMap { rig.maps.frontends.value(of: FrontendKey(markerOf: $0)) }?.serviceID
    }

    private func isInstance(_ rig: Rig, _ address: String) -> Bool {
        IPAddress(address).flatMap { rig.maps.waypoints.value(of: WaypointKey(address: $0)) } != nil
    }

    @Test func aServiceNamesItsWaypointsPortInEachFamily() throws {
        var rig = Rig()
        rig.apply([
            put(proxy()), put(through(service("a", ["10.96.0.1", "fd00::1"]))),
            put(through(service("proxy-user", ["10.96.0.2"]))), put(service("b", ["10.96.0.3"])),
        ])
        #expect(rig.value("10.96.0.1")?.waypointID == rig.serviceID("10.96.0.9", 15019))
        #expect(rig.value("fd00::1")?.waypointID == rig.serviceID("fd00::9", 15019))
        #expect(rig.value("10.96.0.3")?.waypointID == 0)
        #expect(try rig.dataplane.verify().isEmpty)
        var snapshot = EngineSnapshot(mode: .dualEngine)
        rig.dataplane.describe(in: &snapshot)
        let shown = snapshot.services.first { $0.service == "default/a" }
        #expect(shown?.waypoint == "default/proxy:15019" && shown?.isWaypointInForce == true)
        #expect(snapshot.table([.services]).contains("default/proxy:15019"))
    }

    @Test func aWaypointThatIsNotThereRefuses() throws {
        var rig = Rig()
        rig.apply([put(through(service("a", ["10.96.0.1", "fd00::1"])))])
        #expect(rig.value("10.96.0.1")?.waypointID == KMESH_WAYPOINT_MISSING)
        rig.apply([put(proxy(["10.96.0.9"]))])
        #expect(rig.value("10.96.0.1")?.waypointID == rig.serviceID("10.96.0.9", 15019))
        #expect(rig.value("fd00::1")?.waypointID == KMESH_WAYPOINT_MISSING)
        rig.apply([remove(proxy())])
        #expect(rig.value("10.96.0.1")?.waypointID == KMESH_WAYPOINT_MISSING)
        #expect(try rig.dataplane.verify().isEmpty)
        rig.apply([put(service("a", ["10.96.0.1", "fd00::1"]))])
        #expect(rig.value("10.96.0.1")?.waypointID == 0)
        #expect(try rig.dataplane.verify().isEmpty)
    }

    @Test func datagramsAndTheWaypointItselfGoStraight() {
        var rig = Rig()
        var dns = through(service("dns", ["10.96.0.1"]))
        dns.ports = [ServicePort(port: 53, transport: .udp)]
        rig.apply([put(through(proxy())), put(dns)])
        #expect(rig.value("10.96.0.9", 15019)?.waypointID == 0)
        let values = rig.maps.services
        #expect((try? values.contents().entries.values.allSatisfy { $0.waypointID == 0 }) == true)
    }

    @Test func aWorkloadsAddressIsMarked() throws {
        var rig = Rig()
        let pod = through(workload("w", ["10.1.0.1", "fd01::1"], serving: []))
        rig.apply([put(pod)])
        #expect(mark(rig, "10.1.0.1") == KMESH_WAYPOINT_MISSING)
        rig.apply([put(proxy())])
        #expect(mark(rig, "10.1.0.1") == rig.serviceID("10.96.0.9", 15019))
        #expect(mark(rig, "fd01::1") == rig.serviceID("fd00::9", 15019))
        // The address of a service is the service's, as long as it is one.
        rig.apply([put(service("a", ["10.1.0.1"]))])
        #expect(mark(rig, "10.1.0.1") == 0)
        #expect(try rig.dataplane.verify().isEmpty)
        rig.apply([remove(service("a"))])
        #expect(mark(rig, "10.1.0.1") == rig.serviceID("10.96.0.9", 15019))
        rig.apply([remove(pod), remove(proxy())])
        #expect(rig.maps.counts == MapCounts())
        #expect(rig.dataplane.entryCounts == MapCounts())
    }

    @Test func workloadsThatShareAnAddressShareTheMark() {
        var rig = Rig()
        let first = through(workload("v", ["10.1.0.1"], serving: []))
        let second = through(workload("w", ["10.1.0.1"], serving: []))
        rig.apply([put(proxy()), put(first), put(second)])
        rig.apply([remove(first)])
        #expect(mark(rig, "10.1.0.1") == rig.serviceID("10.96.0.9", 15019))
        rig.apply([remove(second)])
        #expect(mark(rig, "10.1.0.1") == nil)
    }

    @Test func instancesAreKnownBeforeAnythingIsSentToThem() throws {
        var rig = Rig()
        rig.maps.waypoints.observeWrites { [maps = rig.maps] _ in
            #expect(maps.frontends.count == 0 && maps.services.count == 0)
        }
        rig.apply([
            put(through(service("a", ["10.96.0.1"]))), put(proxy()),
            put(instance("p", ["10.1.0.9", "fd01::9"])),
        ])
        rig.maps.waypoints.observeWrites(nil)
        #expect(isInstance(rig, "10.1.0.9") && isInstance(rig, "fd01::9"))
        rig.apply([put(workload("p", ["10.1.0.9"], serving: []))])
        #expect(!isInstance(rig, "10.1.0.9") && !isInstance(rig, "fd01::9"))
        #expect(try rig.dataplane.verify().isEmpty)
    }

    /// In the order of the writes nothing ever names a service port that is not there.
    @Test func aWaypointIsThereBeforeWhatNamesIt() throws {
        var rig = Rig()
        let maps = rig.maps
        let check: @Sendable () -> Void = {
            let contents = (try? maps.services.contents().entries) ?? [:]
            let named = contents.values.map(\.waypointID).filter { $0 != 0 && $0 != KMESH_WAYPOINT_MISSING }
            #expect(named.allSatisfy { contents[ServiceMapKey(serviceID: $0)] != nil })
        }
        maps.services.observeWrites { _ in check() }
        let users = (0..<20).map { through(service("a\($0)", ["10.96.1.\($0)"])) }
        rig.apply(users.map { put($0) } + [put(proxy())])
        // Another id for the waypoint's port: away and back in one step, and with other ports.
        rig.apply([put(service("proxy", ["10.96.0.9"], ports: [15019, 15008]))])
        rig.apply([remove(proxy())])
        rig.apply([put(proxy())])
        rig.apply([remove(proxy())] + users.map { put(service($0.name, [$0.addresses[0].description])) })
        #expect(try rig.dataplane.verify().isEmpty)
    }

    @Test func aRestartWritesNothing() throws {
        var rig = Rig()
        let all = [
            put(proxy()), put(through(service("a", ["10.96.0.1", "fd00::1"]))),
            put(through(service("lost", ["10.96.0.2"], ports: [443]))), put(instance("p", ["10.1.0.9"])),
            put(through(workload("w", ["10.1.0.1"], serving: ["a"]))),
            put(workload("q", ["10.1.0.8"], serving: ["proxy"])),
        ]
        rig.apply(all)
        try rig.restart()
        #expect(rig.apply(all.reversed()).writes == 0)
        #expect(try rig.dataplane.verify().isEmpty)
        // What is not wanted any more goes.
        try rig.restart()
        rig.apply([
            put(service("a", ["10.96.0.1", "fd00::1"])), put(workload("w", ["10.1.0.1"], serving: ["a"])),
        ])
        #expect(rig.value("10.96.0.1")?.waypointID == 0)
        #expect(mark(rig, "10.1.0.1") == nil && !isInstance(rig, "10.1.0.9"))
        #expect(try rig.dataplane.verify().isEmpty)
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
    }

    @Test func damagedEntriesAreReplaced() throws {
        var rig = Rig()
        let all = [
            put(proxy()), put(instance("p", ["10.1.0.9"])),
            put(through(workload("w", ["10.1.0.1"], serving: []))),
        ]
        rig.apply(all)
        rig.maps.waypoints.damage(WaypointKey(address: try #require(IPAddress("10.1.0.9"))))
        rig.maps.frontends.damage(FrontendKey(markerOf: try #require(IPAddress("10.1.0.1"))))
        #expect(try rig.dataplane.verify().count == 2)
        try rig.restart()
        rig.apply(all)
        #expect(try rig.dataplane.verify().isEmpty)
        #expect(isInstance(rig, "10.1.0.9") && mark(rig, "10.1.0.1") != nil)
    }

    @Test func whatFindsNoRoomIsRefusedByName() throws {
        var rig = Rig(
            capacities: MapCounts(
                frontends: 3, services: 9, slots: 9, tables: 0, endpoints: 9, waypoints: 1))
        let marked = through(workload("w", ["10.1.0.1", "10.1.0.2"], serving: []))
        let rejected = rig.apply([
            put(proxy(["10.96.0.9"])), put(instance("p", ["10.1.0.8"])), put(instance("q", ["10.1.0.9"])),
            put(marked),
        ]).rejected
        #expect(Set(rejected.map(\.name)) == [.workload(uid: "Pod/default/q"), .workload(uid: marked.uid)])
        #expect(rejected.contains { $0.reason.contains("km_waypoint, which is full") })
        #expect(rejected.contains { $0.reason.contains("--max-frontends") })
        // Room that comes free is taken.
        rig.apply([remove(instance("p", [])), put(through(workload("w", ["10.1.0.2"], serving: [])))])
        #expect(isInstance(rig, "10.1.0.9") && mark(rig, "10.1.0.2") != nil && mark(rig, "10.1.0.1") == nil)
        #expect(try rig.dataplane.verify().isEmpty)
    }

    @Test func oneEndpointOfAWaypointCostsAHandfulOfWrites() {
        var rig = Rig()
        let users = (0..<500).map { through(service("a\($0)", ["10.96.\(1 + $0 / 200).\($0 % 200)"])) }
        rig.apply(users.map { put($0) } + [put(proxy(["10.96.0.9"]))])
        var pod = workload("p", ["10.1.0.9"], serving: ["proxy"])
        pod.memberships[0].ports = [PortMapping(servicePort: 15019, transport: .tcp, targetPort: 15019)]
        pod.isWaypoint = true
        #expect(rig.apply([put(pod)]).writes <= 5)
        #expect(rig.apply([remove(pod)]).writes <= 5)
        // Its service costs one write for each that goes through it.
        #expect(rig.apply([remove(proxy())]).writes <= 500 + 4)
    }
}
