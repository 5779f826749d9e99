import KmeshDaemon
import KmeshKit
import KmeshTestSupport
import Testing

/// Enrolment through a daemon's socket, with real network namespaces.
@Suite struct EnrollmentTests {
    private let address = IPAddress(v4: 0x0a00_0001)

    private func request(_ pod: String, _ namespace: String, uid: String? = nil) -> AdminRequest {
        .enroll(
            EnrollmentRequest(
                pod: PodName(namespace: "default", name: pod), uid: uid, networkNamespacePath: namespace,
                addresses: [address]))
    }

    private func refusal(_ daemon: TestDaemon, _ request: AdminRequest) async throws -> String {
        let response = try await daemon.ask(request)
        guard case .error(let failure) = response else { return "no failure: \(response)" }
        return failure.message
    }

    @Test func enrollsAndWithdraws() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            guard
                case .enrolled(let workload) = try await daemon.ask(request("a", namespace.path, uid: "u-1"))
            else {
                Issue.record("not enrolled")
                return
            }
            let identity = try await NetworkNamespaceIdentity.read(namespace.path).identity
            #expect(workload.networkNamespace == identity)
            #expect(await daemon.engine.enrolled[workload.id] == workload)
            #expect(try await daemon.status().enrolled == 1)
            // Again is fine, another pod in the same namespace is not.
            #expect(try await daemon.ask(request("a", namespace.path, uid: "u-1")) == .enrolled(workload))
            #expect(try await refusal(daemon, request("b", namespace.path)).contains("of pod default/a"))
            #expect(try await daemon.ask(.withdraw(.id(workload.id))) == .withdrawn([workload]))
            #expect(await daemon.engine.enrolled.isEmpty)
            #expect(
                try await refusal(daemon, .withdraw(.pod(workload.pod))).contains("default/a is not enrolled")
            )
        }
    }

    /// Noted by kmeshctl while no daemon ran; one of them has gone since, and one file is garbage.
    @Test func podsThatCameWithoutADaemonAreEnrolledAtItsStart() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        let directory = daemon.options.stateDirectory
        let noted = try await kmeshctl(
            daemon,
            [
                "enroll", "--pod", "shop/came", "--netns", namespace.path, "--address", "10.0.0.1", "--later",
                "--state-dir", directory,
            ])
        #expect(noted?.status == 0 && noted?.output.contains("at its next start") == true)
        let waiting = WaitingEnrollments(stateDirectory: directory)
        let gone = EnrollmentRequest(
            pod: PodName(namespace: "shop", name: "gone"), networkNamespacePath: "/run/netns/absent",
            addresses: [address])
        _ = try waiting.add(gone)
        try Files.replace("\(directory)/waiting/x.json", with: Array("{".utf8))
        #expect(waiting.items.compactMap(\.request).map(\.pod.name).sorted() == ["came", "gone"])
        try await daemon.whileRunning { daemon async throws in
            #expect(try await daemon.eventually { $0.enrolled == 1 })
            #expect(await daemon.engine.enrolled.values.map(\.pod.name) == ["came"])
            for _ in 0..<200 where !waiting.items.isEmpty { try await Task.sleep(for: .milliseconds(20)) }
            #expect(waiting.items.isEmpty)
        }
    }

    @Test func aNoteIsBounded() throws {
        let directory = try TemporaryDirectory()
        let waiting = WaitingEnrollments(stateDirectory: directory.path)
        let pod = PodName(namespace: "a", name: "b")
        #expect(throws: EnrollmentError.self) {
            try waiting.add(EnrollmentRequest(pod: pod, networkNamespacePath: "relative"))
        }
        // Another pod of the same name takes the place of the one before.
        _ = try waiting.add(EnrollmentRequest(pod: pod, uid: "1", networkNamespacePath: "/a"))
        _ = try waiting.add(EnrollmentRequest(pod: pod, uid: "2", networkNamespacePath: "/b"))
        #expect(waiting.items.map(\.request?.uid) == ["2"])
        waiting.removeAll()
        #expect(waiting.items.isEmpty && !Files.exists("\(directory.path)/waiting"))
    }

    @Test func refusesWhatIsNoPod() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            #expect(try await refusal(daemon, request("a", "/proc/self/ns/net")).contains("host's network"))
            #expect(try await refusal(daemon, request("a", "/etc/passwd")).contains("not a network"))
            #expect(try await refusal(daemon, request("a", "/run/netns/absent")).contains("No such file"))
            #expect(try await refusal(daemon, request("a", "relative")).contains("must be absolute"))
            #expect(try await refusal(daemon, request("a", "/x", uid: "a\nb")).contains("control characters"))
            #expect(await daemon.engine.enrolled.isEmpty)
            #expect(try await daemon.status().enrolled == 0)
        }
    }

    @Test func aPodWithoutAddressIsRefused() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let bare = EnrollmentRequest(
                pod: PodName(namespace: "default", name: "a"), networkNamespacePath: namespace.path)
            #expect(try await refusal(daemon, .enroll(bare)).contains("give --address"))
        }
    }

    @Test func podsThatWentWithoutAWithdrawalMakeRoom() async throws {
        guard let gone = try await FreshNamespace.make(), let fresh = try await FreshNamespace.make() else {
            return
        }
        let directory = try TemporaryDirectory()
        let store = try EnrollmentStore.open(stateDirectory: directory.path, capacity: 1).store
        let engine = FakeEngine()
        let enrollment = try await Enrollment(store: store, engine: engine)
        func enroll(_ pod: String, _ namespace: FreshNamespace) async throws {
            _ = try await enrollment.enroll(
                EnrollmentRequest(
                    pod: PodName(namespace: "default", name: pod), uid: pod,
                    networkNamespacePath: namespace.path, addresses: [address]))
        }
        try await enroll("a", gone)
        await #expect(throws: EnrollmentError.full(capacity: 1)) { try await enroll("b", fresh) }
        #expect(await enrollment.workloads.map(\.pod.name) == ["a"])
        try await gone.remove()
        try await enroll("b", fresh)
        #expect(await enrollment.workloads.map(\.pod.name) == ["b"])
        #expect(await engine.enrolled.keys.map(\.text) == ["b"])
    }

    @Test func whatTheEngineRefusesIsNotRemembered() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            await daemon.engine.fail(with: .mapFull(name: "km_enrolled", capacity: 1, flag: "--max-enrolled"))
            #expect(try await refusal(daemon, request("a", namespace.path)).contains("km_enrolled is full"))
            #expect(try await daemon.status().enrolled == 0)
            await daemon.engine.fail(with: nil)
        }
    }

    @Test func aRestartFindsTheLivingAndDropsTheGone() async throws {
        guard let living = try await FreshNamespace.make(), let gone = try await FreshNamespace.make() else {
            return
        }
        let first = try TestDaemon()
        try await first.whileRunning { daemon async throws in
            for (pod, namespace) in [("a", living), ("b", gone)] {
                guard case .enrolled = try await daemon.ask(request(pod, namespace.path)) else {
                    Issue.record("not enrolled")
                    return
                }
            }
        }
        try await gone.remove()
        let second = try TestDaemon(in: first.directory)
        try await second.whileRunning { daemon async throws in
            #expect(await daemon.engine.enrolled.values.map(\.pod.name) == ["a"])
            #expect(try await daemon.status().enrolled == 1)
        }
        withExtendedLifetime(living) {}
    }

    @Test func concurrentChangesOfOnePodLeaveNoTrace() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<30 {
                    group.addTask {
                        let pod = PodName(namespace: "default", name: "a")
                        let asked =
                            round.isMultiple(of: 2) ? request("a", namespace.path) : .withdraw(.pod(pod))
                        _ = try await daemon.ask(asked)
                    }
                }
                try await group.waitForAll()
            }
            // Kernel and memory agree, whoever came last.
            let remembered = try await daemon.status().enrolled
            #expect(await daemon.engine.enrolled.count == Int(remembered))
        }
    }
}
