/// What the documents promise is there: files that they link to, commands that they name.

import Testing

/// `[text](path)` outside code; addresses of other hosts and anchors are not followed.
func brokenLinks(_ file: SourceFile, in tree: SourceTree) -> [Violation] {
    let folder = file.path.split(separator: "/").dropLast()
    return prose(file).flatMap { number, text in
        linkTargets(withoutCode(text)).compactMap { target in
            let path = target.prefix { $0 != "#" }
            guard !path.isEmpty, !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
            let absolute = resolve(path, from: path.hasPrefix("/") ? [] : Array(folder))
            if absolute == "" || absolute.map(tree.contains) == true { return nil }
            return file.violation(line: number, "the link to \(target) leads nowhere")
        }
    }
}

/// Lines outside fenced code.
private func prose(_ file: SourceFile) -> [(number: Int, text: Substring)] {
    var isFenced = false
    return file.numberedLines.filter { _, text in
        guard text.drop(while: { $0 == " " }).hasPrefix("```") else { return !isFenced }
        isFenced.toggle()
        return false
    }
}

private func withoutCode(_ text: Substring) -> String {
    text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        .map { $0.offset % 2 == 0 ? String($0.element) : "" }.joined(separator: "`")
}

private func linkTargets(_ text: String) -> [Substring] {
    var targets: [Substring] = []
    var rest = text[...]
    while let start = rest.firstRange(of: "](") {
        rest = rest[start.upperBound...]
        targets.append(rest.prefix { $0 != ")" && $0 != " " })
    }
    return targets
}

/// The path from the root; `nil` when it leaves the repository.
private func resolve(_ path: Substring, from folder: [Substring]) -> String? {
    var parts = folder
    for part in path.split(separator: "/") where part != "." {
        if part != ".." {
            parts.append(part)
        } else if parts.popLast() == nil {
            return nil
        }
    }
    return parts.joined(separator: "/")
}

/// `make target` in code, that the Makefile does not have.
func unknownMakeTargets(_ file: SourceFile, targets: Set<String>) -> [Violation] {
    let proseLines = Set(prose(file).map(\.number))
    return file.numberedLines.flatMap { number, text in
        let codes = proseLines.contains(number) ? codeSpans(text) : [text]
        return codes.flatMap { code -> [Violation] in
            let words = code.split(separator: " ")
            guard words.first == "make" else { return [] }
            // Arguments such as SUITE=l4 are no targets, and a comment ends the command.
            return words.dropFirst().prefix { $0 != "#" }.filter { !$0.contains("=") }
                .filter { !targets.contains(String($0)) }
                .map { file.violation(line: number, "the Makefile has no target \($0)") }
        }
    }
}

private func codeSpans(_ text: Substring) -> [Substring] {
    text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map(\.element)
}

func makeTargets(_ makefile: SourceFile) -> Set<String> {
    Set(
        makefile.lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":"), line.first?.isLetter == true else { return nil }
            return line[colon...].hasPrefix(":=") || line.contains("?=") ? nil : String(line[..<colon])
        })
}

@Suite struct DocumentRuleTests {
    @Test func linksLeadSomewhere() throws {
        let tree = try SourceTree.current.get()
        try check(.link, over: \.isMarkdown) { brokenLinks($0, in: tree) }
    }

    @Test func linkExamples() {
        let tree = SourceTree([SourceFile("docs/a.md", ""), SourceFile("README.md", "")])
        let good = "[a](a.md#top) [r](../README.md) [d](/docs) [h](https://x.y) [t](#here) `[x](no.md)`\n"
        #expect(brokenLinks(SourceFile("docs/b.md", good), in: tree).isEmpty)
        let bad = "[a](b.md)\n```\n[a](b.md)\n```\n[up](../../x) and [gone](docs/a.md)\n"
        #expect(brokenLinks(SourceFile("docs/b.md", bad), in: tree).map(\.line) == [1, 5, 5])
    }

    @Test func namedCommandsExist() throws {
        let makefile = try #require(SourceTree.current.get().file("Makefile"))
        let targets = makeTargets(makefile)
        #expect(targets.isSuperset(of: ["help", "build", "test"]))
        try check(.makeTarget, over: \.isMarkdown) { unknownMakeTargets($0, targets: targets) }
    }

    @Test func commandExamples() {
        let makefile = SourceFile(
            "Makefile", "SEED ?= 1\nX := 2\n.PHONY: test\ntest: deps ## Runs\nsim:\n\trun: x\n")
        #expect(makeTargets(makefile) == ["test", "sim"])
        let text = "`make test` and `make tset`, make it so\n```\nmake sim SEED=7\nmake smi # oh\n```\n"
        #expect(
            unknownMakeTargets(SourceFile("a.md", text), targets: ["test", "sim"]).map(\.line) == [1, 4])
    }
}
