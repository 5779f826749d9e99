import KmeshKit
import Testing

@testable import AuthzXDP

/// What people see of authorization's maps.
@Suite struct MapDumpTests {
    private func lines(_ maps: [DumpableMap], _ name: String) throws -> [String] {
        try maps.read(MapQuery([name]))[0].table.split(separator: "\n").dropFirst(2).map {
            $0.split(separator: " ").joined(separator: " ")
        }
    }

    @Test func everyMapHasNames() throws {
        var rig = Rig()
        var server = pod("server", "10.0.0.1")
        server.probePorts = [8081]
        try rig.dataplane.protect(server.local)
        rig.apply([
            put(server), put(pod("client", in: "shop", "10.0.0.2")),
            put(policy("shops", .deny, .namespaces("sho*"), .ports(80))),
            put(policy("net", .allow, .sources(["10.0.0.0/8", "fd00::/16"]))),
            put(policy("one", .deny, dryRun: true, .principals("cluster.local/ns/shop/sa/client"))),
        ])
        #expect(try rig.dataplane.verify() == [])
        let maps = rig.dataplane.dumpableMaps
        let names = rig.dataplane.entryCounts.byMap
        #expect(Set(maps.map(\.name)) == Set(names.map(\.map)))
        for (name, count) in names {
            #expect(count > 0, "the test has nothing in \(name)")
            #expect(try maps.read(MapQuery([name]))[0].count == count, "\(name)")
        }
        let sources = try lines(maps, "authz_source")
        #expect(
            sources.contains {
                $0.hasPrefix("address=10.0.0.2 workload=shop/client identity=")
                    && $0.contains("/ns/shop/sa/client")
            }, "\(sources)")
        #expect(try lines(maps, "authz_dest")[0].hasPrefix("address=10.0.0.1 workload=web/server view="))
        #expect(try lines(maps, "authz_view")[0].contains("needsAllow=true trialNeedsAllow=false"))
        #expect(try lines(maps, "authz_block")[0].contains("AuthorizationPolicy web/"))
        let bits = try lines(maps, "authz_bits")
        #expect(bits.contains { $0.contains("dimension=port value=80 terms=") }, "\(bits)")
        let prefixes = try lines(maps, "authz_prefix")
        #expect(prefixes.contains { $0.contains("dimension=source addresses=10.0.0.0/8 terms=") })
        #expect(prefixes.contains { $0.contains("addresses=fd00::/16 terms=") }, "\(prefixes)")
        #expect(
            try lines(maps, "authz_term").contains { $0.contains("policy=\"AuthorizationPolicy web/net\"") })
        #expect(try lines(maps, "authz_policy").allSatisfy { $0.contains("denied=0 trialDenied=0") })
        #expect(
            try lines(maps, "authz_probe") == ["address=10.0.0.1 workload=web/server port=8081 probed=true"])
    }

    @Test func theConfigurationHasPolicies() throws {
        var rig = Rig()
        rig.apply([put(policy("shops", .deny, .namespaces("sho*"))), put(pod("x", "10.0.0.1"))])
        #expect(rig.dataplane.configuration.map(\.name.description) == ["AuthorizationPolicy web/shops"])
    }
}
