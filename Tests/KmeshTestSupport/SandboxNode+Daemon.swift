/// The daemon of a sandbox node: ended, started again and asked how it is.
public import Foundation
internal import Glibc
public import KmeshKit

extension SandboxNode {
    public var meshFile: String { "\(directory)/mesh.yaml" }

    /// The network namespace of the node itself, which its pods' interfaces lead to.
    public var nodeNamespace: String { "\(directory)/netns/_node" }

    /// The daemon's status, with numbers as text.
    public func status() throws -> [String: String] {
        let outcome = try control("status", "-o", "json")
        let object =
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any] ?? [:]
        let engine = object["engine"] as? [String: Any] ?? [:]
        return object.merging(engine.map { ("engine.\($0)", $1) }) { $1 }.mapValues { "\($0)" }
    }

    /// The status of the daemon that runs; `nil` when it does not answer.
    public func daemonStatus() -> DaemonStatus? {
        let client = AdminClient(path: "\(directory)/kmesh.sock", timeout: 10)
        guard case .status(let status) = try? client.ask(.status).response else { return nil }
        return status
    }

    /// Ends the daemon with a signal and waits until it is gone.
    public func endDaemon(_ signal: Int32) throws {
        guard let pid = try Int32(status()["pid"] ?? "") else {
            throw Failure(description: "no daemon to end")
        }
        kill(pid, signal)
        try wait(for: "the daemon's end") { hasEnded(pid) }
    }

    /// Starts a daemon as the sandbox did, with these arguments besides, and waits until its configuration is
    /// in force.
    /// - Parameter output: takes what it writes to its standard output.
    public func startDaemon(
        to output: FileHandle = .nullDevice, _ arguments: String...
    ) throws -> Process {
        try startDaemon(arguments, to: output)
    }

    public func startDaemon(
        _ arguments: [String], to output: FileHandle = .nullDevice
    ) throws -> Process {
        let process = try launchDaemon(arguments, to: output)
        try wait(for: "the daemon's configuration") { daemonStatus()?.isConfigured == true }
        return process
    }

    /// Starts a daemon that shall refuse to run, with these arguments besides; what it complains of.
    public func refusal(_ arguments: String...) throws -> BuiltProgram.Outcome {
        // One that does run is ended, and the outcome says so by its status.
        try BuiltProgram(path: "/usr/bin/timeout").run(
            ["10", BuiltProgram.built("kmesh-daemon").path] + daemonArguments + arguments)
    }

    public var daemonArguments: [String] {
        [
            "--mesh-file", meshFile, "--bpf-fs-path", "\(directory)/bpf", "--cgroup2-path", cgroup,
            "--admin-socket", "\(directory)/kmesh.sock", "--state-dir", "\(directory)/state",
            "--node-name", "node-a", "--status-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0",
        ]
    }

    public func launchDaemon(
        _ arguments: [String], to output: FileHandle = .nullDevice
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: BuiltProgram.built("kmesh-daemon").path)
        process.arguments = daemonArguments + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// For far longer than it takes: a loaded machine is not what tests look for.
    public func wait(seconds: Double = 30, for what: String, until isDone: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while try !isDone() {
            guard Date() < deadline else { throw Failure(description: "waited \(seconds) s for \(what)") }
            usleep(20_000)
        }
    }

    /// Where the sandbox's cgroups are: below the one cgroup v2 mount.
    public var cgroup: String {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        let fields = mounts.split(separator: "\n").map { $0.split(separator: " ") }
        let mount =
            fields.first { $0.count > 2 && $0[2] == "cgroup2" }.map { String($0[1]) } ?? "/sys/fs/cgroup"
        return "\(mount)/kmesh-sandbox-\(name)"
    }

    public func hasEnded(_ pid: Int32) -> Bool { kill(pid, 0) != 0 || isZombie(pid) }

    private func isZombie(_ pid: Int32) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }
}

extension Process {
    /// Ends it, and waits until it does nothing any more: a daemon's last words are files.
    public func end() {
        terminate()
        waitUntilExit()
    }
}
