/// `kmeshctl enroll` and `kmeshctl withdraw`.
public import ArgumentParser
public import KmeshKit

struct EnrollCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll", abstract: "Steers the traffic of a pod from now on.",
        discussion: """
            Examples:
              kmeshctl enroll --pod shop/client --pid 4711
              kmeshctl enroll --pod shop/client --netns /run/netns/client --address 10.244.0.7
              kmeshctl enroll --pod shop/client --netns /run/netns/client --later
            """)

    @Option(help: "The pod, as namespace/name.")
    var pod: PodName

    @Option(help: "The pod's uid. [default: its name]")
    var uid: String?

    @Option(help: "The pod's network namespace: /run/netns/NAME or /proc/PID/ns/net.")
    var netns: String?

    @Option(help: "A process of the pod, instead of --netns.")
    var pid: Int32?

    @Option(help: "The pod's cgroup v2 directory.")
    var cgroup: String?

    @Option(help: "The pod's interface.")
    var interface = EnrollmentRequest.defaultInterface

    @Option(
        help: "An address of the pod; may be repeated, the first is its identity. [default: the interface's]")
    var address: [IPAddress] = []

    @Flag(help: "When no daemon runs, note the pod for the next one, which enrolls it at its start.")
    var later = false

    @Option(help: "The daemon's state directory, for --later.")
    var stateDir = "/run/kmesh"

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func validate() throws {
        guard (netns == nil) != (pid == nil) else { throw ValidationError("give either --netns or --pid") }
        if let pid, pid < 1 { throw ValidationError("--pid must be a process id") }
    }

    func run() throws {
        let path = try networkNamespacePath()
        let request = EnrollmentRequest(
            pod: pod, uid: uid, networkNamespacePath: path, interface: interface, addresses: address,
            cgroupPath: cgroup)
        if later, try note(request) { return }
        let answer = try daemon.ask(.enroll(request))
        guard case .enrolled(let workload) = answer.response, let value = answer.json["enrolled"] else {
            try daemon.failUnexpected()
        }
        format.write(value) {
            "enrolled \(workload.pod) (\(workload.addresses.map(\.description).joined(separator: ", ")))\n"
        }
    }

    /// False when a daemon runs after all.
    private func note(_ request: EnrollmentRequest) throws -> Bool {
        guard !runs() else { return false }
        let path: String
        do throws(EnrollmentError) {
            path = try WaitingEnrollments(stateDirectory: stateDir).add(request)
        } catch {
            try fail("\(error)")
        }
        // One that has started meanwhile may have looked already.
        if runs() {
            WaitingEnrollments.remove(path)
            return false
        }
        print("no daemon runs: \(request.pod) is enrolled at its next start")
        return true
    }

    private func runs() -> Bool {
        do throws(AdminError) {
            _ = try AdminClient(path: daemon.adminSocket).ask(.version)
            return true
        } catch {
            if case .notRunning = error { return false }
            return true
        }
    }

    private func networkNamespacePath() throws -> String {
        if let netns { return netns }
        guard let pid, Files.exists("/proc/\(pid)") else {
            try fail("there is no process \(pid ?? 0); name one of the pod's with --pid, or use --netns")
        }
        return "/proc/\(pid)/ns/net"
    }
}

struct WithdrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Leaves the new connections of a pod alone again.",
        discussion: """
            Examples:
              kmeshctl withdraw --pod shop/client
              kmeshctl withdraw --uid 5f0c2d1e-6a53-4c8b-9d0a-1f6b7a3f8c11
            """)

    @Option(help: "The pod, as namespace/name.")
    var pod: PodName?

    @Option(help: "The pod's uid, instead of its name.")
    var uid: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func validate() throws {
        guard (pod == nil) != (uid == nil) else { throw ValidationError("give either --pod or --uid") }
    }

    func run() throws {
        let request = uid.map { WithdrawalRequest.id(LocalWorkload.ID($0)) } ?? pod.map(WithdrawalRequest.pod)
        guard let request else { return }
        let answer = try daemon.ask(.withdraw(request))
        guard case .withdrawn(let workloads) = answer.response, let value = answer.json["withdrawn"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { workloads.map { "withdrew \($0.pod)\n" }.joined() }
    }
}

extension PodName: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension IPAddress: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
