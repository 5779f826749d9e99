import KmeshDaemon
import KmeshKit
import KmeshTestSupport
import Testing

@Suite struct DaemonTests {
    private func node(_ name: String) -> ResourceChange<MeshResource> { .upsert(.node(Node(name: name))) }

    private func workload(_ uid: String) -> ResourceChange<MeshResource> {
        .upsert(.workload(Workload(uid: uid, name: uid, namespace: "default", addresses: [])))
    }

    @Test func startsAppliesAndEndsKeepingThePins() async throws {
        let update = ConfigurationUpdate(changes: [node("a")], notes: ["skipped 2 Secrets"])
        let daemon = try TestDaemon(source: FakeSource(first: .success(update)))
        try await daemon.whileRunning { daemon async throws in
            #expect(await daemon.engine.isStarted)
            #expect(daemon.engine.recorder.applied == [update.changes])
            let status = try await daemon.status()
            #expect(status.isConfigured && !status.adopted)
            #expect(status.updates == 1 && status.node == "node-1" && status.source == "fake.yaml")
            #expect(try await daemon.ask(.version) == .version(VersionReport(mode: "dual-engine")))
            #expect(try await daemon.ask(.verify) == .differences([]))
        }
        #expect(await daemon.engine.stopped == [.keepPinned])
        #expect(!Files.exists(daemon.options.adminSocket))
    }

    @Test func removesEverythingWhenToldSo() async throws {
        var daemon = try TestDaemon()
        daemon.options.onExit = .removeAll
        try await daemon.whileRunning { _ in }
        #expect(await daemon.engine.stopped == [.removeAll])
    }

