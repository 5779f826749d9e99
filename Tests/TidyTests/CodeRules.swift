/// What code may import, call and be called.

import Testing

/// Modules that only these folders import.
private let confinedModules: [String: [String]] = [
    "CLibBPF": ["Sources/BPFLoader/"],
    "CBPFObjects": ["Sources/BPFLoader/"],
    "CBPFTestObjects": ["Tests/"],
    "CLibYAML": ["Sources/KmeshYAML/"],
    "Steering": ["Sources/DualEngine/", "Sources/KernelNativeEngine/", "Tests/"],
    // The daemon for the status server.
    "WaypointProxy": ["Sources/kmesh-waypoint/", "Sources/KmeshDaemon/", "Tests/"],
]

/// These stay small: Foundation costs megabytes and milliseconds at start.
private let foundationFree = [
    "Sources/KmeshKit/", "Sources/KmeshYAML/", "Sources/MeshFile/", "Sources/DualEngine/",
    "Sources/Steering/", "Sources/BPFLoader/", "Sources/AuthzXDP/", "Sources/WaypointProxy/",
    "Sources/kmesh-waypoint/",
]

/// Engines know nothing of each other, and what they share nothing of them; only the daemon composes them.
private let engines = ["DualEngine", "KernelNativeEngine", "AuthzXDP", "WaypointProxy"]

func forbiddenImports(_ file: SourceFile) -> [Violation] {
    imports(file.tokens).compactMap { module, line in
        if let folders = confinedModules[module], !file.isIn(folders) {
            return file.violation(
                line: line, "\(module) is imported only in \(folders.joined(separator: ", "))")
        }
        if module.hasPrefix("Foundation"), file.isIn(foundationFree) {
            return file.violation(line: line, "\(module) stays out of this module: use the standard library")
        }
        let others = (engines + ["Steering"]).filter { $0 != module }
        if engines.contains(module), file.isIn(others.map { "Sources/\($0)/" }) {
            return file.violation(
                line: line, "one engine imports no other: share through KmeshKit or Steering")
        }
        return nil
    }
}

/// The module of `import Glibc`, of `import struct Glibc.stat` and of those with modifiers before them.
private func imports(_ tokens: [Token]) -> [(module: String, line: Int)] {
    let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    return tokens.indices.compactMap { index in
        guard tokens[index].text == "import", tokens.text(at: index - 1) != "." else { return nil }
        let next = index + (tokens.text(at: index + 1).map(kinds.contains) == true ? 2 : 1)
        return tokens.text(at: next).map { (module: $0, line: tokens[index].line) }
    }
}

/// A construct that has no place, as the tokens that it starts with.
private struct Construct: Sendable {
    let tokens: [String]
    var touches = false
    let message: String
}

private func find(_ constructs: [Construct], in file: SourceFile) -> [Violation] {
    let tokens = file.tokens
    return constructs.flatMap { construct in
        tokens.lines(of: construct.tokens, touching: construct.touches).map { line in
            file.violation(line: line, construct.message)
        }
    }
}

func crashes(_ file: SourceFile) -> [Violation] {
    find(
        [
            Construct(
                tokens: ["try", "!"], touches: true, message: "try! hides an error: handle or throw it"),
            Construct(tokens: ["as", "!"], touches: true, message: "as! crashes: use as? and handle nil"),
            Construct(
                tokens: ["fatalError"], message: "fatalError: throw, or precondition for a fault of ours"),
        ], in: file)
}

/// `print(…)`, alone or as `Swift.print`; not a method or a case of that name.
func printing(_ file: SourceFile) -> [Violation] {
    let tokens = file.tokens
    return tokens.indices.filter { index in
        guard ["print", "debugPrint"].contains(tokens[index].text), tokens.text(at: index + 1) == "(" else {
            return false
        }
        let isMember = tokens.text(at: index - 1) == "." && tokens.text(at: index - 2) != "Swift"
        return !isMember && !["func", "case"].contains(tokens.text(at: index - 1))
    }.map { file.violation(line: tokens[$0].line, "a library does not print: log, or return the text") }
}

func unsafeCode(_ file: SourceFile) -> [Violation] {
    let message = "unsafe outside its fence: give KmeshKit/System a small safe function"
    let tokens = file.tokens
    return tokens.indices.filter { index in
        ["unsafe", "safe"].contains(tokens[index].text)
            && (tokens[index].text == "unsafe" || tokens.text(at: index - 1) == "@")
            // nonisolated(unsafe) has a rule of its own.
            && tokens.text(at: index - 2) != "nonisolated"
    }.map { file.violation(line: tokens[$0].line, message) }
}

func uncheckedSendability(_ file: SourceFile) -> [Violation] {
    let message = "hides data races from the compiler: use an actor, a Mutex or a value"
    return find(
        [
            Construct(tokens: ["@", "unchecked", "Sendable"], message: "@unchecked Sendable \(message)"),
            Construct(
                tokens: ["nonisolated", "(", "unsafe", ")"], message: "nonisolated(unsafe) \(message)"),
        ], in: file)
}

func unstructuredTasks(_ file: SourceFile) -> [Violation] {
    let message = "nobody waits for this task: use a task group, so that it ends with its owner"
    let starts = [["Task", "{"], ["Task", "("], ["Task", ".", "detached"], ["Task", ".", "immediate"]]
    return find(starts.map { Construct(tokens: $0, message: message) }, in: file)
}

func engineModes(_ file: SourceFile) -> [Violation] {
    find(
        [Construct(tokens: ["EngineMode"], message: "the mode is switched over in EngineFactory only")],
        in: file)
}
