/// A network namespace that lives as long as a process which the test starts and ends.
internal import Foundation
internal import KmeshKit

public final class FreshNamespace: Sendable {
    private let process: Process
    public let path: String

    /// `nil`, with the reason printed, where namespaces cannot be made. `setup` is run by a shell inside.
    public static func make(_ setup: String = "true") async throws -> FreshNamespace? {
        guard getuid() == 0 else {
            print("skipped: making a network namespace needs root")
            return nil
        }
        if setup.contains("ip "), !Files.exists("/usr/sbin/ip"), !Files.exists("/sbin/ip") {
            print("skipped: the program ip (package iproute2) is missing")
            return nil
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["--net", "sh", "-c", "set -e; \(setup); echo ready; exec cat"]
        // It ends with its input, also when this process is killed. A signal other than SIGKILL might not
        // reach it: it inherits the mask of the pool's thread, which blocks most.
        process.standardInput = Pipe()
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let namespace = FreshNamespace(process)
        let line = try await DedicatedThread.run("test-wait") { () throws(Errno) in
            output.fileHandleForReading.availableData
        }
        guard String(decoding: line, as: UTF8.self).hasPrefix("ready") else {
            throw SandboxNode.Failure(description: "the namespace could not be set up")
        }
        return namespace
    }

    private init(_ process: Process) {
        self.process = process
        path = "/proc/\(process.processIdentifier)/ns/net"
    }

    /// Ends the process and waits until its namespace cannot be entered any more.
    public func remove() async throws {
        kill(process.processIdentifier, SIGKILL)
        for _ in 0..<500 where Files.exists(path) { try await Task.sleep(for: .milliseconds(10)) }
    }

    // Without waiting: the process object reaps its child, and waiting would block one of the pool's threads.
    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
