/// Runs the programs of this build, as a person would.
internal import Foundation

public struct BuiltProgram: Sendable {
    public struct Outcome: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
    }

    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// A program beside the test bundle, by name.
    public static func built(_ name: String) -> BuiltProgram {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return BuiltProgram(path: "\((bundle as NSString).deletingLastPathComponent)/\(name)")
    }

    /// Runs to the end; output and errors are read at the same time, so that neither can block it.
    public func run(_ arguments: [String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let files = try (0..<2).map { _ in try TemporaryFile() }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = files[0].handle
        process.standardError = files[1].handle
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try files[0].content(), errors: try files[1].content())
    }
}

/// A file without a name, for a child's output: a background child that keeps it open blocks nobody.
private final class TemporaryFile {
    let handle: FileHandle
    private let path: String

    init() throws {
        path = NSTemporaryDirectory() + "kmesh-test-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: path))
        handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func content() throws -> String {
        try String(decoding: Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }
}
