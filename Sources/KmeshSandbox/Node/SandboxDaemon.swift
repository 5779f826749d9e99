/// The daemon of a sandbox: it runs in the node's network namespace and sees the machine's files.
internal import KmeshKit

struct SandboxDaemon {
    private let paths: SandboxPaths
    private let settings: SandboxSettings
    private let pace: Pace

    /// Pods that say so are left alone.
    private static let redirectionAnnotation = "kmesh.net/redirection"
    private static let startSeconds = 20.0
    /// How long a new mesh file may take to be in force before the sandbox goes on without the daemon's word.
    private static let applySeconds = 2.0

    init(_ paths: SandboxPaths, _ settings: SandboxSettings, _ pace: Pace) {
        self.paths = paths
        self.settings = settings
        self.pace = pace
    }

    private var client: AdminClient { AdminClient(path: paths.adminSocket, timeout: 10) }

    /// Starts it and waits until it answers.
    func start(_ path: String) throws -> ChildProcess {
        var program = Program(
            path,
            [
                "--mode", "dual-engine", "--mesh-file", paths.mesh, "--bpf-fs-path", paths.bpf,
                "--cgroup2-path",
                paths.cgroup.path, "--admin-socket", paths.adminSocket, "--node-name", settings.nodeName,
                "--state-dir", paths.daemonState,
            ] + settings.daemonArguments)
        program.cgroup = paths.nodeCgroup
        program.networkNamespace = paths.nodeNamespace
        program.directory = "/"
        let log = try FileDescriptor.openLog(paths.daemonLog)
        let empty = try FileDescriptor.open("/dev/null")
        let child = try program.start(Streams(input: empty.number, output: log.number, error: log.number))
        let isReady = try pace.wait(seconds: Self.startSeconds) {
            if let code = try child.exitCode() {
                throw SandboxError("\(path) ended with code \(code):\n\(tail(of: paths.daemonLog))")
            }
            return status()?.isConfigured == true
        }
        guard isReady else {
            throw SandboxError(
                "\(path) does not answer on \(paths.adminSocket):\n\(tail(of: paths.daemonLog))")
        }
        return child
    }

    /// `nil`: it does not answer.
    func status() -> DaemonStatus? {
        guard let answer = try? client.ask(.status), case .status(let status) = answer.response else {
            return nil
        }
        return status
    }

    /// That this pod is to be steered: it is on the daemon's node, has a namespace of its own and does not
    /// refuse.
    func wants(_ pod: ResolvedMesh.Pod) -> Bool {
        pod.record.node == settings.nodeName && !pod.template.usesHostNetwork
            && pod.template.annotations[Self.redirectionAnnotation] != "disabled"
    }

    func enroll(_ pod: ResolvedMesh.Pod) throws {
        let record = pod.record
        let request = EnrollmentRequest(
            pod: PodName(namespace: record.namespace, name: record.name), uid: record.uid,
            networkNamespacePath: paths.namespace(of: record), interface: NodeNetwork.podInterface,
            addresses: record.addresses, cgroupPath: paths.cgroup(of: record).path)
        if case .error(let failure) = try client.ask(.enroll(request)).response {
            throw SandboxError("cannot enroll \(record.key): \(failure.message)")
        }
    }

    func withdraw(_ record: SandboxState.PodRecord) throws {
        if case .error(let failure) = try client.ask(.withdraw(.id(LocalWorkload.ID(record.uid)))).response {
            throw SandboxError("cannot withdraw \(record.key): \(failure.message)")
        }
    }

    /// Runs `change`, which writes the mesh file, and waits until the daemon has taken it up.
    func follow(_ change: () throws -> Void) throws {
        let before = status()
        try change()
        guard let before else { return }
        _ = try pace.wait(seconds: Self.applySeconds, every: 2) {
            guard let now = status() else { return true }
            return now.updates > before.updates || now.badConfigurations > before.badConfigurations
        }
    }
}

/// The last lines of a log.
func tail(of path: String) -> String {
    let text = (try? Files.readText(path, limit: 8 << 20)) ?? ""
    return text.split(separator: "\n").suffix(12).map { "  \($0)" }.joined(separator: "\n")
}
