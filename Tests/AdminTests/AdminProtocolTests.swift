import Logging
import Testing

@testable import KmeshKit

@Suite struct AdminProtocolTests {
    static let workload = LocalWorkload(
        id: LocalWorkload.ID("u-1"), pod: PodName(namespace: "default", name: "a-0"),
        networkNamespacePath: "/run/netns/a",
        networkNamespace: NetworkNamespaceIdentity(inode: 7, cookie: .max),
        interface: "eth0", addresses: [IPAddress(v4: 0x0a00_0001), IPAddress(high: 1 << 60, low: 9)],
        cgroupPath: nil)

    static let snapshot = EngineSnapshot(
        mode: .dualEngine,
        services: [
            ServiceSnapshot(
                id: 3, service: "default/reviews", port: 80, transport: .tcp, family: .v4, policy: .maglev,
                tier: 1,
                affinityTimeout: 30, waypoint: "default/waypoint:15019",
                endpoints: [
                    EndpointSnapshot(id: 5, address: IPAddress(v4: 9), port: 8080, tier: 1, slot: 0)
                ]),
            ServiceSnapshot(
                id: 4, service: "default/dns", port: 53, transport: .udp, family: .v6, policy: .random,
                tier: 0,
                endpoints: []),
        ],
        frontends: [
            FrontendSnapshot(address: IPAddress(v4: 1), port: 80, transport: .tcp, serviceID: 3),
            FrontendSnapshot(address: IPAddress(v4: 1), port: 0, transport: nil, serviceID: 0),
        ],
        enrolled: [workload], reasons: [ReasonCount(number: 0, name: "steered", count: .max)],
        maps: [MapSnapshot(name: "km_frontend", capacity: 10, entries: 2, bytes: 4096)])

    @Test(arguments: [
        AdminRequest.version, .verify, .status, .dump([]), .dump(Set(DumpSection.allCases)),
        .trace(TraceRequest(pod: PodName(namespace: "a", name: "b"))),
        .trace(TraceRequest(pod: PodName(namespace: "a", name: "b"), after: .max)),
        .withdraw(.pod(PodName(namespace: "a", name: "b"))), .withdraw(.id(LocalWorkload.ID("x"))),
        .enroll(
            EnrollmentRequest(pod: PodName(namespace: "a", name: "b"), networkNamespacePath: "/run/netns/x")),
        .enroll(
            EnrollmentRequest(
                pod: PodName(namespace: "a", name: "b"), uid: "u", networkNamespacePath: "/p",
                interface: "net1",
                addresses: [IPAddress(v4: 5)], cgroupPath: "/c")),
        .configuration, .waypoints, .loggers, .setLevel(logger: "config", level: "debug"),
        .maps(MapQuery()), .maps(MapQuery(["km_slot", "x"], limit: nil)), .maps(MapQuery([], limit: 0)),
    ])
    func requestsTravel(request: AdminRequest) throws {
        #expect(try AdminRequest(json: JSONValue(parsing: request.json.serialized())) == request)
    }

    @Test(arguments: [
        AdminResponse.enrolled(workload), .withdrawn([workload, workload]), .withdrawn([]),
        .dump(snapshot, Set(DumpSection.allCases)), .differences([]),
        .differences([Difference(map: "m", key: "k", wanted: nil, found: "f")]),
        .version(VersionReport(mode: "dual-engine")),
        .status(
            DaemonStatus(
                mode: "dual-engine", node: "n", pid: 7, source: "mesh.yaml", rejected: 2,
                recentRejections: ["a: b"], lastConfigurationError: "x\ny",
                engine: EngineActivity(writes: 9, driftByMap: ["hooks": 2, "km_slot": 7]))),
        .trace(TraceReport()),
        .trace(
            TraceReport(
                events: [
                    TraceEvent(
                        sequence: 3, time: "2026-01-02T03:04:05.678Z", command: "curl", process: 7,
                        transport: .tcp, dialed: SocketAddress(IPAddress(v4: 0x0a60_0001), 80),
                        service: "default/web", waypoint: "default/way",
                        endpoint: SocketAddress(IPAddress(high: 1, low: 2), 8080), workload: "default/web-1",
                        reason: 3),
                    TraceEvent(
                        sequence: 4, time: "t", command: "?", process: 0, transport: nil,
                        dialed: SocketAddress(IPAddress(v4: 1), 0), reason: 4_000_000),
                ], last: 4, missed: 5, lost: 6)), .handingOver(pid: 4711), .error(.busy, "later"),
        .maps([
            MapDump(
                "km_slot", rows: [.init(["id": 1], ["endpoint": "a b"]), .init(["id": 2], nil)], count: 7,
                note: "n"),
            MapDump("km_peer", rows: [], count: nil),
        ]),
        .configuration([ResourceDump(.node(Node(name: "n", region: "r")))]),
        .waypoints([
            WaypointReport(waypoint: "a/b:1", isInForce: true, instances: ["10.0.0.1:1"], targets: ["x"])
        ]),
        .loggers([LoggerLevel(name: "default", level: .notice)]),
    ])
    func responsesTravel(response: AdminResponse) throws {
        #expect(try AdminResponse(json: JSONValue(parsing: response.serialized())) == response)
    }

