import Testing

private func isProgramOrLibrary(_ file: SourceFile) -> Bool { file.isSwift && file.isIn("Sources/") }

@Suite struct CodeRuleTests {
    @Test func importsStayInTheirFences() throws {
        try check(.importFence, over: \.isSwift, by: forbiddenImports)
    }

    @Test(arguments: [
        ("Sources/KmeshKit/A.swift", "internal import Foundation", 1),
        ("Sources/KmeshKit/A.swift", "internal import struct FoundationEssentials.Date", 1),
        ("Sources/KmeshKit/A.swift", "// import Foundation\nlet a = \"import Foundation\"", 0),
        ("Sources/kmesh-sandbox/A.swift", "import Foundation", 0),
        ("Sources/DualEngine/A.swift", "internal import CLibBPF", 1),
        ("Sources/BPFLoader/A.swift", "internal import CLibBPF", 0),
        ("Sources/DualEngine/A.swift", "internal import KernelNativeEngine", 1),
        ("Sources/DualEngine/A.swift", "internal import Steering", 0),
        ("Sources/Steering/A.swift", "internal import DualEngine", 1),
        ("Sources/AuthzXDP/A.swift", "internal import Steering", 1),
        ("Sources/KmeshDaemon/A.swift", "internal import WaypointProxy", 0),
        ("Sources/kmeshctl/A.swift", "import WaypointProxy", 1),
        ("Tests/DualEngineTests/A.swift", "@testable import DualEngine", 0),
    ])
    func importExamples(path: String, text: String, count: Int) {
        #expect(forbiddenImports(SourceFile(path, text)).count == count)
    }

    @Test func engineModeIsKnownInOnePlace() throws {
        try check(.engineMode, over: isProgramOrLibrary, by: engineModes)
        #expect(engineModes(SourceFile("a.swift", "switch mode as EngineMode {}")).count == 1)
        #expect(engineModes(SourceFile("a.swift", "/// As EngineMode says.\nlet modes = 1")).isEmpty)
    }

    @Test func unsafeCodeStaysInItsFence() throws {
        try check(.unsafeCode, over: isProgramOrLibrary, by: unsafeCode)
        #expect(
            unsafeCode(SourceFile("a.swift", "let a = unsafe f()\n@safe func g() {}")).map(\.line) == [1, 2])
        #expect(unsafeCode(SourceFile("a.swift", "// unsafe\nlet safe = \"unsafe\"")).isEmpty)
    }

    @Test func sendabilityIsChecked() throws {
        try check(.sendability, over: \.isSwift, by: uncheckedSendability)
        let bad = "final class A: @unchecked Sendable {}\nnonisolated(unsafe) var b = 1\n"
        #expect(uncheckedSendability(SourceFile("a.swift", bad)).map(\.line) == [1, 2])
        #expect(uncheckedSendability(SourceFile("a.swift", "nonisolated func f() {}")).isEmpty)
    }

    @Test func errorsAreHandled() throws {
        try check(.crash, over: \.isSwift, by: crashes)
        let bad = "let a = try! f()\nlet b = c as! D\nfatalError(\"x\")\nlet e = \"\\(try! f())\"\n"
        #expect(Set(crashes(SourceFile("a.swift", bad)).map(\.line)) == [1, 2, 3, 4])
        #expect(crashes(SourceFile("a.swift", "guard try !f() else { return }\nlet b = \"try!\"")).isEmpty)
    }

    @Test func librariesDoNotPrint() throws {
        let programs = try programNames(SourceTree.current.get())
        #expect(
            programNames(SourceTree([SourceFile("Package.swift", "program(\"kmeshctl\", [])")])) == [
                "kmeshctl"
            ])
        try check(
            .output,
            over: { file in
                isProgramOrLibrary(file) && !programs.contains { file.isIn("Sources/\($0)/") }
            }, by: printing)
        #expect(printing(SourceFile("a.swift", "print(\"x\")\nSwift.print(a)")).map(\.line) == [1, 2])
        #expect(printing(SourceFile("a.swift", "func print(a: Int) {}\nreturn .print(1)")).isEmpty)
    }

    @Test func tasksHaveAnOwner() throws {
        try check(.unstructuredTask, over: isProgramOrLibrary, by: unstructuredTasks)
        let bad = "Task { }\nTask.detached { }\nTask(priority: .low) { }"
        #expect(Set(unstructuredTasks(SourceFile("a.swift", bad)).map(\.line)) == [1, 2, 3])
        let good = "try await Task.sleep(for: .seconds(1))\nlet a: Task<Void, Never>?"
        #expect(unstructuredTasks(SourceFile("a.swift", good)).isEmpty)
    }
}

/// The executable targets of the package.
private func programNames(_ tree: SourceTree) -> [String] {
    (tree.file("Package.swift")?.lines ?? []).compactMap { line in
        let parts = line.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].hasSuffix("program(") else { return nil }
        return String(parts[1])
    }
}
