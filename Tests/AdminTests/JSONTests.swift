import Testing

@testable import KmeshKit

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("[]", []), ("{}", .object([])), ("-0", 0),
            ("-12", -12),
            ("9223372036854775807", .integer(.max)), ("18446744073709551616", .number(18446744073709551616)),
            ("1.5e3", .number(1500)), ("\"a\\u00e9\\ud83d\\ude00\\n\\/\"", "aé😀\n/"),
            ("{\"a\":[1,{\"b\":null}]}", ["a": [1, ["b": .null]]]),
        ] as [(String, JSONValue)])
    func readsJSON(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(arguments: [
        ("", 0), ("nul", 0), ("[1,]", 3), ("[1 2]", 3), ("{\"a\" 1}", 5), ("{a:1}", 1), ("01", 1), ("1.", 2),
        ("-", 1),
        ("1e999", 0), ("\"\\x\"", 1), ("\"\\ud800\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"a", 0), ("[1", 2),
        ("1 2", 2),
        ("{\"a\":1,\"a\":2}", 7), ("\"\u{1}\"", 1), ("// no", 0), ("NaN", 0), ("'a'", 0), ("[", 1), ("{", 1),
    ])
    func refusesWhatIsNotJSON(text: String, offset: Int) {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: text) }
        #expect(error?.offset == offset, "\(String(describing: error))")
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: [0x22, 0xc0, 0xaf, 0x22]) }
    }

    @Test func namesTheLine() {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: "{\n\"a\":\n?}") }
        #expect(error?.line == 3)
        #expect(error?.description == "line 3, byte 7: this starts no value")
    }

    @Test func boundsDepthAndSize() throws {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try JSONValue(parsing: deep) }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: "[[\(deep)]]") }
        #expect(throws: JSONSyntaxError.self) {
            try JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20))
        }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: Array("[1,2,3]".utf8), limit: 4) }
    }

    @Test func findsDuplicatesAmongManyMembers() {
        let members = (0..<100).map { "\"m\($0)\":\($0)" }
        #expect(throws: Never.self) { try JSONValue(parsing: "{\(members.joined(separator: ","))}") }
        for name in ["m3", "m15", "m16", "m99"] {
            #expect(throws: JSONSyntaxError.self) {
                try JSONValue(parsing: "{\(members.joined(separator: ",")),\"\(name)\":0}")
            }
        }
    }

    @Test func writesWhatItReads() async throws {
        var generator = SplitMix64(seed: testSeed)
        for round in 0..<200 {
            // Other tests have deadlines and need the pool too.
            await Task.yield()
            let value = randomValue(depth: 0, &generator)
            for indentation in [nil, 2] {
                let bytes = value.serialized(indentation: indentation)
                #expect(try JSONValue(parsing: bytes) == value, "seed \(testSeed), round \(round)")
            }
            #expect(!value.serialized().contains(UInt8(ascii: "\n")))
        }
    }

    @Test func survivesDamagedText() async {
        var generator = SplitMix64(seed: testSeed)
        for _ in 0..<1000 {
            await Task.yield()
            var bytes = randomValue(depth: 0, &generator).serialized()
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &generator)
                switch UInt8.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            // What is still JSON must come back as it went.
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect((try? JSONValue(parsing: value.serialized())) == value, "seed \(testSeed)")
        }
    }

    @Test func keepsNumbersThatSignedReadersCannotHold() {
        #expect(JSONValue(UInt64.max) == "18446744073709551615")
        #expect(JSONValue(UInt64.max).integer(UInt64.self) == .max)
        #expect(JSONValue(7 as UInt16) == 7)
        #expect(JSONValue.integer(70000).integer(UInt16.self) == nil)
        #expect(JSONValue.number(1.5).integer(Int.self) == nil)
    }

    @Test func writesYAML() {
        let value: JSONValue = [
            "name": "reviews", "empty": [], "none": .null, "word": "yes", "number": "12", "port": 80,
            "list": [["a": 1, "b": ["x", "y"]], "z", [[1, 2], []]], "odd key": ["c": "a: b"],
        ]
        #expect(
            value.yaml == """
                name: reviews
                empty: []
                none: null
                word: "yes"
                number: "12"
                port: 80
                list:
                - a: 1
                  b:
                  - x
                  - "y"
                - z
                - - - 1
                    - 2
                  - []
                "odd key":
                  c: "a: b"

                """)
        #expect(JSONValue.string("x").yaml == "x\n")
        #expect(JSONValue.object([]).yaml == "{}\n")
    }
}

private func randomValue(depth: Int, _ generator: inout SplitMix64) -> JSONValue {
    switch UInt8.random(in: 0..<(depth < 3 ? 8 : 6), using: &generator) {
    case 0: .null
    case 1: .bool(.random(using: &generator))
    case 2: .integer(Int64(bitPattern: generator.next() >> UInt64.random(in: 0..<64, using: &generator)))
    case 3: .number(Double.random(in: -1e10...1e10, using: &generator) + 0.5)
    case 4, 5: .string(randomText(&generator))
    case 6:
        .array(
            (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                randomValue(depth: depth + 1, &generator)
            })
    default:
        .object(
            (0..<Int.random(in: 0..<20, using: &generator)).map { index in
                JSONValue.Member(
                    "\(randomText(&generator))\(index)", randomValue(depth: depth + 1, &generator))
            })
    }
}

private func randomText(_ generator: inout SplitMix64) -> String {
    let alphabet = Array("ab\"\\/\n\r\t\u{0}\u{7f}é\u{2028}😀{}[]:, ".unicodeScalars)
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0..<12, using: &generator) {
        if let scalar = alphabet.randomElement(using: &generator) { text.append(scalar) }
    }
    return String(text)
}
