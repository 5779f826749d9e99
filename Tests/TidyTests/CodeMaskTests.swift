import Testing

private func words(_ text: String, _ language: SourceLanguage = .swift) -> [String] {
    tokenize(maskComments(in: Array(text.utf8), language: language)).map(\.text)
}

@Suite struct CodeMaskTests {
    @Test(arguments: [
        ("a // b\nc", ["a", "c"]),
        ("a /* b /* c */ d */ e", ["a", "e"]),
        (#"a("b // \" c") d"#, ["a", "(", "\"", "\"", ")", "d"]),
        (#""a \(b("c") + d) e" f"#, ["\"", "(", "b", "(", "\"", "\"", ")", "+", "d", ")", "\"", "f"]),
        ("\"\"\"\n a \" b\n\"\"\" c", ["\"", "\"", "\"", "\"", "\"", "\"", "c"]),
        (##"#"a " \( b"# c"##, ["#", "\"", "\"", "#", "c"]),
        ("#if a\n\"b\nc", ["#", "if", "a", "\"", "c"]),
    ])
    func swiftIsMasked(text: String, expected: [String]) {
        #expect(words(text) == expected)
    }

    @Test(arguments: [
        ("a /* b /* c */ d", ["a", "d"]),
        (#"a = '"'; b = '\''; c"#, ["a", "=", "'", "'", ";", "b", "=", "'", "'", ";", "c"]),
        (#"f("a \" b") // c"#, ["f", "(", "\"", "\"", ")"]),
    ])
    func cIsMasked(text: String, expected: [String]) {
        #expect(words(text, .c) == expected)
    }

    @Test func linesAndOffsetsStay() {
        let text = "/* a\n */ b\n\"\"\"\nc\n\"\"\"; d"
        let tokens = tokenize(maskComments(in: Array(text.utf8), language: .swift))
        #expect(tokens.first == Token(text: "b", line: 2, offset: 9))
        #expect(tokens.last?.line == 5)
    }

    @Test func bodiesAreFoundInAProtocolToo() {
        let text = """
            protocol A {
                func a() async throws(E) -> [B]
                var b: Int { get }
            }
            extension A {
                init(_ c: () -> Int = { 1 }) where D == E {
                    self.init(c)
                }
                static func == (left: A, right: A) -> Bool { true }
            }
            """
        let bodies = swiftBodies(SourceFile("a.swift", text).tokens)
        #expect(bodies.map(\.name) == ["b", "init", "="])
        #expect(bodies.map(\.lineCount) == [0, 1, 0])
    }
}
