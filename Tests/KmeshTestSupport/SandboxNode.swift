/// A node in network namespaces, made by kmesh-sandbox for a test and taken away with it.
internal import Foundation
internal import Glibc

public final class SandboxNode: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let name: String
    public let directory: String
    private let manifest: String
    private static let sandbox = BuiltProgram.built("kmesh-sandbox")

    /// Starts pods and daemon of a manifest in `Tests/Fixtures`.
    public init(fixture: String, name: String, arguments: [String] = []) throws {
        // Side by side with other suites and other checkouts of this machine.
        self.name = "\(name)-\(ProcessInfo.processInfo.processIdentifier)"
        directory = "/run/kmesh-sandbox/\(self.name)"
        manifest = "\(Self.fixtures)/\(fixture)"
        let up = try Self.sandbox.run(["up", "--name", self.name] + arguments + [manifest])
        guard up.status == 0 else {
            let log = (try? String(contentsOfFile: "\(directory)/daemon.log", encoding: .utf8)) ?? "none"
            try? down()
            throw Failure(description: "kmesh-sandbox up: \(up.output)\(up.errors)\ndaemon's log: \(log)")
        }
    }

    public static var fixtures: String {
        let parts = #filePath.split(separator: "/").dropLast(2)
        return "/" + parts.joined(separator: "/") + "/Fixtures"
    }

    public func exec(_ pod: String, _ command: [String]) throws -> BuiltProgram.Outcome {
        try Self.sandbox.run(["exec", "--name", name, manifest, pod, "--"] + command)
    }

    /// What a client in a pod sees: one dictionary for each line of `probe.py`.
    public func probe(_ pod: String, _ arguments: String...) throws -> [[String: String]] {
        try run("probe.py", in: pod, arguments)
    }

    /// The lines of another client of `Tests/Fixtures`.
    public func run(_ script: String, in pod: String, _ arguments: [String]) throws -> [[String: String]] {
        let outcome = try exec(pod, ["python3", "\(Self.fixtures)/\(script)"] + arguments)
        guard outcome.status == 0 else {
            throw Failure(description: "\(script): \(outcome.output)\(outcome.errors)")
        }
        return try Self.objects(outcome.output)
    }

    /// What `probe.py` says, while the test goes on.
    public func launch(_ pod: String, _ arguments: String...) throws -> Client {
        try launch("probe.py", in: pod, arguments)
    }

    /// A script of `Tests/Fixtures`, while the test goes on.
    public func launch(_ script: String, in pod: String, _ arguments: [String]) throws -> Client {
        try Client(
            path: Self.sandbox.path,
            arguments: ["exec", "--name", name, manifest, pod, "--", "python3", "\(Self.fixtures)/\(script)"]
                + arguments)
    }

    static func objects(_ output: String) throws -> [[String: String]] {
        try output.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            return object.mapValues { "\($0)" }
        }
    }

    public func scale(_ deployment: String, to count: Int) throws {
        let outcome = try Self.sandbox.run(["scale", "--name", name, manifest, "\(deployment)=\(count)"])
        guard outcome.status == 0 else {
            throw Failure(description: "scale: \(outcome.output)\(outcome.errors)")
        }
    }

    public func control(_ arguments: String...) throws -> BuiltProgram.Outcome { try control(arguments) }

    public func control(_ arguments: [String]) throws -> BuiltProgram.Outcome {
        try BuiltProgram.built("kmeshctl").run(arguments + ["--admin-socket", "\(directory)/kmesh.sock"])
    }

    public func down() throws {
        let outcome = try Self.sandbox.run(["down", "--name", name, manifest])
        guard outcome.status == 0 else {
            throw Failure(description: "down: \(outcome.output)\(outcome.errors)")
        }
    }

    /// Every reason's count, by its name.
    public func reasonCounts() throws -> [String: Int] {
        let dump = try control("dump", "reasons", "-o", "json")
        let object = try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any]
        let rows = object?["reasons"] as? [[String: Any]] ?? []
        return Dictionary(
            uniqueKeysWithValues: rows.compactMap { row in
                guard let name = row["name"] as? String, let count = row["count"] as? Int else { return nil }
                return (name, count)
            })
    }
}

/// A client that works in a pod while the test does something else.
public final class Client {
    private let process = Process()
    private let output = Pipe()

    public init(path: String, arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
    }

    /// Ends it.
    public func terminate() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Interrupts it, as Ctrl-C does, and waits until it has ended.
    public func interrupt() {
        process.interrupt()
        process.waitUntilExit()
    }

    /// Ends it without a chance to do anything.
    public func kill() {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Stops it for a while.
    public func pause() { Glibc.kill(process.processIdentifier, SIGSTOP) }
    public func resume() { Glibc.kill(process.processIdentifier, SIGCONT) }

    /// Ends one that says what it saw when it is interrupted, and returns that.
    public func finish() throws -> [[String: String]] {
        let id = process.processIdentifier
        // The client itself is a child of the program that entered the pod, or has taken its place.
        for child in [id] + Self.children(of: id) { Glibc.kill(child, SIGINT) }
        process.waitUntilExit()
        return try lines()
    }

    private static func children(of id: Int32) -> [Int32] {
        let text = try? String(contentsOfFile: "/proc/\(id)/task/\(id)/children", encoding: .utf8)
        return (text ?? "").split(separator: " ").compactMap { Int32($0) }
    }

    public func waitUntilExit() { process.waitUntilExit() }

    public var terminationStatus: Int32 { process.terminationStatus }

    /// What it printed, after its end.
    public var text: String {
        String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    /// The same, an object a line.
    public func lines() throws -> [[String: String]] { try SandboxNode.objects(text) }
}
