import KmeshDaemon
import KmeshKit
import Logging
import Testing

/// What `kmeshctl` prints of maps, configuration, waypoints and loggers.
@Suite struct CommandLineInspectionTests {
    private let waypoint = ServiceKey(namespace: "shop", hostname: "proxy")

    private func resources() -> [MeshResource] {
        var web = Service(
            key: ServiceKey(namespace: "shop", hostname: "web"), name: "web",
            addresses: [IPAddress(v4: 0x0a60_0001)], ports: [ServicePort(port: 80, transport: .tcp)])
        web.waypoint = WaypointReference(service: waypoint)
        var pod = Workload(
            uid: "Pod/shop/web-0", name: "web-0", namespace: "shop", addresses: [IPAddress(v4: 0x0a00_0001)])
        pod.waypoint = web.waypoint
        return [.service(web), .workload(pod)]
    }

    private func map(_ name: String, _ count: UInt32) throws -> DumpableMap {
        let map = InMemoryMap<ServiceMapKey, SlotValue>(name: name, capacity: Int(count))
        try map.upsert((0..<count).map { MapEntry(ServiceMapKey(serviceID: $0), SlotValue(endpointID: 7)) })
        return .entries(map, by: \.serviceID) {
            EntryWords(
                key: { ["service": "shop/web port 80", "id": JSONValue($0.serviceID)] },
                value: { ["endpoint": .string("10.0.0.\($1.endpointID):80")] })
        }
    }

