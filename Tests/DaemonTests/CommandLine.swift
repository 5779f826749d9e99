// Runs `kmeshctl` as people do.
import Foundation
import KmeshDaemon
import KmeshKit
import KmeshTestSupport

struct CommandOutcome: Sendable {
    let status: Int32
    let output: String
    let errors: String
}

/// Runs the program that was built beside the tests; `nil`, with the reason printed, when there is none.
func kmeshctl(
    _ daemon: TestDaemon, _ arguments: [String], as user: [String] = [], isBare: Bool = false
) async throws -> CommandOutcome? {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let built = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("kmeshctl")
    // Other users may not reach the build directory.
    let program = "\(daemon.directory.path)/kmeshctl"
    guard Files.exists(built.path) else {
        print("skipped: \(built.path) is not built")
        return nil
    }
    if !Files.exists(program) { try FileManager.default.copyItem(atPath: built.path, toPath: program) }
    let socket = isBare ? [] : ["--admin-socket", daemon.options.adminSocket]
    let command = user + [program] + arguments + socket
    return try await run(command)
}

private func run(_ command: [String]) async throws -> CommandOutcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    // A handler, not waitUntilExit, which blocks one of the pool's threads.
    let (exits, exit) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { exit.yield($0.terminationStatus) }
    try process.run()
    let texts = try await DedicatedThread.run("test-output") { () throws(Errno) in
        [output, errors].map { pipe in
            String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
    }
    for await status in exits { return CommandOutcome(status: status, output: texts[0], errors: texts[1]) }
    return CommandOutcome(status: -1, output: texts[0], errors: texts[1])
}
