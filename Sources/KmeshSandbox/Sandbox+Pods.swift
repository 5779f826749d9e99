/// Pods come and go.
internal import KmeshKit

extension Sandbox {
    /// Brings up pods that the state has and the machine does not, and waits until they answer.
    func startPods(
        _ pods: [ResolvedMesh.Pod], _ mesh: ResolvedMesh, serverPath: String, waitSeconds: Double
    ) throws {
        let programs = try PodPrograms(mesh, paths, serverPath: serverPath)
        try programs.checkHostPorts()
        var network = try NodeNetwork(paths, mesh.state.settings.families)
        let empty = try FileDescriptor.open("/dev/null")
        for pod in pods {
            try pace.check()
            try SandboxError.during("make pod \(pod.record.key)") {
                if !pod.template.usesHostNetwork { try network.addPod(pod.record) }
                try paths.cgroup(of: pod.record).create()
                try Files.makeDirectories(paths.files(of: pod.record))
            }
        }
        try writeHosts(mesh, for: pods)
        var started: [StartedProgram] = []
        for pod in pods {
            try pace.check()
            for entry in programs.entries(for: pod) {
                let path = log(of: pod.record, entry.container)
                let log = try FileDescriptor.openLog(path)
                let child = try SandboxError.during("start \(entry.container) of pod \(pod.record.key)") {
                    RunningChild(
                        try entry.program.start(
                            Streams(input: empty.number, output: log.number, error: log.number)))
                }
                children.append(child)
                started.append(StartedProgram(pod: pod, entry: entry, child: child))
            }
        }
        let end = ContinuousClock.now + .seconds(waitSeconds)
        for program in started { try waitUntilServing(program, network.namespace, end) }
    }

    func log(of record: SandboxState.PodRecord, _ container: String) -> String {
        "\(paths.files(of: record))/\(container).log"
    }

    /// Dials each port as another pod would. A container's own program may serve as it likes, which is told.
    private func waitUntilServing(
        _ program: StartedProgram, _ namespace: borrowing NetworkNamespace, _ end: ContinuousClock.Instant
    ) throws {
        let record = program.pod.record
        guard let address = record.addresses.first else { return }
        for port in program.entry.ports {
            let target = SocketAddress(address, port.number)
            while try !answers(target, port.transport, namespace) {
                var problem: String?
                if let code = try program.child.process.exitCode() {
                    let log = tail(of: log(of: record, program.entry.container))
                    problem =
                        "\(program.entry.container) of pod \(record.key) ended with code \(code):\n\(log)"
                } else if ContinuousClock.now >= end {
                    problem = "pod \(record.key) does not answer on \(port.transport.name) \(target)"
                }
                if let problem {
                    if program.entry.isBuiltIn { throw SandboxError(problem) }
                    report(problem)
                    return
                }
                try pace.pause(milliseconds: 2)
            }
        }
    }

    private func answers(
        _ target: SocketAddress, _ transport: TransportProtocol, _ namespace: borrowing NetworkNamespace
    ) throws -> Bool {
        switch transport {
        case .tcp: try InternetSocket.answers(target, in: namespace, timeoutMilliseconds: 200)
        case .udp: try InternetSocket.answersDatagram(target, in: namespace, timeoutMilliseconds: 200)
        }
    }

    /// Ends the programs of pods and takes their namespaces, cgroups and files away. Parts that are missing
    /// are fine.
    func removePods(_ records: [SandboxState.PodRecord]) throws {
        // All are told first, so that they end side by side.
        for record in records { try paths.cgroup(of: record).kill() }
        for record in records {
            let cgroup = paths.cgroup(of: record)
            try end(cgroup)
            // With its last process the namespace goes, and with it both ends of the veth pair.
            try NetworkNamespace.remove(at: paths.namespace(of: record))
            try removeCgroup(cgroup)
            let files = paths.files(of: record)
            guard Files.exists(files) else { continue }
            for name in try Files.list(files) { try Files.remove("\(files)/\(name)") }
            try Files.removeDirectory(files)
        }
    }

    /// Ends all processes of a group and waits until they are gone.
    func end(_ cgroup: Cgroup) throws {
        try cgroup.kill()
        let isEmpty = try Pace(gate: nil).wait(seconds: 10, every: 1) {
            reap()
            return try !cgroup.isPopulated()
        }
        guard isEmpty else {
            let left = try cgroup.processes().map(String.init).joined(separator: " ")
            throw SandboxError("processes in \(cgroup.path) do not end: \(left)")
        }
        reap()
    }

    /// A group whose last process has just ended can be busy for a moment.
    func removeCgroup(_ cgroup: Cgroup) throws {
        _ = try Pace(gate: nil).wait(seconds: 2, every: 1) {
            do throws(Errno) {
                try cgroup.removeTree()
                return true
            } catch {
                guard error == .busy else { throw error }
                return false
            }
        }
        if cgroup.exists { throw SandboxError("cannot remove \(cgroup.path): it is busy") }
    }

    /// Forgets children that have ended.
    private func reap() {
        children.removeAll { child in
            do throws(Errno) {
                return try child.process.exitCode() != nil
            } catch {
                // Its exit code was taken before.
                return true
            }
        }
    }
}

private struct StartedProgram {
    var pod: ResolvedMesh.Pod
    var entry: PodPrograms.Entry
    var child: RunningChild
}
