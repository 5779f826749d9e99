import KmeshYAML
import Testing

/// All documents and items of `text`.
func readAll(_ text: String, limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> [YAMLNode] {
    var reader = YAMLReader(text, limits: limits)
    var nodes: [YAMLNode] = []
    while let node = try reader.next() { nodes.append(node) }
    return nodes
}

@Suite struct YAMLReaderTests {
    @Test func readsDocumentsWithLinesAndTypes() throws {
        let nodes = try readAll("a: 1\nb: [x, \"2\", true, null]\n---\n---\nc:\n  d: e\n")
        #expect(nodes.count == 2)
        let first = try #require(nodes.first)
        #expect(first["a"]?.int == 1)
        #expect(first["b"]?[0]?.string == "x")
        #expect(first["b"]?[1]?.int == nil)
        #expect(first["b"]?[1]?.string == "2")
        #expect(first["b"]?[2]?.bool == true)
        #expect(first["b"]?[3]?.isNull == true)
        #expect(first["b"]?.line == 2)
        #expect(nodes.last?["c"]?["d"]?.line == 6)
    }

    @Test func handsOutTheItemsOfAListOneByOne() throws {
        let text = "apiVersion: v1\nitems:\n- kind: A\n- kind: B\nkind: List\nmetadata: {}\n---\nkind: C\n"
        var reader = YAMLReader(text)
        #expect(try reader.next()?["kind"]?.string == "A")
        #expect(try reader.next()?["kind"]?.string == "B")
        #expect(try reader.next()?["kind"]?.string == "C")
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test func aTypedListNamesTheKindOfItsItems() throws {
        let nodes = try readAll(#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"p"}}]}"#)
        #expect(nodes.first?["kind"]?.string == "Pod")
        #expect(nodes.first?["apiVersion"]?.string == "v1")
    }

    @Test func itemsOfAnotherKindStayInTheDocument() throws {
        let nodes = try readAll("kind: Menu\nitems: [a, b]\n")
        #expect(nodes.first?["items"]?.sequence?.count == 2)
    }

    @Test func aListThatWasCutIsAnError() {
        #expect(throws: YAMLError.self) { try readAll("apiVersion: v1\nitems:\n- kind: A\n") }
        #expect(throws: YAMLError.self) { try readAll("apiVersion: v1\nitems:\n- kind: A\nkind: Li\n") }
    }

    @Test func aliasesAreCopiedWithinTheLimit() throws {
        let nodes = try readAll("a: &x {k: v}\nb: *x\n")
        #expect(nodes.first?["b"]?["k"]?.string == "v")
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(throws: YAMLError.self) { try readAll(bomb) }
    }

    @Test(arguments: [
        ("a: 1\na: 2\n", 2, "already on line 1"),
        ("a: &x 1\nb: *y\n", 2, "no anchor"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: \"\\ud83d\\ude00\"\n", 1, "write the character itself"),
        ("x:\n  <<: {a: 1}\n", 2, "merge key"),
        ("a: !include b\n", 1, "tag"),
        ("? [a]\n: b\n", 1, "key must be a string"),
    ])
    func errorsHaveALineAndARemedy(text: String, line: Int, message: String) throws {
        let error = #expect(throws: YAMLError.self) { try readAll(text) }
        #expect(error?.line == line)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test func largeMappingsFindDuplicatesToo() {
        let text = (0..<100).map { "k\($0): 1\n" }.joined() + "k60: 2\n"
        let error = #expect(throws: YAMLError.self) { try readAll("m: {}\n---\n" + text) }
        #expect(error?.line == 103)
    }

    @Test func limitsHold() {
        var limits = YAMLLimits()
        limits.depth = 8
        limits.nodes = 100
        limits.scalarBytes = 50
        limits.stepBytes = 100_000
        let deep = String(repeating: "[", count: 9) + String(repeating: "]", count: 9)
        let many = "[" + String(repeating: "1,", count: 101) + "1]"
        let long = "a: " + String(repeating: "x", count: 51) + "\n"
        let endless = "a: 1\nb: \"" + String(repeating: "x", count: 200_000) + "\"\n"
        for text in [deep, many, long, endless] {
            #expect(throws: YAMLError.self) { try readAll(text, limits: limits) }
        }
        #expect(throws: Never.self) {
            try readAll(String(repeating: "- [[[1]]]\n", count: 10), limits: limits)
        }
    }

    @Test func tellsATextThatEndsInsideALine() throws {
        for (text, isCut) in [("a: b", true), ("a: b\n", false), ("{\"a\": 1}", false), ("", false)] {
            var reader = YAMLReader(text)
            while try reader.next() != nil {}
            #expect(reader.endsInsideLine == isCut, "\(text)")
        }
    }

    @Test func anErrorIsFinal() {
        var reader = YAMLReader("a: [\n")
        let first = #expect(throws: YAMLError.self) { _ = try reader.next() }
        let second = #expect(throws: YAMLError.self) { _ = try reader.next() }
        #expect(first == second)
    }
}
