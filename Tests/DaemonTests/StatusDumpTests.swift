import KmeshKit
import Testing

/// Dumps of the status server: the configuration and the maps.
@Suite struct StatusDumpTests {
    private let resources: [MeshResource] = [
        .workload(
            Workload(
                uid: "Pod/shop/web-0", name: "web-0", namespace: "shop",
                addresses: [IPAddress(v4: 0x0a00_0001)])),
        .service(
            Service(
                key: ServiceKey(namespace: "shop", hostname: "web"), name: "web",
                addresses: [IPAddress(v4: 0x0a60_0001)], ports: [ServicePort(port: 80, transport: .tcp)])),
        .policy(AuthorizationPolicy(key: PolicyKey(namespace: "shop", name: "buyers"), action: .deny)),
    ]

    /// A map with `count` entries and a damaged one.
    private func map(_ name: String, _ count: UInt32) throws -> DumpableMap {
        let map = InMemoryMap<ServiceMapKey, SlotValue>(name: name, capacity: Int(count) + 1)
        try map.upsert(
            (0..<count).map { MapEntry(ServiceMapKey(serviceID: $0), SlotValue(endpointID: 7)) })
        map.damage(ServiceMapKey(serviceID: count))
        return .entries(map, by: \.serviceID) {
            EntryWords(
                key: { ["id": JSONValue($0.serviceID)] }, value: { ["endpoint": JSONValue($1.endpointID)] })
        }
    }

    @Test func theConfigurationIsAsItWasGiven() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.have(resources, [])
        try await daemon.whileRunning { daemon async throws in
            for name in ["dual-engine", "workload"] {
                let dump = try await daemon.http("GET", "/debug/config_dump/\(name)")
                #expect(dump.status == 200 && dump.headers["transfer-encoding"] == "chunked")
                let found = try #require(dump.json["configuration"]?.array)
                #expect(
                    found.compactMap { $0["kind"]?.string } == ["AuthorizationPolicy", "Service", "Workload"])
                #expect(found[1]["form"]?["addresses"] == ["10.96.0.1"])
                #expect(found[0]["form"]?["action"] == "DENY" && found[0]["form"]?["scope"] == "namespace")
            }
            for path in ["", "bpf/"] {
                for name in ["kernel-native", "ads"] {
                    let other = try await daemon.http("GET", "/debug/config_dump/\(path)\(name)")
                    #expect(other.status == 404)
                    #expect(
                        other.body
                            == "there is no \(name) here, for this daemon runs dual-engine; "
                            + "ask for dual-engine or workload\n")
                }
                let unknown = try await daemon.http("GET", "/debug/config_dump/\(path)x")
                #expect(unknown.status == 404 && unknown.body.contains("there are kernel-native, ads"))
            }
        }
    }

    @Test func mapsAreDecodedAndBounded() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.have(
            [], [try map("km_a", 3), try map("km_b", 5000), .hidden("km_c", "Not seen.")])
        try await daemon.whileRunning { daemon async throws in
            let dump = try await daemon.http("GET", "/debug/config_dump/bpf/dual-engine")
            let maps = try #require(dump.json["maps"]?.array)
            #expect(maps.compactMap { $0["map"]?.string } == ["km_a", "km_b", "km_c"])
            #expect(maps[0]["entries"]?.array?.count == 4 && maps[0]["omitted"] == 0)
            #expect(maps[0]["entries"]?.array?[2] == ["key": ["id": 2], "value": ["endpoint": 7]])
            #expect(maps[0]["entries"]?.array?[3] == ["key": ["id": 3], "value": .null])
            #expect(maps[1]["entries"]?.array?.count == 1000)
            #expect(maps[1]["count"] == 5001 && maps[1]["omitted"] == 4001)
            #expect(maps[2]["count"] == .null && maps[2]["note"] == "Not seen.")

            let path = "/debug/config_dump/bpf/workload"
            let all = try await daemon.http("GET", "\(path)?map=b&limit=all").json["maps"]?.array
            #expect(all?.count == 1 && all?[0]["entries"]?.array?.count == 5001)
            let few = try await daemon.http("GET", "\(path)?map=km_b,a&limit=2").json["maps"]?.array
            #expect(few?.map { $0["entries"]?.array?.count } == [2, 2])
            let unknown = try await daemon.http("GET", "\(path)?map=x")
            #expect(unknown.status == 404)
            #expect(unknown.body == "there is no map x; there are km_a, km_b, km_c\n")
            #expect(try await daemon.http("GET", "\(path)?limit=-1").status == 400)
            await daemon.engine.have([], [])
            let none = try await daemon.http("GET", path)
            #expect(none.status == 500 && none.body.contains("the engine is not started"))
        }
    }
}
