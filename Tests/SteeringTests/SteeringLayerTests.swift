import BPFLoader
import CKmeshABI
import KmeshKit
import KmeshTestSupport
import Steering
import Synchronization
import Testing

/// An engine with a layer, in the kernel: the programs of the dual engine under another name.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: loads and attaches BPF programs"))
struct SteeringLayerTests {
    private let headless = Service(
        key: ServiceKey(namespace: "default", hostname: "a"), name: "a", addresses: [],
        ports: [ServicePort(port: 80, transport: .tcp)])
    private let pod = Workload(
        uid: "Pod/default/w", name: "w", namespace: "default", addresses: [IPAddress(v4: 0x0a01_0001)],
        memberships: [
            Membership(
                service: ServiceKey(namespace: "default", hostname: "a"),
                ports: [PortMapping(servicePort: 80, transport: .tcp, targetPort: 8080)], health: .ready)
        ])
    private var cluster: ClusterKey { ClusterKey(headless.key, port: 80, family: .v4) }
    private var configuration: [ResourceChange<MeshResource>] {
        [.upsert(.service(headless)), .upsert(.workload(pod))]
    }

    private final class Kept {
        let value: BPFLink
        init(_ value: consuming BPFLink) { self.value = value }
    }

    /// A bpffs and a cgroup of the test's own.
    private final class Place {
        let pins: TestPins
        let cgroup: String

        init() throws {
            pins = try TestPins()
            let mount = try #require(try Cgroup.mountPoint())
            cgroup = "\(mount)/kmesh-test-\(UInt32.random(in: 0...UInt32.max))"
            try Files.makeDirectories(cgroup)
        }

        func engine(_ loader: ListedLayerLoader) -> SteeringEngine {
            let definition = EngineDefinition(
                mode: .dualEngine, object: "dual", pins: "listed",
                migration: LayoutMigration(to: UInt32(KMESH_LAYOUT_VERSION), by: []),
                others: [], makeLoader: { _ in loader })
            let options = EngineOptions(
                nodeName: "n1", bpfFileSystemPath: pins.path, cgroupPath: cgroup)
            return SteeringEngine(definition, options, OpenAuthorizer())
        }

        func pinnedLinks() throws -> [String] {
            let pins = try PinDirectory(root: pins.path, name: "listed-v\(KMESH_LAYOUT_VERSION)")
            return try pins.pinnedNames().filter { $0.hasPrefix("link_") }.sorted()
        }

        /// Takes every place at the hook.
        func fill(_ hook: CgroupHook) throws -> [Kept] {
            let object = try BPFObject(named: "dual")
            try object.load()
            let program = try object.program("kmesh_\(hook.name)")
            let group = try FileDescriptor.open(cgroup)
            return try (0..<64).map { _ in Kept(try BPFLink.attach(program: program, to: group, hook: hook)) }
        }

        deinit { try? Files.removeDirectory(cgroup) }
    }

    private func apply(
        _ changes: [ResourceChange<MeshResource>], to engine: SteeringEngine
    ) async -> [RejectedResource] {
        var rejected: [RejectedResource] = []
        for handler in engine.handlers {
            guard let handler = handler as? any ResourceHandler<MeshResource> else { continue }
            rejected += await handler.apply(changes)
        }
        return rejected
    }

    @Test func aLayerTakesPart() async throws {
        let place = try Place()
        let listing = Listing()
        let engine = place.engine(ListedLayerLoader(listing: listing, clusters: [cluster]))
        #expect(await engine.readinessNote() == nil)
        #expect(try await engine.start(enrolling: []) == ["this is listed"])
        #expect(await engine.readinessNote() == "listed")
        #expect(listing.takeCalls() == ["load", "layer"])

        var odd = pod
        odd.uid = "odd"
        let rejected = await apply(configuration + [.upsert(.workload(odd))], to: engine)
        #expect(rejected == [RejectedResource(name: .workload(uid: "odd"), reason: "is odd")])
        #expect(listing.takeCalls() == ["prepare", "refer"])
        let id = try #require(listing.ids[cluster])
        var snapshot = await engine.snapshot()
        #expect(snapshot.services.map(\.id) == [id])
        #expect(snapshot.reasons.last?.name == "listed")
        #expect(snapshot.maps.first { $0.name == "km_metadata" }?.entries == 77)
        #expect(snapshot.maps.first { $0.name == KMESH_MAP_TRACE }?.capacity == 1 << 16)
        #expect(try await engine.verify() == [])
        #expect(await engine.dumpableMaps().contains { $0.name == "listing" })

        // What goes waits until nobody leads to it.
        listing.state.withLock {
            $0.fault = MapError(map: "listing", operation: .update, errno: .noMemory)
        }
        _ = await apply([.remove(.service(headless.key))], to: engine)
        await engine.tend()
        #expect(await engine.activity().stall == "cannot write to map listing: \(Errno.noMemory)")
        #expect(try await engine.verify().contains { $0.map == KMESH_MAP_SERVICE })
        listing.state.withLock { $0.fault = nil }
        await engine.tend()
        let activity = await engine.activity()
        #expect(activity.stall == nil && activity.pendingWrites == 0)
        #expect(try await engine.verify() == [])
        snapshot = await engine.snapshot()
        #expect(snapshot.services == [])
        #expect(listing.takeCalls() == ["prepare", "tend", "refer", "tend"])
        try await engine.stop(.removeAll)
        #expect(listing.takeCalls() == ["end"])
    }

