/// Every rule of the repository, and where it does not hold: with the reason.

enum Rule: String, Sendable, CaseIterable {
    case fileLength, functionLength, lineLength, whitespace, opening
    case importFence, engineMode, unsafeCode, sendability, crash, output, unstructuredTask, wordList
    case mapName, objectName, licence, reasonNumber
    case link, makeTarget, fixture, buildOutput, script, target
}

struct Allowance: Sendable {
    let rule: Rule
    /// A folder with its final slash, or a path in which one `*` stands for anything.
    let path: String
    let reason: String
}

let allowances: [Allowance] = [
    Allowance(rule: .unsafeCode, path: "Sources/KmeshKit/System/", reason: "system calls take pointers"),
    Allowance(
        rule: .unsafeCode, path: "Sources/KmeshKit/BPF/", reason: "bpf(2) takes pointers to keys and values"),
    Allowance(rule: .unsafeCode, path: "Sources/BPFLoader/", reason: "the only caller of libbpf"),
    Allowance(rule: .unsafeCode, path: "Sources/KmeshYAML/", reason: "the only caller of libyaml"),
    Allowance(
        rule: .unsafeCode, path: "Sources/WaypointProxy/Memory/",
        reason: "records and bytes that live as long as their worker"),
    Allowance(
        rule: .unsafeCode, path: "Sources/WaypointProxy/System/",
        reason: "the hot loop's system calls, without an array between"),
    Allowance(rule: .sendability, path: "Sources/KmeshKit/System/", reason: "owners of kernel objects"),
    Allowance(rule: .sendability, path: "Sources/KmeshKit/BPF/", reason: "owners of kernel objects"),
    Allowance(rule: .sendability, path: "Sources/BPFLoader/", reason: "owners of libbpf objects"),
    Allowance(
        rule: .unstructuredTask, path: "Sources/KmeshDaemon/Daemon*.swift",
        reason: "the daemon's top starts what outlives a call"),
    Allowance(
        rule: .unstructuredTask, path: "Sources/kmesh-waypoint/KmeshWaypoint.swift",
        reason: "the program's top starts what is the program"),
    Allowance(rule: .engineMode, path: "Sources/*/EngineMode.swift", reason: "defines it"),
    Allowance(rule: .engineMode, path: "Sources/*/EngineFactory.swift", reason: "the one switch over it"),
    Allowance(
        rule: .engineMode, path: "Sources/KmeshKit/Engine/", reason: "the seam says which engine speaks"),
    Allowance(
        rule: .engineMode, path: "Sources/Steering/EngineDefinition.swift",
        reason: "an engine says its own name"),
    Allowance(
        rule: .engineMode, path: "Sources/Steering/SteeringEngine.swift", reason: "says its definition's"),
    Allowance(rule: .engineMode, path: "Sources/*Options.swift", reason: "parses --mode"),
    Allowance(rule: .engineMode, path: "Sources/*Arguments.swift", reason: "parses --mode"),
    Allowance(rule: .whitespace, path: "Tests/Fixtures/", reason: "inputs may be malformed on purpose"),
    Allowance(rule: .whitespace, path: "LICENSE", reason: "the licence's own text"),
    Allowance(
        rule: .lineLength, path: "Tests/MeshFileTests/ObjectDecoderTests.swift",
        reason: "manifests as people write them"),
    Allowance(rule: .link, path: "Tests/Fixtures/", reason: "inputs may be malformed on purpose"),
]

func isAllowed(_ rule: Rule, _ path: String) -> Bool {
    allowances.contains { $0.rule == rule && matches($0.path, path) }
}

func matches(_ pattern: String, _ path: String) -> Bool {
    if pattern.hasSuffix("/") { return path.hasPrefix(pattern) }
    let parts = pattern.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
    guard let head = parts.first, let tail = parts.dropFirst().first else { return path == pattern }
    return path.hasPrefix(head) && path.hasSuffix(tail)
        && path.utf8.count >= head.utf8.count + tail.utf8.count
}
