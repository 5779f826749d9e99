/// Words that say nothing about what a thing is do not name it.

import Testing

private let emptyWords = [
    "Context", "Manager", "Helper", "Helpers", "Info", "Data", "Util", "Utils", "Utilities",
]

func emptyTypeNames(_ file: SourceFile) -> [Violation] {
    let tokens = file.tokens
    let keywords: Set<String> = [
        "struct", "class", "enum", "actor", "protocol", "typealias", "associatedtype",
    ]
    return tokens.indices.compactMap { index in
        guard keywords.contains(tokens[index].text), let name = tokens.text(at: index + 1),
            name.first?.isUppercase == true, tokens.text(at: index - 1) != "import",
            let word = emptyWords.first(where: name.hasSuffix)
        else { return nil }
        return file.violation(line: tokens[index].line, "\(name): \(word) does not say what it is")
    }
}

func emptyVariableNames(_ file: SourceFile) -> [Violation] {
    let words = Set(emptyWords.map { $0.lowercased() })
    let tokens = file.tokens
    return tokens.indices.compactMap { index in
        guard ["let", "var", "func"].contains(tokens[index].text), let name = tokens.text(at: index + 1),
            words.contains(name)
        else { return nil }
        return file.violation(line: tokens[index].line, "\(name) does not say what it is")
    }
}

/// The last word of a file's name, in camel case or after `-` or `_`.
func emptyFileNames(_ file: SourceFile) -> [Violation] {
    let stem = file.name.prefix { $0 != "." }
    let words = emptyWords + ["Misc", "Common"]
    guard
        let word = words.first(where: { word in
            stem.hasSuffix(word)
                || stem.split { $0 == "-" || $0 == "_" }.last?.lowercased() == word.lowercased()
        })
    else { return [] }
    return [file.violation(line: 1, "a file named \(word) collects anything: name it after its subject")]
}

@Suite struct NameRuleTests {
    @Test func typesAreNamedAfterWhatTheyAre() throws {
        try check(.wordList, over: \.isSwift, by: emptyTypeNames)
        let bad = "struct PodInfo {}\nfinal class LinkManager {}\nenum Data {}\n"
        #expect(emptyTypeNames(SourceFile("a.swift", bad)).map(\.line) == [1, 2, 3])
        #expect(
            emptyTypeNames(SourceFile("a.swift", "struct WaypointMetadata {}\nextension Data {}")).isEmpty)
    }

    @Test func variablesAreNamedAfterWhatTheyHold() throws {
        try check(.wordList, over: \.isSwift, by: emptyVariableNames)
        #expect(
            emptyVariableNames(SourceFile("a.swift", "let data = 1\nvar info = 2")).map(\.line) == [1, 2])
        #expect(emptyVariableNames(SourceFile("a.swift", "let metadata = f(context: a)")).isEmpty)
    }

    @Test func filesAreNamedAfterTheirSubject() throws {
        try check(.wordList, over: { !$0.isIn("Tests/Fixtures/") }, by: emptyFileNames)
        for path in [
            "Sources/A/StringUtils.swift", "bpf/lib/common.h", "scripts/test-helpers", "PodManager.swift",
        ] {
            #expect(emptyFileNames(SourceFile(path, "")).count == 1, "\(path)")
        }
        for path in ["Sources/A/Metadata.swift", "Sources/CommonPrefix.swift", "bpf/lib/lookup.h"] {
            #expect(emptyFileNames(SourceFile(path, "")).isEmpty, "\(path)")
        }
    }
}
