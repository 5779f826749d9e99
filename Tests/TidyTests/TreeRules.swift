/// What holds between files: targets, fixtures, scripts, and what is not committed at all.

import Testing

/// Folders of `Tests` that are no targets: inputs, and tests that run in a guest.
private let otherFolders: Set<Substring> = ["Fixtures", "Guest"]

/// A folder of sources that Package.swift does not name is never compiled, its tests never run.
func unnamedTargets(_ tree: SourceTree) -> [Violation] {
    let package = tree.file("Package.swift")?.text ?? ""
    let folders = tree.files.compactMap { file -> String? in
        let parts = file.path.split(separator: "/")
        guard parts.count > 2, ["Sources", "Tests", "Plugins"].contains(parts[0]),
            !(parts[0] == "Tests" && otherFolders.contains(parts[1]))
        else {
            return nil
        }
        return "\(parts[0])/\(parts[1])"
    }
    return Set(folders).sorted().compactMap { folder in
        let name = folder.split(separator: "/").last ?? ""
        if package.contains("\"\(name)\"") || package.contains("\"\(folder)\"") { return nil }
        return Violation(path: "Package.swift", line: 1, message: "no target for \(folder)")
    }
}

/// A fixture is used when a test has its name, or that of a folder that holds it, as a string's beginning.
func unusedFixtures(_ tree: SourceTree) -> [Violation] {
    let root = "Tests/Fixtures/"
    let tests = tree.files.filter { $0.isSwift && $0.isIn("Tests/") && !$0.isIn(root) }.map(\.text)
    return tree.files.filter { $0.isIn(root) && $0.name != "README.md" }.compactMap { file in
        let parts = file.path.dropFirst(root.count).split(separator: "/").map(String.init)
        let stem = String(file.name.prefix { $0 != "." })
        let folders = parts.indices.dropFirst().map { parts[..<$0].joined(separator: "/") }
        let isUsed = tests.contains { text in
            text.contains(file.name) || text.contains("\"\(stem)\"")
                || folders.contains { text.contains("Fixtures/\($0)") || text.contains("\"\($0)") }
        }
        return isUsed ? nil : file.violation(line: 1, "no test names this fixture")
    }
}

/// What a build or an editor leaves behind.
func buildOutput(_ file: SourceFile) -> [Violation] {
    let folders: Set<Substring> = [
        ".build", ".output", ".swiftpm", "__pycache__", "node_modules", "DerivedData",
    ]
    let endings = [
        ".o", ".a", ".so", ".ko", ".pyc", ".orig", ".rej", ".swp", ".profraw", ".pcap", ".log", "~",
    ]
    let isLeftOver =
        file.path.split(separator: "/").contains(where: folders.contains)
        || endings.contains(where: file.path.hasSuffix)
        || file.bytes.starts(with: [0x7f] + Array("ELF".utf8))
    return isLeftOver ? [file.violation(line: 1, "build output: remove it and name it in .gitignore")] : []
}

/// A script runs by its name, and fits on two screens.
func badScripts(_ file: SourceFile) -> [Violation] {
    let isShell = file.lines.first.map { $0.hasSuffix("sh") || $0.hasSuffix("bash") } == true
    var violations: [Violation] = []
    if !file.isExecutable {
        violations.append(file.violation(line: 1, "not executable: chmod +x, then git add"))
    }
    if isShell || file.isIn("scripts/"), file.lines.count > maximumScriptLines {
        violations.append(
            file.violation(line: file.lines.count, "more than \(maximumScriptLines) lines: split it"))
    }
    return violations
}

@Suite struct TreeRuleTests {
    @Test func theTreeIsReadWhole() throws {
        // Rules that saw no files would pass forever.
        let tree = try SourceTree.current.get()
        #expect(tree.files.filter(\.isSwift).count >= 10)
        for path in ["Package.swift", "Makefile", "bpf/embed.sh", "Tests/TidyTests/TreeRules.swift"] {
            #expect(tree.contains(path), "\(path)")
        }
    }

    @Test func everySourceFolderIsATarget() throws {
        report(.target, unnamedTargets(try SourceTree.current.get()))
        let tree = SourceTree([
            SourceFile("Package.swift", "library(\"KmeshKit\"), .target(path: \"bpf/x\")"),
            SourceFile("Sources/KmeshKit/A/B.swift", ""), SourceFile("Tests/LostTests/A.swift", ""),
        ])
        #expect(unnamedTargets(tree).map(\.message) == ["no target for Tests/LostTests"])
    }

    @Test func everyFixtureIsUsed() throws {
        report(.fixture, unusedFixtures(try SourceTree.current.get()))
        let tree = SourceTree([
            SourceFile("Tests/Fixtures/mesh/a.yaml", ""), SourceFile("Tests/Fixtures/mesh/b.yaml", ""),
            SourceFile("Tests/Fixtures/bad/c.yaml", ""), SourceFile("Tests/Fixtures/lost/d.yaml", ""),
            SourceFile("Tests/ATests/A.swift", "load(\"mesh/a.yaml\"); load(\"b\"); each(\"bad\")"),
        ])
        #expect(unusedFixtures(tree).map(\.path) == ["Tests/Fixtures/lost/d.yaml"])
    }

    @Test func buildOutputIsNotCommitted() throws {
        try check(.buildOutput, by: buildOutput)
        for path in ["bpf/dual/dual.bpf.o", ".build/debug.yaml", "Sources/A.swift.orig"] {
            #expect(buildOutput(SourceFile(path, "")).count == 1, "\(path)")
        }
        #expect(buildOutput(SourceFile("tool", "\u{7f}ELF")).count == 1)
        #expect(buildOutput(SourceFile("Sources/A.swift", "")).isEmpty)
    }

    @Test func scriptsAreShortAndRun() throws {
        try check(.script, over: { $0.isScript || $0.isIn("scripts/") }, by: badScripts)
        let long = "#!/bin/sh\n" + String(repeating: "true\n", count: 100)
        #expect(badScripts(SourceFile("scripts/a", "#!/bin/sh\n", isExecutable: true)).isEmpty)
        #expect(badScripts(SourceFile("scripts/a", "#!/bin/sh\n")).count == 1)
        #expect(badScripts(SourceFile("scripts/a", long, isExecutable: true)).map(\.line) == [101])
    }
}
