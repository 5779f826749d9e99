/// How long files, functions and lines may be, and how they are laid out.

import Testing

let maximumFileLines = 500
let maximumFunctionLines = 70
let maximumColumns = 110
let maximumScriptLines = 100

func overlongFile(_ file: SourceFile) -> [Violation] {
    let count = file.lines.count
    guard count > maximumFileLines else { return [] }
    return [file.violation(line: count, "\(count) lines, at most \(maximumFileLines): split it by subject")]
}

/// C files count a tab as 8 columns.
func overlongLines(_ file: SourceFile) -> [Violation] {
    file.numberedLines.compactMap { number, text in
        let columns = text.reduce(0) { $1 == "\t" ? ($0 / 8 + 1) * 8 : $0 + 1 }
        guard columns > maximumColumns else { return nil }
        return file.violation(line: number, "\(columns) columns, at most \(maximumColumns)")
    }
}

func overlongFunctions(_ file: SourceFile) -> [Violation] {
    let bodies = file.isSwift ? swiftBodies(file.tokens) : cBodies(file)
    return bodies.filter { $0.lineCount > maximumFunctionLines }.map { body in
        file.violation(
            line: body.line,
            "\(body.name) has \(body.lineCount) lines, at most \(maximumFunctionLines): move leaves out of it"
        )
    }
}

func badWhitespace(_ file: SourceFile) -> [Violation] {
    var violations: [Violation] = []
    for (number, text) in file.numberedLines {
        if text.last?.isWhitespace == true {
            violations.append(file.violation(line: number, "ends in a space"))
        }
        if file.isSwift, text.contains("\t") {
            violations.append(file.violation(line: number, "a tab; Swift is indented by 4 spaces"))
        }
    }
    if let last = file.bytes.last, last != UInt8(ascii: "\n") {
        violations.append(file.violation(line: file.lines.count, "the last line has no line end"))
    }
    return violations
}

/// A source file opens, after its imports, with a sentence that says what it is for.
func missingOpening(_ file: SourceFile) -> [Violation] {
    for (number, text) in file.numberedLines {
        let line = text.drop { $0 == " " }
        let words = line.split(separator: " ")
        if line.isEmpty || line.hasPrefix("#if ") || words.prefix(3).contains("import") { continue }
        if line.hasPrefix("//") || line.hasPrefix("/*") { return [] }
        return [file.violation(line: number, "no opening comment that says what the file is for")]
    }
    return []
}

private let layoutExample = SourceFile("a.swift", "let a = 1\nlet b = 2 \n\tlet c = 3\nlet d = 4")

@Suite struct SizeRuleTests {
    @Test func filesAreShort() throws {
        try check(.fileLength, over: isSource, by: overlongFile)
        #expect(overlongFile(SourceFile("a.swift", String(repeating: "\n", count: 500))).isEmpty)
        #expect(overlongFile(SourceFile("a.swift", String(repeating: "\n", count: 501))).count == 1)
    }

    @Test func linesAreShort() throws {
        try check(.lineLength, over: { $0.isSwift || $0.isC }, by: overlongLines)
        let wide = String(repeating: "é", count: 110)
        #expect(overlongLines(SourceFile("a.swift", "\(wide)\n")).isEmpty)
        #expect(overlongLines(SourceFile("a.swift", "\n\(wide)é\n")).map(\.line) == [2])
        #expect(overlongLines(SourceFile("a.c", "\t\(wide.dropLast(8))\n")).isEmpty)
        #expect(overlongLines(SourceFile("a.c", "\t\(wide.dropLast(7))\n")).map(\.line) == [1])
    }

    @Test func functionsAreShort() throws {
        try check(.functionLength, over: { $0.isSwift || $0.isC }, by: overlongFunctions)
    }

    @Test(arguments: ["func f() {", "init?(_ a: Int = g({ 1 })) throws(E) where A == B {", "var a: Int {"])
    func aLongBodyIsFound(declaration: String) {
        let fits = SourceFile("a.swift", "\(declaration)\n\(String(repeating: "{ }\n", count: 70))}\n")
        #expect(overlongFunctions(fits).isEmpty)
        let long = SourceFile("a.swift", "\(declaration)\n\(String(repeating: "{ }\n", count: 71))}\n")
        #expect(overlongFunctions(long).map(\.line) == [1])
    }

    @Test func aLongBodyInCIsFound() {
        func example(lines: Int) -> SourceFile {
            SourceFile("a.c", "int f(int a)\n{\n\(String(repeating: "\ta++;\n", count: lines))}\n")
        }
        #expect(overlongFunctions(example(lines: 70)).isEmpty)
        #expect(overlongFunctions(example(lines: 71)).map(\.line) == [2])
    }

    @Test func whitespaceIsTidy() throws {
        try check(.whitespace, over: \.isText, by: badWhitespace)
        #expect(badWhitespace(layoutExample).map(\.line) == [2, 3, 4])
        #expect(badWhitespace(SourceFile("a.swift", "let a = 1\n\n")).isEmpty)
    }

    @Test func sourcesOpenWithTheirPurpose() throws {
        try check(.opening, over: { $0.isSwift && $0.isIn(["Sources/", "Plugins/"]) }, by: missingOpening)
        #expect(
            missingOpening(SourceFile("a.swift", "internal import Glibc\n\n/// A number.\nlet a = 1\n"))
                .isEmpty)
        #expect(missingOpening(SourceFile("a.swift", "import Glibc\n\nlet a = 1\n")).map(\.line) == [3])
    }
}

private func isSource(_ file: SourceFile) -> Bool { file.isSwift || file.isC || file.isScript }

extension SourceFile {
    /// Whether people read it as text: no zero byte in it.
    var isText: Bool { !bytes.contains(0) }
}
