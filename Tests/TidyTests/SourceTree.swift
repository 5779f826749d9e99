/// The files of the repository: what git tracks or, outside a checkout, what lies in the folders.

import Foundation
import Testing

struct SourceTree: Sendable {
    let files: [SourceFile]

    /// Read once for all tests.
    static let current = Result { try SourceTree(root: repositoryRoot) }

    init(root: URL) throws {
        let paths = try trackedPaths(root: root) ?? walkedPaths(root: root)
        files = try paths.compactMap { path in
            let url = root.appending(path: path)
            let values = try? url.resourceValues(forKeys: [.isRegularFileKey, .isExecutableKey])
            // A tracked file that was just deleted is no fault, and links are checked where they point to.
            guard let values, values.isRegularFile == true else { return nil }
            return SourceFile(
                path: path, bytes: Array(try Data(contentsOf: url)), isExecutable: values.isExecutable == true
            )
        }
    }

    init(_ files: [SourceFile]) {
        self.files = files
    }

    func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }

    /// Whether `path` is a file, or a folder that holds one.
    func contains(_ path: String) -> Bool {
        files.contains { $0.path == path || $0.path.hasPrefix(path + "/") }
    }
}

/// Checks one rule over the tree. Every violation that no allowance covers fails the test, by file and line.
func check(
    _ rule: Rule, over isSubject: (SourceFile) -> Bool = { _ in true },
    location: SourceLocation = #_sourceLocation,
    by checker: (SourceFile) -> [Violation]
) throws {
    let subjects = try SourceTree.current.get().files.filter(isSubject)
    report(rule, subjects.flatMap(checker), location: location)
}

func report(_ rule: Rule, _ violations: [Violation], location: SourceLocation = #_sourceLocation) {
    let open = violations.filter { !isAllowed(rule, $0.path) }
    for violation in open.prefix(50) {
        Issue.record("\(violation)", sourceLocation: location)
    }
    if open.count > 50 {
        Issue.record("and \(open.count - 50) more of \(rule)", sourceLocation: location)
    }
}

/// Tests/TidyTests/SourceTree.swift lies three levels below the root.
private let repositoryRoot = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// `nil` when this is no git checkout or git is missing.
private func trackedPaths(root: URL) throws -> [String]? {
    guard FileManager.default.fileExists(atPath: root.appending(path: ".git").path) else { return nil }
    let git = Process()
    git.executableURL = URL(filePath: "/usr/bin/env")
    // A checkout that belongs to another user is read all the same: root runs the privileged tests.
    git.arguments = ["git", "-c", "safe.directory=*", "-C", root.path, "ls-files", "-z"]
    let output = Pipe()
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    try git.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    git.waitUntilExit()
    guard git.terminationStatus == 0 else { return nil }
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}

private func walkedPaths(root: URL) -> [String] {
    guard let walk = FileManager.default.enumerator(atPath: root.path) else { return [] }
    return walk.compactMap { $0 as? String }
        .filter { !$0.hasPrefix(".build") && !$0.hasPrefix(".git/") }
        .sorted()
}