    @Test func aDumpHasOnlyWhatWasAskedFor() throws {
        let bytes = AdminResponse.dump(Self.snapshot, [.services]).serialized()
        guard case .dump(let read, let sections) = try AdminResponse(json: JSONValue(parsing: bytes)) else {
            Issue.record("not a dump")
            return
        }
        #expect(sections == [.services])
        #expect(read.frontends.isEmpty && read.enrolled.isEmpty && read.maps.isEmpty && read.reasons.isEmpty)
        #expect(read.services.map(\.endpointCount) == [1, 0])
        #expect(read.services.flatMap(\.endpoints).isEmpty)
    }

    @Test(arguments: [
        ("[]", "request: wanted an object, found an array"),
        ("{}", "request.request: wanted a string, found nothing"),
        ("{\"request\":\"reboot\"}", "request.request: \"reboot\" is not a request of this daemon"),
        ("{\"request\":\"verify\",\"force\":true}", "request.force: no such member"),
        ("{\"request\":\"loggers\",\"name\":1}", "request.name: no such member"),
        (
            "{\"request\":\"maps\",\"names\":[],\"limit\":-1}",
            "request.limit: wanted a number that is not negative"
        ),
        ("{\"request\":\"maps\"}", "request.names: wanted an array of strings, found nothing"),
        ("{\"request\":\"withdraw\"}", "request.pod: wanted a string, found nothing"),
        ("{\"request\":\"withdraw\",\"pod\":\"a\"}", "request.pod: \"a\" is not namespace/name"),
        ("{\"request\":\"dump\",\"sections\":[\"x\"]}", "request.sections: \"x\" cannot be dumped"),
        (
            "{\"request\":\"dump\",\"sections\":[1]}",
            "request.sections: wanted an array of strings, found an array"
        ),
        (
            "{\"request\":\"enroll\",\"pod\":\"a/b\",\"netns\":7}",
            "request.netns: wanted a string, found a number"
        ),
        (
            "{\"request\":\"enroll\",\"pod\":\"a/b\",\"netns\":\"/n\",\"addresses\":[\"1.2.3\"]}",
            "request.addresses: \"1.2.3\" is not an IP address"
        ),
    ])
    func refusesOtherRequests(text: String, problem: String) throws {
        let value = try JSONValue(parsing: text)
        let error = #expect(throws: JSONShapeError.self) { try AdminRequest(json: value) }
        #expect(error?.description == problem)
    }

    @Test func framesArriveInAnyPieces() {
        let body = Array("{\"request\":\"version\"}".utf8)
        let frame = AdminFrame.encode(body)
        for size in 1...frame.count {
            var reader = AdminFrameReader(limit: 100)
            var events: [AdminFrameReader.Event] = []
            for start in stride(from: 0, to: frame.count, by: size) {
                events.append(reader.received(Array(frame[start..<min(start + size, frame.count)])))
            }
            #expect(events.last == .complete(body))
            #expect(events.dropLast().allSatisfy { $0 == .incomplete })
        }
    }

    @Test func announcesOfTooMuchAreRefusedAtOnce() {
        var reader = AdminFrameReader(limit: 1 << 20)
        #expect(reader.received([0xff, 0xff, 0xff, 0xff]) == .tooLarge(0xffff_ffff))
        var atLimit = AdminFrameReader(limit: 5)
        #expect(atLimit.received([0, 0, 0, 5]) == .incomplete)
        #expect(atLimit.missing == 5)
        var over = AdminFrameReader(limit: 5)
        #expect(over.received([0, 0, 0, 6]) == .tooLarge(6))
        var empty = AdminFrameReader(limit: 5)
        #expect(empty.received([0, 0, 0, 0]) == .complete([]))
    }

    @Test func whatFollowsAFrameIsIgnored() {
        var reader = AdminFrameReader(limit: 5)
        #expect(reader.received([0, 0, 0, 1, 7, 8, 9]) == .complete([7]))
    }

    @Test func podNamesAreThoseOfKubernetes() {
        #expect(PodName("default/reviews-v1.0")?.description == "default/reviews-v1.0")
        for text in [
            "", "/", "a", "a/", "/b", "a/b/c", "A/b", "a/b c", "a/\u{e9}",
            "a/" + String(repeating: "x", count: 254),
        ] {
            #expect(PodName(text) == nil, "\(text)")
        }
    }

    @Test func tablesAreAlignedAndSorted() {
        #expect(
            Self.snapshot.table([.services]) == """
                SERVICE          PORT    FAMILY  ID  POLICY  TIER  AFFINITY  ENDPOINTS  WAYPOINT
                default/dns      53/UDP  IPv6    4   random  0     -         0          -
                default/reviews  80/TCP  IPv4    3   maglev  1     30s       1          default/waypoint:15019

                """)
        let all = Self.snapshot.table(Set(DumpSection.allCases))
        #expect(all.contains("0.0.0.1  any other  refused\n0.0.0.1  80/TCP     3\n"))
        #expect(!all.contains(" \n"))
        for section in DumpSection.allCases { #expect(all.contains("\(section.rawValue):\n")) }
    }
}