    @Test func changesAndRejectionsAreApplied() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            daemon.source.put(.success(ConfigurationUpdate(changes: [workload("good"), workload("bad-1")])))
            #expect(try await daemon.eventually { $0.updates == 2 && $0.rejected == 1 })
            #expect(try await daemon.status().recentRejections == ["bad-1: it is bad"])
            let repaired = ResourceChange<MeshResource>.remove(.workload(uid: "bad-1"))
            daemon.source.put(.success(ConfigurationUpdate(changes: [repaired])))
            #expect(try await daemon.eventually { $0.updates == 3 })
            #expect(try await daemon.status().recentRejections.isEmpty, "what is gone is not refused")
            let many = (0..<50).map { workload("bad-\($0)") }
            daemon.source.put(.success(ConfigurationUpdate(changes: many)))
            #expect(try await daemon.eventually { $0.rejected == 51 })
            #expect(try await daemon.status().recentRejections.count == DaemonStatus.recentLimit)
        }
    }

    @Test func aBadConfigurationAtTheStartEndsIt() async throws {
        let error = ConfigurationError(["mesh.yaml:3: no such field", "mesh.yaml:9: bad port"])
        let daemon = try TestDaemon(source: FakeSource(first: .failure(error)))
        let thrown = await #expect(throws: DaemonError.self) { try await daemon.run() }
        #expect(thrown == .badConfiguration(source: "fake.yaml", error))
        #expect(thrown?.description.contains("mesh.yaml:3: no such field\nmesh.yaml:9: bad port") == true)
        #expect(await !daemon.engine.isStarted)
        #expect(!Files.exists(daemon.options.adminSocket))
    }

    @Test func afterAnEarlierRunABadConfigurationIsWaitedFor() async throws {
        let error = ConfigurationError(["mesh.yaml:3: no such field"])
        let daemon = try TestDaemon(source: FakeSource(first: .failure(error)))
        await daemon.engine.adopt()
        try await daemon.whileRunning { daemon async throws in
            #expect(try await daemon.eventually { $0.badConfigurations == 1 })
            let status = try await daemon.status()
            #expect(status.adopted && !status.isConfigured)
            #expect(status.lastConfigurationError == "mesh.yaml:3: no such field")
            #expect(await daemon.engine.isStarted)
            #expect(daemon.engine.recorder.applied.isEmpty)
            let pod = PodName(namespace: "default", name: "web")
            for request in [
                AdminRequest.verify, .enroll(EnrollmentRequest(pod: pod, networkNamespacePath: "/x")),
            ] {
                guard case .error(let failure) = try await daemon.ask(request) else {
                    Issue.record("\(request) was answered")
                    continue
                }
                #expect(failure.message.contains("before the first configuration is in force"))
            }
            daemon.source.put(.success(ConfigurationUpdate(changes: [node("a")])))
            #expect(try await daemon.eventually { $0.isConfigured && $0.lastConfigurationError == nil })
            #expect(daemon.engine.recorder.applied == [[node("a")]])
            #expect(try await daemon.ask(.verify) == .differences([]))
        }
    }

    @Test func aBadConfigurationLaterChangesNothing() async throws {
        let failing = FakeSource(onReload: .failure(ConfigurationError(["mesh.yaml:1: cut off"])))
        let daemon = try TestDaemon(source: failing)
        try await daemon.whileRunning { daemon async throws in
            daemon.send.yield(.hangUp)
            #expect(try await daemon.eventually { $0.badConfigurations == 1 })
            #expect(try await daemon.status().lastConfigurationError == "mesh.yaml:1: cut off")
            #expect(daemon.engine.recorder.applied.count == 1)
            // The next good one is taken, and clears the mark.
            daemon.source.put(.success(ConfigurationUpdate(changes: [node("b")])))
            #expect(try await daemon.eventually { $0.updates == 2 && $0.lastConfigurationError == nil })
        }
    }

    @Test func hangUpReads() async throws {
        let daemon = try TestDaemon(source: FakeSource(onReload: .success(.init(changes: [node("again")]))))
        try await daemon.whileRunning { daemon async throws in
            daemon.send.yield(.hangUp)
            #expect(try await daemon.eventually { $0.updates == 2 })
            #expect(daemon.engine.recorder.applied.last == [node("again")])
        }
    }

    @Test func aSecondDaemonIsRefused() async throws {
        let first = try TestDaemon()
        try await first.whileRunning { first async throws in
            var second = try TestDaemon(in: first.directory)
            second.options.adminSocket += ".2"
            let thrown = await #expect(throws: DaemonError.self) { try await second.run() }
            let lock = "\(first.directory.path)/daemon.lock"
            #expect(thrown == .alreadyRunning(pid: "\(ProcessIdentity.pid)", lock: lock))
            #expect(await !second.engine.isStarted)
            // Another state directory, but the same socket.
            var third = try TestDaemon()
            third.options.adminSocket = first.options.adminSocket
            let socketError = await #expect(throws: DaemonError.self) { try await third.run() }
            #expect(socketError == .admin(.alreadyServed(path: first.options.adminSocket)))
            let engines: [any DataplaneEngine] = [first.engine]
            await #expect(throws: DaemonError.self) {
                try await Daemon.uninstall(stateDirectory: first.directory.path, engines: engines)
            }
            #expect(await first.engine.stopped.isEmpty)
            #expect(try await first.ask(.verify) == .differences([]))
        }
    }

    @Test func aSecondDaemonTakesOver() async throws {
        var first = try TestDaemon()
        first.options.onExit = .removeAll
        try await first.whileRunning { first async throws in
            var second = try TestDaemon(in: first.directory)
            second.options.engine.takesOver = true
            try await second.whileRunning { second async throws in
                // At first it is the other one that answers.
                for _ in 0..<500 where await !second.engine.isStarted {
                    try await Task.sleep(for: .milliseconds(10))
                }
                #expect(await second.engine.isStarted)
                #expect(await first.engine.stopped == [.keepPinned], "whatever its own flags say")
                _ = try await second.status()
            }
        }
    }

    @Test func oneCanFollowAnother() async throws {
        let first = try TestDaemon()
        try await first.whileRunning { _ in }
        let second = try TestDaemon(in: first.directory)
        try await second.whileRunning { _ in }
        #expect(await second.engine.stopped == [.keepPinned])
    }

    @Test func anEngineThatCannotStartIsTheReason() async throws {
        let daemon = try TestDaemon()
        let failure = EngineError.unsupportedKernel(feature: "cgroup/connect4", minimum: "4.17")
        await daemon.engine.fail(with: failure)
        let thrown = await #expect(throws: DaemonError.self) { try await daemon.run() }
        #expect(thrown == .engine(failure))
        #expect(thrown?.description == "this kernel lacks cgroup/connect4; Linux 4.17 or later has it")
        #expect(daemon.engine.recorder.applied.isEmpty)
    }

    @Test func verifyNamesDifferences() async throws {
        let daemon = try TestDaemon()
        let difference = Difference(map: "km_frontend", key: "10.0.0.1:80/TCP", wanted: "3", found: nil)
        await daemon.engine.differ([difference])
        try await daemon.whileRunning { daemon async throws in
            #expect(try await daemon.ask(.verify) == .differences([difference]))
        }
    }

    @Test func uninstallRemovesStateAndKernelObjects() async throws {
        let directory = try TemporaryDirectory()
        try Files.replace("\(directory.path)/enrolled.json", with: [])
        let engine = FakeEngine()
        try await Daemon.uninstall(stateDirectory: directory.path, engines: [engine])
        #expect(await engine.stopped == [.removeAll])
        #expect(try Files.list(directory.path) == ["daemon.lock"])
    }
}