    @Test func whatWasLedToIsFoundAgain() async throws {
        let place = try Place()
        let listing = Listing()
        let loader = ListedLayerLoader(listing: listing, clusters: [cluster])
        let first = place.engine(loader)
        _ = try await first.start(enrolling: [])
        _ = await apply(configuration, to: first)
        let ids = listing.ids
        #expect(ids.count == 1)
        try await first.stop(.keepPinned)

        let second = place.engine(loader)
        #expect(try await second.findsEarlierRun())
        _ = try await second.start(enrolling: [])
        _ = await apply(configuration, to: second)
        #expect(listing.ids == ids)
        // Nothing but what the layer wrote.
        #expect(await second.activity().writes == 1)
        #expect(try await second.verify() == [])
        try await second.stop(.removeAll)
    }

    @Test func aHookThatIsLeftOutIsEmptiedAndFilledAgain() async throws {
        let place = try Place()
        var loader = ListedLayerLoader(listing: Listing(), clusters: [])
        let all = untold
        for isWithout in [false, true, false] {
            loader.isWithoutGetpeername = isWithout
            let engine = place.engine(loader)
            _ = try await engine.start(enrolling: [])
            await engine.tend()
            #expect(try place.pinnedLinks() == all.filter { !isWithout || $0 != "link_getpeername6" })
            try await engine.stop(.keepPinned)
        }
        try await place.engine(loader).stop(.removeAll)
    }

    /// The pins of hooks of an engine that knows no waypoint.
    private var untold: [String] {
        CgroupHook.steering.filter { $0 != .sockops }.map { "link_\($0.name)" }.sorted()
    }

    /// A cgroup's hook takes 64 programs.
    @Test func whatNeedsAProgramThatFindsNoPlaceWaits() async throws {
        let place = try Place()
        let loader = ListedLayerLoader(listing: Listing(), clusters: [])
        var sent = headless
        sent.waypoint = WaypointReference(
            service: ServiceKey(namespace: "default", hostname: "waypoint"), port: 15019)
        let engine = place.engine(loader)
        _ = try await engine.start(enrolling: [])
        _ = await apply(configuration, to: engine)
        let others = try place.fill(.sockops)
        let rejected = await apply([.upsert(.service(sent))], to: engine)
        #expect(rejected.map(\.name) == [.service(sent.key)])
        #expect(rejected.first?.reason.contains("sockops") == true, "\(rejected)")
        #expect(await apply([.upsert(.workload(pod))], to: engine) == [], "others do not wait with it")
        await engine.tend()
        #expect(try place.pinnedLinks() == untold)
        try await engine.stop(.keepPinned)

        // A first configuration waits whole: what is missing from that is removed.
        let next = place.engine(loader)
        _ = try await next.start(enrolling: [])
        let before = await next.snapshot().maps.first { $0.name == "km_endpoint" }?.entries
        #expect(await apply(configuration + [.upsert(.service(sent))], to: next).count > 1)
        #expect(await next.snapshot().maps.first { $0.name == "km_endpoint" }?.entries == before)
        #expect(await next.activity().applied == 0)
        for link in others { try link.value.detach() }
        await next.tend()
        #expect(await next.activity().applied == 1)
        #expect(try place.pinnedLinks().contains("link_sockops"))
        #expect(try await next.verify() == [])
        try await next.stop(.removeAll)
    }

    @Test func whatTellsWaypointsIsAttachedWithTheFirstOne() async throws {
        let place = try Place()
        let loader = ListedLayerLoader(listing: Listing(), clusters: [])
        let first = place.engine(loader)
        _ = try await first.start(enrolling: [])
        _ = await apply(configuration, to: first)
        #expect(try place.pinnedLinks() == untold)
        var sent = headless
        sent.waypoint = WaypointReference(
            service: ServiceKey(namespace: "default", hostname: "waypoint"), port: 15019)
        #expect(await apply([.upsert(.service(sent))], to: first) == [])
        let all = (untold + ["link_sockops"]).sorted()
        #expect(try place.pinnedLinks() == all)
        await first.tend()
        #expect(await first.activity().drift == 0)
        try await first.stop(.keepPinned)

        // It stays, as nobody has said yet that there is none any more.
        let second = place.engine(loader)
        _ = try await second.start(enrolling: [])
        #expect(try place.pinnedLinks() == all)
        try await second.stop(.removeAll)
    }
}
