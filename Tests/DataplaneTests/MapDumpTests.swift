import KmeshKit
import Testing

/// What people see of the L4 maps.
@Suite struct MapDumpTests {
    private func lines(_ maps: [DumpableMap], _ name: String) throws -> [String] {
        try maps.read(MapQuery([name]))[0].table.split(separator: "\n").dropFirst(2).map {
            $0.split(separator: " ").joined(separator: " ")
        }
    }

    private func rig() -> Rig {
        var rig = Rig()
        var proxied = service("reviews", ["10.0.0.1"])
        proxied.waypoint = WaypointReference(service: key("proxy"))
        var instance = workload("p", ["10.1.0.9"], serving: [])
        instance.isWaypoint = true
        rig.apply([
            put(service("proxy", ["10.0.0.9"], ports: [15019])), put(instance), put(proxied),
            put(service("ratings", ["fd00::1"], policy: .maglev, affinity: 30)),
            put(workload("x", ["10.1.0.1", "fd00:1::1"], serving: ["reviews", "ratings"])),
        ])
        return rig
    }

    @Test func everyMapHasNames() throws {
        let maps = rig().dataplane.dumpableMaps
        #expect(
            maps.map(\.name) == [
                "km_frontend", "km_service", "km_slot", "km_table", "km_endpoint", "km_waypoint",
            ])
        let frontends = try lines(maps, "km_frontend")
        #expect(frontends.contains { $0.hasPrefix("address=10.0.0.1 port=\"any other\" leadsTo=") })
        #expect(
            frontends.contains {
                $0.hasPrefix(
                    "address=10.0.0.1 port=80 protocol=TCP leadsTo=\"default/reviews port 80/TCP IPv4\"")
            }, "\(frontends)")
        let services = try lines(maps, "service")
        #expect(services.count == 3)
        #expect(
            services.contains {
                $0.contains("policy=random tier=0 endpoints=1 waypoint=\"default/proxy port 15019/TCP IPv4\"")
            }, "\(services)")
        #expect(services.contains { $0.contains("policy=maglev") && $0.contains("affinitySeconds=30") })
        #expect(try lines(maps, "slot")[0].contains("slot=0 endpoint=10.1.0.1:8080 endpointId=1"))
        let tables = try lines(maps, "table")
        #expect(tables[0].contains("slots=16381 shares={[fd00:1::1]:8080: 16381}"), "\(tables)")
        #expect(try lines(maps, "endpoint").count == 2)
        #expect(try lines(maps, "waypoint") == ["address=10.1.0.9 waypoint=true"])
    }

    @Test func whatClientsAreRememberedByHasNames() throws {
        let rig = rig()
        let id = try #require(rig.serviceID("10.0.0.1")), client = try #require(IPAddress("10.1.0.7"))
        let affinities = InMemoryMap<AffinityKey, AffinityValue>(name: "km_affinity", capacity: 4)
        let sessions = InMemoryMap<UDPSessionKey, UDPSessionValue>(name: "km_udp_session", capacity: 4)
        let replies = InMemoryMap<UDPReplyKey, UDPReplyValue>(name: "km_udp_reply", capacity: 4)
        try affinities.upsert([
            MapEntry(
                AffinityKey(client: client, serviceID: id), AffinityValue(endpointID: 1, lastUsed: 77))
        ])
        try sessions.upsert([
            MapEntry(UDPSessionKey(socketCookie: 1 << 40, serviceID: id), UDPSessionValue(endpointID: 9))
        ])
        let endpoint = SocketAddress(client, 8080), dialed = SocketAddress(client, 53)
        try replies.upsert([
            MapEntry(UDPReplyKey(socketCookie: 5, endpoint: endpoint), UDPReplyValue(frontend: dialed))
        ])
        let maps = rig.dataplane.dumpableMaps(
            FlowMaps(affinities: affinities, sessions: sessions, replies: replies))
        #expect(
            try lines(maps, "affinity") == [
                "client=10.1.0.7 service=\"default/reviews port 80/TCP IPv4\" serviceId=\(id) "
                    + "endpoint=10.1.0.1:8080 endpointId=1 lastUsedSecond=77"
            ])
        #expect(
            try lines(maps, "udp_session") == [
                "socketCookie=1099511627776 service=\"default/reviews port 80/TCP IPv4\" serviceId=\(id) "
                    + "endpoint=\"unknown endpoint 9\" endpointId=9"
            ])
        #expect(
            try lines(maps, "udp_reply") == [
                "socketCookie=5 endpoint=10.1.0.7:8080 dialed=10.1.0.7:53"
            ])
    }

    @Test func damagedAndOmittedEntriesAreCounted() throws {
        let rig = rig()
        let id = try #require(rig.serviceID("10.0.0.1"))
        rig.maps.services.damage(ServiceMapKey(serviceID: id))
        let services = try rig.dataplane.dumpableMaps.read(MapQuery(["km_service"], limit: nil))[0]
        #expect(services.count == 3 && services.omitted == 0)
        #expect(services.rows.filter { $0.value == nil }.count == 1)
        #expect(services.table.contains("damaged\n"))
        let none = try rig.dataplane.dumpableMaps.read(MapQuery(["km_service"], limit: 0))[0]
        #expect(none.omitted == 3 && none.shown == 0 && none.table.hasSuffix("… 3 more; --all shows them\n"))
        let error = #expect(throws: MapDumpError.self) {
            try rig.dataplane.dumpableMaps.read(MapQuery(["nothing"]))
        }
        #expect(error?.description.hasPrefix("there is no map nothing; there are km_frontend, ") == true)
        #expect(throws: MapDumpError.engine(.notStarted)) { try [DumpableMap]().read(MapQuery()) }
    }

    /// One entry of each map is taken away, and one that nobody wants is put in: each is named.
    @Test func verifyNamesDamageInEveryMap() throws {
        func expect(_ map: String, _ what: String, _ change: (Rig) throws -> Void) throws {
            let rig = rig()
            #expect(try rig.dataplane.verify().isEmpty)
            try change(rig)
            let found = try rig.dataplane.verify()
            #expect(found.map(\.map) == [map], "\(what): \(found)")
        }
        func damage<Key, Value>(
            _ map: String, _ path: KeyPath<InMemoryL4Maps, InMemoryMap<Key, Value>>,
            _ other: MapEntry<Key, Value>
        ) throws {
            let key = try #require(rig().maps[keyPath: path].contents().entries.keys.first)
            try expect(map, "missing") { try $0.maps[keyPath: path].remove([key]) }
            if Value.isSealed { try expect(map, "damaged") { $0.maps[keyPath: path].damage(key) } }
            try expect(map, "surplus") { try $0.maps[keyPath: path].upsert([other]) }
        }
        let address = try #require(IPAddress("192.0.2.1"))
        let value = ServiceValue(policy: 1, flags: 0, tier: 0, endpointCount: 0, affinityTimeout: 0)
        let frontend = FrontendKey(address: address, port: 1, transport: .tcp)
        try damage("km_frontend", \.frontends, MapEntry(frontend, FrontendValue(serviceID: 1)))
        try damage("km_service", \.services, MapEntry(ServiceMapKey(serviceID: 900), value))
        try damage(
            "km_slot", \.slots,
            MapEntry(SlotKey(serviceID: 900, tier: 0, index: 0), SlotValue(endpointID: 1)))
        let table = TableValue(endpointIDs: [UInt32](repeating: 1, count: TableValue.wordCount))
        try damage("km_table", \.tables, MapEntry(ServiceMapKey(serviceID: 900), table))
        try damage(
            "km_endpoint", \.endpoints,
            MapEntry(
                EndpointKey(serviceID: 900, endpointID: 1), EndpointValue(address: address, port: 1)))
        try damage("km_waypoint", \.waypoints, MapEntry(WaypointKey(address: address), WaypointValue()))
    }
}
