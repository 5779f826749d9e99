import KmeshDaemon
import KmeshKit
import Logging
import Synchronization
import Testing

/// What the daemon's status server answers.
@Suite struct StatusServerTests {
    @Test func saysWhatRunsAndHowItWasStarted() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let version = try await daemon.http("GET", "/version")
            #expect(version.status == 200 && version.headers["content-type"] == "application/json")
            #expect(version.json["version"] == .string(KmeshVersion.current))
            #expect(version.json["mode"] == "dual-engine")
            let options = try await daemon.http("GET", "/options").json
            #expect(options["node-name"] == "node-1" && options["mesh-file"] == "fake.yaml")
            #expect(options["status-address"] == "127.0.0.1:0" && options["on-exit"] == "keep")
            let index = try await daemon.http("GET", "/")
            #expect(index.status == 200 && index.body.contains("/debug/config_dump/bpf/dual-engine"))
            let head = try await daemon.http("HEAD", "/version")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["content-length"] == version.headers["content-length"])
        }
    }

    @Test func refusesWhatIsNotThere() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let unknown = try await daemon.http("GET", "/metrics")
            #expect(
                unknown.status == 404 && unknown.body == "nothing is at /metrics; / lists what there is\n")
            for path in ["/version", "/debug/ready", "/debug/verify", "/debug/config_dump/workload"] {
                let wrong = try await daemon.http("POST", path)
                #expect(wrong.status == 405 && wrong.headers["allow"] == "GET, HEAD", "\(path)")
                #expect(wrong.body == "\(path) takes GET, HEAD, not POST\n")
            }
            let wrong = try await daemon.http("DELETE", "/authz")
            #expect(wrong.status == 405 && wrong.headers["allow"] == "GET, HEAD, POST")
            // A name that somebody else gave this address.
            let foreign = try await daemon.http("POST", "/authz?enable=false", host: "rebind.example")
            #expect(foreign.status == 403 && foreign.body.contains("not \"rebind.example\""))
            #expect(await daemon.authorizer.isEnforcing)
            for host in ["localhost:15200", "[::1]:15200", "127.0.0.1"] {
                #expect(try await daemon.http("GET", "/version", host: host).status == 200, "\(host)")
            }
        }
    }

    @Test func bodiesAreReadAndMeanNothing() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let body = String(repeating: "x", count: 16_384)
            let taken = try await daemon.http(
                "POST", "/authz?enable=true", headers: "Content-Length: \(body.count)\r\n", body: body)
            #expect(taken.status == 200)
            let large = String(repeating: "x", count: 1 << 19)
            let refused = try await daemon.http(
                "POST", "/authz?enable=false", headers: "Content-Length: \(large.count)\r\n", body: large)
            #expect(refused.status == 413, "\(refused)")
            #expect(refused.body == "a body of 524288 bytes is over the limit of 16384; send none\n")
            let chunked = try await daemon.http(
                "POST", "/authz?enable=false", headers: "Transfer-Encoding: chunked\r\n",
                body: "1\r\nx\r\n0\r\n\r\n")
            #expect(chunked.status == 411 && chunked.body.hasPrefix("send a Content-Length"))
            let waiting = try await daemon.http(
                "POST", "/authz?enable=true", headers: "Content-Length: 9\r\nExpect: 100-continue\r\n")
            #expect(waiting.status == 200)
            #expect(await daemon.authorizer.isEnforcing)
        }
    }

    @Test func isReadyOnceTheConfigurationIsApplied() async throws {
        var daemon = try TestDaemon()
        // A port that is known before anything answers.
        let port = UInt16.random(in: 20_000..<30_000)
        let address = SocketAddress(IPAddress(v4: 0x7f00_0001), port)
        daemon.options.statusAddress = address
        daemon.engine.recorder.applying.close()
        let gated = daemon
        try await withThrowingTaskGroup { group in
            group.addTask { try await gated.run() }
            var early: HTTPAnswer?
            for _ in 0..<500 where early == nil {
                early = try? await gated.http("GET", "/debug/ready", at: address)
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(early?.status == 503, "\(String(describing: early))")
            #expect(early?.body.contains("the first configuration is not applied yet") == true)
            #expect(try await gated.http("GET", "/debug/live", at: address).status == 200)
            gated.engine.recorder.applying.open()
            #expect(try await gated.eventually { $0.isConfigured })
            let ready = try await gated.http("GET", "/debug/ready", at: address)
            #expect(ready.status == 200 && ready.body == "ready\n")
            // The engine is asked about once a second.
            await gated.engine.note("HTTP routes need the kernel module")
            var noted = ready
            for _ in 0..<500 where noted.body == ready.body {
                try await Task.sleep(for: .milliseconds(10))
                noted = try await gated.http("GET", "/debug/ready", at: address)
            }
            #expect(noted.status == 200 && noted.body == "ready; HTTP routes need the kernel module\n")
            gated.send.yield(.terminate)
            try await group.waitForAll()
        }
    }

    @Test func namesWhatHangs() async throws {
        var daemon = try TestDaemon()
        daemon.options.patience = .milliseconds(300)
        try await daemon.whileRunning { daemon async throws in
            #expect(try await daemon.http("GET", "/debug/live").body == "ok\n")
            let address = try await daemon.statusAddress()
            daemon.engine.recorder.applying.close()
            daemon.source.put(.success(ConfigurationUpdate(changes: [.upsert(.node(Node(name: "n")))])))
            let dead = try await eventually(503) { try await daemon.http("GET", "/debug/live", at: address) }
            #expect(
                dead.body.hasPrefix(
                    "the engine does not come back from a configuration with 1 changes, since 2"),
                "\(dead)")
            // Others are answered.
            #expect(try await daemon.http("GET", "/version", at: address).status == 200)
            daemon.engine.tending.close()
            for _ in 0..<500 {
                let answer = try await daemon.http("GET", "/debug/live", at: address)
                if answer.body.contains("from tending to its maps and programs") { break }
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(
                try await daemon.http("GET", "/debug/live", at: address).body.contains(
                    "from tending to its maps"))
            daemon.engine.recorder.applying.open()
            daemon.engine.tending.open()
            _ = try await eventually(200) { try await daemon.http("GET", "/debug/live", at: address) }
        }
    }

    private func eventually(
        _ status: Int, _ ask: () async throws -> HTTPAnswer
    ) async throws -> HTTPAnswer {
        for _ in 0..<500 {
            let answer = try await ask()
            if answer.status == status { return answer }
            try await Task.sleep(for: .milliseconds(10))
        }
        let answer = try await ask()
        #expect(answer.status == status)
        return answer
    }

    @Test func loggersAreShownAndSet() async throws {
        var daemon = try TestDaemon()
        let levels = LogLevels(.warning)
        for label in ["config", "authz"] { _ = LogOutput(label: label, levels: levels) }
        daemon.loggers = Loggers(levels, others: ["bpf": TestLog()])
        try await daemon.whileRunning { daemon async throws in
            let all = try await daemon.http("GET", "/debug/loggers").json.array
            #expect(all?.compactMap { $0["name"]?.string } == ["default", "authz", "bpf", "config"])
            #expect(all?.compactMap { $0["level"]?.string } == ["warning", "warning", "error", "warning"])
            #expect(try await daemon.http("POST", "/debug/loggers?name=config&level=debug").status == 200)
            #expect(levels["config"] == .debug && levels["authz"] == .warning)
            #expect(try await daemon.http("GET", "/debug/loggers?name=config").json["level"] == "debug")
            #expect(try await daemon.http("POST", "/debug/loggers?name=default&level=error").status == 200)
            #expect(levels["config"] == .debug && levels["authz"] == .error)
            #expect(try await daemon.http("POST", "/debug/loggers?name=bpf&level=trace").status == 200)
            #expect(try await daemon.http("GET", "/debug/loggers?name=bpf").json["level"] == "trace")
            let unknown = try await daemon.http("POST", "/debug/loggers?name=x&level=info")
            #expect(unknown.status == 404)
            #expect(unknown.body == "there is no logger \"x\"; there are default, authz, bpf, config\n")
            let wrong = try await daemon.http("POST", "/debug/loggers?name=config&level=loud")
            #expect(wrong.status == 400 && wrong.body.contains("there are trace, debug, info"))
            #expect(try await daemon.http("POST", "/debug/loggers?name=config").status == 400)
        }
    }

    @Test func switchesAreReadAndSet() async throws {
        var daemon = try TestDaemon()
        daemon.telemetry = TestSwitches()
        try await daemon.whileRunning { daemon async throws in
            for path in ["/authz", "/accesslog", "/monitoring"] {
                #expect(try await daemon.http("GET", path).json["enabled"] == true, "\(path)")
                #expect(try await daemon.http("POST", "\(path)?enable=false").json["enabled"] == false)
                #expect(try await daemon.http("GET", path).json["enabled"] == false)
                for query in ["", "?enable=", "?enable=0", "?on=true"] {
                    let wrong = try await daemon.http("POST", path + query)
                    #expect(
                        wrong.status == 400 && wrong.body.contains("POST \(path)?enable=true"), "\(wrong)")
                }
            }
            #expect(await !daemon.authorizer.isEnforcing)
        }
        let bare = try TestDaemon()
        try await bare.whileRunning { daemon async throws in
            let none = try await daemon.http("POST", "/accesslog?enable=true")
            #expect(none.status == 503 && none.body == "this daemon has no accesslog to switch\n")
        }
    }

    /// As at the admin socket.
    @Test func changesAreForRoot() async throws {
        guard Privileges.isRoot, Files.exists("/usr/bin/setpriv") else {
            print("skipped: becoming another user needs root and setpriv (package util-linux)")
            return
        }
        let daemon = try TestDaemon()
        let script = """
            exec 3<>/dev/tcp/127.0.0.1/$1
            printf '%s /authz?enable=false HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' "$2" >&3
            cat <&3
            """
        try await daemon.whileRunning { daemon async throws in
            let port = try await daemon.statusAddress().port
            let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            func ask(_ user: [String], _ method: String) async throws -> HTTPAnswer? {
                let outcome = try await run(user + ["bash", "-c", script, "ask", "\(port)", method])
                return HTTPAnswer(Array(outcome.output.utf8))
            }
            let refused = try await ask(nobody, "POST")
            #expect(refused?.status == 403)
            #expect(refused?.body == "changes are root's, and user 65534 asks; reading is for everyone\n")
            #expect(await daemon.authorizer.isEnforcing)
            #expect(try await ask(nobody, "GET")?.json["enabled"] == true)
            #expect(try await ask([], "POST")?.json["enabled"] == false)
            #expect(await !daemon.authorizer.isEnforcing)
        }
    }

    @Test func differencesAreNamed() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            #expect(try await daemon.http("GET", "/debug/verify").json == [])
            await daemon.engine.differ([Difference(map: "km_slot", key: "k", wanted: "w", found: nil)])
            let found = try await daemon.http("GET", "/debug/verify")
            #expect(found.status == 200)
            #expect(found.json == [["map": "km_slot", "key": "k", "wanted": "w", "found": .null]])
            await daemon.engine.failToVerify(with: .mapReadFailed(name: "km_slot", errno: .notPermitted))
            let failed = try await daemon.http("GET", "/debug/verify")
            #expect(failed.status == 500 && failed.body.hasPrefix("cannot verify: cannot read map km_slot"))
        }
    }

    @Test func onlyAFreePortIsTaken() async throws {
        let first = try TestDaemon()
        try await first.whileRunning { first async throws in
            var second = try TestDaemon()
            second.options.statusAddress = try await first.statusAddress()
            let thrown = await #expect(throws: DaemonError.self) { try await second.run() }
            #expect(thrown?.description.contains("give another --status-address, or off") == true)
            #expect(await !second.engine.isStarted)
        }
        var off = try TestDaemon()
        off.options.statusAddress = nil
        try await off.whileRunning { daemon async throws in
            #expect(try await daemon.status().statusAddress == nil)
            let words = try await daemon.status().table.split { $0 == " " || $0 == "\n" }
            #expect(words.joined(separator: " ").contains("status server off"))
        }
    }
}

/// A level that is kept somewhere else.
private final class TestLog: AdjustableLog {
    private let kept = Mutex(Logger.Level.error)

    func level() async -> Logger.Level { kept.withLock { $0 } }
    func setLevel(_ level: Logger.Level) async throws(EngineError) { kept.withLock { $0 = level } }
}

private actor TestSwitches: TelemetrySwitches {
    private var off: Set<TelemetryPart> = []

    func isEnabled(_ part: TelemetryPart) async -> Bool { !off.contains(part) }

    func setEnabled(_ part: TelemetryPart, _ on: Bool) async throws(EngineError) {
        if on { off.remove(part) } else { off.insert(part) }
    }
}
