/// What a node shows of itself: every map by name, damage in each, and the status server.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class InspectionTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "look", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    // One node serves all cases: making it takes longer than asking it.
    @Test func aNodeShowsWhatItHas() throws {
        _ = try node.probe("client", "tcp", "10.96.7.1", "80", "5")
        _ = try node.probe("client", "udp", "10.96.7.6", "53", "2")
        try everyMapIsDecoded()
        try theStatusServerAnswers()
        try damageInEachMapIsNamed()
    }

    private func json(_ arguments: String...) throws -> JSONValue {
        let outcome = try node.control(arguments + ["-o", "json"])
        #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
        return try JSONValue(parsing: outcome.output)
    }

    private func everyMapIsDecoded() throws {
        let steering = try #require(json("dump", "maps")["maps"]?.array).compactMap { $0["name"]?.string }
        let authorization = try #require(json("authz", "status")["maps"]?.array).compactMap {
            $0["name"]?.string
        }
        let maps = try #require(json("dump", "--bpf", "--all").array)
        #expect(maps.compactMap { $0["map"]?.string }.sorted() == (steering + authorization).sorted())
        for map in maps {
            let name = map["map"]?.string ?? ""
            // Either the kernel lists the entries, or the map says why not.
            #expect(map["count"] != .null || map["note"]?.string != nil, "\(name)")
            #expect(map["omitted"] == 0 && !map.text().contains("unknown "), "\(name): \(map.text())")
        }
        let filled = maps.filter { $0["entries"]?.array?.isEmpty == false }.compactMap { $0["map"]?.string }
        for name in ["km_frontend", "km_service", "km_slot", "km_endpoint", "km_enrolled", "km_authz_chain"] {
            #expect(filled.contains(name), "\(name) among \(filled)")
        }
        let text = try node.control("dump", "--bpf", "enrolled", "reason").output
        #expect(text.contains("  pod=default/client"), "\(text)")
        #expect(text.contains("  reason=steered "), "\(text)")
    }

    /// At its default address, seen from the node.
    private func theStatusServerAnswers() throws {
        let script = """
            import sys, urllib.request
            for path in sys.argv[1:]:
                with urllib.request.urlopen("http://127.0.0.1:15200" + path, timeout=20) as answer:
                    print(answer.status, len(answer.read()) > 1)
            """
        let paths = [
            "/version", "/options", "/debug/ready", "/debug/live", "/debug/loggers", "/debug/verify",
            "/debug/config_dump/workload", "/debug/config_dump/bpf/dual-engine?limit=all", "/authz", "/",
        ]
        let outcome = try BuiltProgram(path: "/usr/bin/nsenter").run(
            ["--net=\(node.nodeNamespace)", "python3", "-c", script] + paths)
        let wanted = String(repeating: "200 True\n", count: paths.count)
        #expect(outcome.output == wanted, "\(outcome.output)\(outcome.errors)")
        for (value, complaint) in [
            ("0.0.0.0:15200", "must be a loopback address such as 127.0.0.1:15200, not 0.0.0.0:15200"),
            ("[::]:1", "must be a loopback address"), ("localhost:1", "'localhost:1' is invalid"),
            ("127.0.0.1", "'127.0.0.1' is invalid"), ("127.0.0.1:70000", "is invalid"),
        ] {
            let refused = try node.refusal("--status-address", value)
            #expect(refused.status == 64 && refused.errors.contains(complaint), "\(refused)")
        }
    }

    private func damageInEachMapIsNamed() throws {
        let address = try #require(IPAddress("192.0.2.1"))
        let value = ServiceValue(policy: 1, flags: 0, tier: 0, endpointCount: 0, affinityTimeout: 0)
        let table = TableValue(endpointIDs: [UInt32](repeating: 1, count: TableValue.wordCount))
        let frontend = FrontendKey(address: address, port: 1, transport: .tcp)
        try damage(KMESH_MAP_FRONTEND, MapEntry(frontend, FrontendValue(serviceID: 1)))
        try damage(KMESH_MAP_SERVICE, MapEntry(ServiceMapKey(serviceID: 900), value))
        try damage(
            KMESH_MAP_SLOT,
            MapEntry(SlotKey(serviceID: 900, tier: 0, index: 0), SlotValue(endpointID: 1)))
        try damage(KMESH_MAP_TABLE, MapEntry(ServiceMapKey(serviceID: 900), table))
        try damage(
            KMESH_MAP_ENDPOINT,
            MapEntry(
                EndpointKey(serviceID: 900, endpointID: 1), EndpointValue(address: address, port: 1)))
        try damage(KMESH_MAP_WAYPOINT, MapEntry(WaypointKey(address: address), WaypointValue()))
        try damage(
            KMESH_MAP_ENROLLED, MapEntry(EnrolledKey(netnsCookie: 1 << 50), EnrolledValue(address: address)))
    }

    /// Takes an entry out of the kernel's map and puts a strange one in; then all is as before.
    private func damage<Key, Value>(_ name: String, _ strange: MapEntry<Key, Value>) throws {
        let pins = try PinDirectory(
            root: "\(node.directory)/bpf", name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
        guard let pin = try pins.open(name) else {
            Issue.record("\(name) is not pinned in \(pins.path)")
            return
        }
        let map = try BPFMap<Key, Value>(pin, name: name)
        let taken = try map.contents().entries.first
        if let taken { try map.remove([taken.key]) }
        try map.upsert([strange])
        let verified = try node.control("verify")
        #expect(verified.status == 1, "\(name)")
        let lines = verified.output.split(separator: "\n").dropFirst().dropLast()
        #expect(
            lines.count == (taken == nil ? 1 : 2) && lines.allSatisfy { $0.hasPrefix("\(name) ") },
            "\(verified.output)")
        try map.remove([strange.key])
        if let taken { try map.upsert([MapEntry(taken.key, taken.value)]) }
        #expect(try node.control("verify").status == 0, "\(name)")
    }
}