    @Test func mapsArePrintedWithKeys() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.have([], [try map("km_slot", 2), try map("km_large", 1500)])
        try await daemon.whileRunning { daemon async throws in
            guard let dump = try await kmeshctl(daemon, ["dump", "--bpf", "slot"]) else { return }
            #expect(
                dump.output == """
                    km_slot: 2 entries
                      KEY                              VALUE
                      service="shop/web port 80" id=0  endpoint=10.0.0.7:80
                      service="shop/web port 80" id=1  endpoint=10.0.0.7:80

                    """, "\(dump)")
            let large = try await kmeshctl(daemon, ["dump", "--bpf"])
            #expect(large?.output.hasSuffix("  … 500 more; --all shows them\n") == true)
            let whole = try await kmeshctl(daemon, ["dump", "--bpf", "dual-engine", "large", "--all"])
            #expect(whole?.output.split(separator: "\n").count == 1502)
            let json = try await kmeshctl(daemon, ["dump", "--bpf", "km_slot", "-o", "json"])
            let value = try JSONValue(parsing: json?.output ?? "")
            #expect(value.array?.first?["entries"]?.array?[1]["key"]?["id"] == 1)
            let unknown = try await kmeshctl(daemon, ["dump", "--bpf", "slots"])
            #expect(
                unknown?.status == 1
                    && unknown?.errors == "kmeshctl: there is no map slots; there are km_slot, km_large\n")
        }
    }

    @Test func partsAndModesAreNamed() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.have(resources(), [])
        try await daemon.whileRunning { daemon async throws in
            guard let given = try await kmeshctl(daemon, ["dump", "dual-engine"]) else { return }
            #expect(
                given.output == """
                    KIND      NAME            WHAT
                    Service   shop/web        10.96.0.1 80/TCP random through shop/proxy:15019
                    Workload  Pod/shop/web-0  10.0.0.1 serves 0 through shop/proxy:15019

                    """, "\(given)")
            let yaml = try await kmeshctl(daemon, ["dump", "workload", "-o", "yaml"])
            #expect(yaml?.output.contains("name: shop/web\n") == true, "\(String(describing: yaml))")
            for mode in ["kernel-native", "ads"] {
                let other = try await kmeshctl(daemon, ["dump", mode, "--bpf"])
                #expect(other?.status == 1 && other?.errors.contains("this daemon runs dual-engine") == true)
            }
            let parts = try await kmeshctl(daemon, ["dump", "services", "enrolled"])
            #expect(parts?.output.contains("services:\n") == true && parts?.output.contains("maps:") == false)
            for wrong in [["dump", "pods"], ["dump", "dual-engine", "services"], ["dump", "--all"]] {
                #expect(try await kmeshctl(daemon, wrong)?.status == 64, "\(wrong)")
            }
            let wrong = try await kmeshctl(daemon, ["dump", "pods"])
            #expect(wrong?.errors.contains("pods cannot be dumped; there are services, frontends") == true)
        }
    }

    @Test func waypointsAreListed() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.have(resources(), [])
        try await daemon.whileRunning { daemon async throws in
            guard let list = try await kmeshctl(daemon, ["waypoint"]) else { return }
            #expect(
                list.output == """
                    WAYPOINT          STATE                  INSTANCES  WHAT GOES THROUGH IT
                    shop/proxy:15019  not in force: refused  -          Pod/shop/web-0
                    shop/proxy:15019  not in force: refused  -          Service shop/web

                    """, "\(list)")
            let json = try await kmeshctl(daemon, ["waypoint", "-o", "json"])
            #expect(try JSONValue(parsing: json?.output ?? "").array?.first?["inForce"] == false)
            await daemon.engine.have([], [])
            #expect(try await kmeshctl(daemon, ["waypoint"])?.output == "the mesh has no waypoints\n")
        }
    }

    @Test func levelsAreSet() async throws {
        var daemon = try TestDaemon()
        let levels = LogLevels(.info)
        _ = LogOutput(label: "config", levels: levels)
        daemon.loggers = Loggers(levels)
        try await daemon.whileRunning { daemon async throws in
            guard let list = try await kmeshctl(daemon, ["log"]) else { return }
            #expect(list.output == "LOGGER   LEVEL\ndefault  info\nconfig   info\n", "\(list)")
            let set = try await kmeshctl(
                daemon, ["log", "--set", "config:debug", "--set", "default:error", "-o", "yaml"])
            #expect(set?.output.contains("name: config\n") == true && levels["config"] == .debug)
            #expect(levels.standard == .error)
            let unknown = try await kmeshctl(daemon, ["log", "--set", "x:debug"])
            #expect(unknown?.status == 1)
            #expect(unknown?.errors.contains("no logger \"x\"; there are default, config") == true)
            let wrong = try await kmeshctl(daemon, ["log", "--set", "config:loud"])
            #expect(wrong?.status == 1 && wrong?.errors.contains("there are trace, debug") == true)
            #expect(try await kmeshctl(daemon, ["log", "--set", "config"])?.status == 64)
        }
    }

    @Test func exitCodesTellWhatItIs() async throws {
        let daemon = try TestDaemon()
        guard let absent = try await kmeshctl(daemon, ["verify"]) else { return }
        #expect(absent.status == 2)
        #expect(absent.errors.contains("start kmesh-daemon, or name its socket with --admin-socket"))
        let explain = ["authz", "explain", "10.0.0.2", "10.0.0.1", "80"]
        #expect(try await kmeshctl(daemon, explain)?.status == 2)
        for command in [
            ["status"], ["dump"], ["dump", "--bpf"], ["dump", "dual-engine"], ["log"], ["waypoint"],
            ["version"], ["authz", "status"], ["authz", "enable"], ["withdraw", "--pod", "a/b"],
        ] {
            let outcome = try await kmeshctl(daemon, command)
            #expect(outcome?.status == 1, "\(command)")
            #expect(
                outcome?.errors.contains("no daemon answers at \(daemon.options.adminSocket)") == true,
                "\(command)")
        }
        try await daemon.whileRunning { daemon async throws in
            await daemon.engine.failToVerify(with: .notStarted)
            #expect(try await kmeshctl(daemon, ["verify"])?.status == 2)
            await daemon.engine.failToVerify(with: nil)
            #expect(try await kmeshctl(daemon, ["verify"])?.status == 0)
            let status = try await kmeshctl(daemon, ["status"])
            let words = status?.output.split { $0 == " " || $0 == "\n" }.joined(separator: " ") ?? ""
            #expect(
                words.contains("status server http://127.0.0.1:") && words.contains("configuration in force"))
            let version = try await kmeshctl(daemon, ["version"])
            #expect(version?.output.contains("kmesh-daemon \(KmeshVersion.current) (dual-engine)") == true)
        }
    }

    /// Every command says what it is for and gives an example.
    @Test(arguments: [
        "status", "dump", "verify", "waypoint", "authz", "authz status", "authz enable", "authz disable",
        "authz explain", "enroll", "withdraw", "log", "version",
    ])
    func helpHasExamples(command: String) async throws {
        let daemon = try TestDaemon()
        let words = command.split(separator: " ").map(String.init)
        guard let help = try await kmeshctl(daemon, words + ["--help"]) else { return }
        #expect(help.status == 0 && help.output.contains("OVERVIEW: "), "\(help)")
        #expect(help.output.contains("  kmeshctl \(command)"), "\(help.output)")
        #expect(help.output.contains("-o, --output") || command == "authz", "\(help.output)")
    }

    @Test func theRootHelpHasTheExitCodes() async throws {
        let daemon = try TestDaemon()
        guard let help = try await kmeshctl(daemon, ["--help"], isBare: true) else { return }
        #expect(help.output.contains("Exit codes: 0 when it is done."), "\(help.output)")
    }
}
