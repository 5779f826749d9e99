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
        var started: [(pod: ResolvedMesh.Pod, container: String, child: RunningChild)] = []
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
                started.append((pod, entry.container, child))
            }
        }
        let end = ContinuousClock.now + .seconds(waitSeconds)
        for (pod, container, child) in started {
            try waitUntilServing(pod, container, child, programs, network.namespace, end)
        }
    }

    func log(of record: SandboxState.PodRecord, _ container: String) -> String {
        "\(paths.files(of: record))/\(container).log"
    }

    /// Dials each port that the built-in server has, as another pod would.
    private func waitUntilServing(
        _ pod: ResolvedMesh.Pod, _ container: String, _ child: RunningChild, _ programs: PodPrograms,
        _ namespace: borrowing NetworkNamespace, _ end: ContinuousClock.Instant
    ) throws {
        for (transport, port) in programs.probes(for: pod) {
            guard let address = pod.record.addresses.first else { continue }
            let target = SocketAddress(address, port)
            while true {
                let answers =
                    switch transport {
                    case .tcp: try InternetSocket.answers(target, in: namespace, timeoutMilliseconds: 200)
                    case .udp:
                        try InternetSocket.answersDatagram(target, in: namespace, timeoutMilliseconds: 200)
                    }
                if answers { break }
                if let code = try child.process.exitCode() {
                    throw SandboxError(
                        "\(container) of pod \(pod.record.key) ended with code \(code):\n"
                            + tail(of: log(of: pod.record, container)))
                }
                guard ContinuousClock.now < end else {
                    throw SandboxError("pod \(pod.record.key) does not answer on \(transport.name) \(target)")
                }
                try pace.pause(milliseconds: 2)
            }
        }
    }

    /// Ends the programs of pods and takes their namespaces, cgroups and files away. Parts that are missing are fine.
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
