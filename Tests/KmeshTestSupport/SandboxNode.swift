/// A node in network namespaces, made by kmesh-sandbox for a test and taken away with it.
import Foundation

public final class SandboxNode: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let name: String
    public let directory: String
    private let manifest: String
    private static let sandbox = Program.built("kmesh-sandbox")

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

    public func exec(_ pod: String, _ command: [String]) throws -> Program.Outcome {
        try Self.sandbox.run(["exec", "--name", name, manifest, pod, "--"] + command)
    }

    /// What a client in a pod sees: one dictionary for each line of `probe.py`.
    public func probe(_ pod: String, _ arguments: String...) throws -> [[String: String]] {
        let outcome = try exec(pod, ["python3", "\(Self.fixtures)/probe.py"] + arguments)
        guard outcome.status == 0 else { throw Failure(description: "probe: \(outcome.output)\(outcome.errors)") }
        return try outcome.output.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            return object.mapValues { "\($0)" }
        }
    }

    public func scale(_ deployment: String, to count: Int) throws {
        let outcome = try Self.sandbox.run(["scale", "--name", name, manifest, "\(deployment)=\(count)"])
        guard outcome.status == 0 else { throw Failure(description: "scale: \(outcome.output)\(outcome.errors)") }
    }

    public func control(_ arguments: String...) throws -> Program.Outcome {
        try Program.built("kmeshctl").run(arguments + ["--admin-socket", "\(directory)/kmesh.sock"])
    }

    public func down() throws {
        let outcome = try Self.sandbox.run(["down", "--name", name, manifest])
        guard outcome.status == 0 else { throw Failure(description: "down: \(outcome.output)\(outcome.errors)") }
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
