import Testing

@testable import KmeshKit

extension RegexMatcher {
    func matches(_ text: [UInt8]) -> Bool { matches(text.span) }
}

private func matches(_ pattern: String, _ text: String) throws -> Bool {
    let bytes = Array(text.utf8)
    let matcher = try RegexMatcher(pattern)
    let slow = try RegexMatcher(pattern, maximumStates: 0, maximumWork: 0)
    let found = matcher.matches(bytes)
    #expect(slow.matches(bytes) == found, "\(pattern) and \(text): the table and the machine differ")
    return found
}

@Suite struct RegexTests {
    @Test(
        arguments: [
            ("", [""], ["a"]),
            ("abc", ["abc"], ["ab", "abcd", "xabc", "ABC"]),
            ("a|bc|", ["a", "bc", ""], ["b", "abc"]),
            ("a(b|c)*d", ["ad", "abcbd"], ["abx", "a"]),
            ("(?:ab)+", ["ab", "abab"], ["", "aba"]),
            ("(?P<n>a)(?<m>b)", ["ab"], ["a"]),
            ("a?b??c*?", ["", "a", "bcc", "abc"], ["ba"]),
            ("a{2}", ["aa"], ["a", "aaa"]),
            ("a{2,}", ["aa", "aaaa"], ["a"]),
            ("a{0,2}b", ["b", "aab"], ["aaab"]),
            ("a{x}", ["a{x}"], ["a", "ax"]),
            ("a{,2}", ["a{,2}"], ["aa"]),
            ("é+", ["é", "éé"], ["", "\u{c3}"]),
            ("v[0-9]+\\.[0-9]+", ["v1.20"], ["v1x20", "v1."]),
            ("[^a-c]", ["d", "-", "\n"], ["a", "b", ""]),
            ("[]a]", ["]", "a"], ["b"]),
            ("[a-]", ["a", "-"], ["b"]),
            ("[\\d\\]_]+", ["4]_"], ["x"]),
            ("[[:alpha:]_]+", ["aZ_"], ["1"]),
            ("[[:^digit:]]", ["a"], ["1"]),
            ("\\d\\D\\w\\W\\s\\S", ["1a_- x"], ["aaaaaa"]),
            (".", ["a", "\t"], ["\n", ""]),
            ("(?s).", ["\n"], [""]),
            ("(?i)aB[x-z]", ["Aby", "abX"], ["abw"]),
            ("(?i:a)b", ["Ab"], ["AB"]),
            ("a(?i)b|c", ["aB", "C"], ["AB"]),
            ("(?-i)a(?U)b*", ["abb"], ["A"]),
            ("^a$", ["a"], ["", "b"]),
            ("\\Aa\\z", ["a"], ["aa"]),
            ("a^b", [], ["ab", "a^b"]),
            ("(^|x)a($|y)", ["a", "xa", "ay", "xay"], ["xax"]),
            ("$^", [""], ["a"]),
            ("(a*)*", ["", "aaa"], ["b"]),
            ("(|a)+", ["", "aa"], ["b"]),
            ("\\x41\\x{e9}\\n\\.", ["Aé\n."], ["A"]),
            ("/(api|v[12])/.*", ["/api/x", "/v2/"], ["/v3/", "/api"]),
        ] as [(String, [String], [String])])
    func wholeTextsAreCompared(pattern: String, good: [String], bad: [String]) throws {
        for text in good { #expect(try matches(pattern, text), "\(pattern) and \(text)") }
        for text in bad { #expect(try !matches(pattern, text), "\(pattern) and \(text)") }
    }

    @Test(arguments: [
        ("a(", "a ( without its )"), ("a)", "a ) without its ("), ("[a", "a [ without its ]"),
        ("*a", "a repetition with nothing before it"), ("a|+", "a repetition with nothing before it"),
        ("a**", "a repetition of a repetition"), ("a*{2}", "a repetition of a repetition"),
        ("a*+", "a possessive repetition is not supported"),
        ("a{1001}", "at most 1000"), ("a{3,2}", "from fewer to more"),
        ("(a{1000}){1000}", "the pattern is too large"), ("((){1000}){1000}", "the pattern is too large"),
        ("(?=a)", "lookahead is not supported"), ("(?!a)", "lookahead is not supported"),
        ("(?<=a)", "lookbehind is not supported"), ("(?<!a)", "lookbehind is not supported"),
        ("(?>a)", "an atomic group is not supported"), ("(?(1)a)", "a condition is not supported"),
        ("(?P=n)", "a backreference is not supported"), ("(a)\\1", "a backreference is not supported"),
        ("(?m)a", "the flag m is not supported"), ("(?", "a ( without its )"),
        ("(?P<n", "a group's name without its >"), ("(?P<é>a)", "a group's name has"),
        ("\\pL", "a class of Unicode (\\p) is not supported"), ("\\P{Greek}", "a class of Unicode"),
        ("[\\pL]", "a class of Unicode"), ("\\ba", "a word boundary (\\b) is not supported"),
        ("\\Qa\\E", "\\Q is not supported"), ("\\y", "\\y means nothing"), ("a\\", "a \\ at the end"),
        ("[é]", "a class with characters beyond ASCII"), ("[b-a]", "a range from more to less"),
        ("[[:alhpa:]]", "there is no class [:alhpa:]"), ("\\x4", "\\x needs"), ("\\x{110000}", "\\x needs"),
        (String(repeating: "(", count: 70), "nested more than 64 deep"),
        (String(repeating: "a", count: 4097), "more than 4096 bytes"),
    ])
    func badPatternsAreNamed(pattern: String, message: String) {
        let error = #expect(throws: RegexError.self) { try RegexMatcher(pattern) }
        #expect(error?.message.contains(message) == true, "\(pattern): \(String(describing: error))")
        #expect(throws: RegexError.self) { try RegexMatcher.check(pattern) }
    }

    /// Patterns that take exponential time where every way is tried.
    @Test(arguments: ["(a+)+$", "(a|a)*b", "(a*)*b", "(a|aa)+$", "(.*)(.*)(.*)(.*)x", "(x+x+)+y"])
    func catastrophicPatternsTakeLinearTime(pattern: String) throws {
        let text = Array(repeating: UInt8(ascii: "a"), count: 65_535) + [UInt8(ascii: "!")]
        let slow = try RegexMatcher(pattern, maximumStates: 0, maximumWork: 0)
        var run = RegexRun(slow)
        slow.advance(&run, over: text.span, in: 0..<text.count)
        #expect(run.work <= (text.count + 1) * slow.programSize)
        #expect(!slow.accepts(&run))
        let fast = try RegexMatcher(pattern)
        #expect(fast.isTable && !fast.matches(text))
    }

    @Test func patternsWithTooManyStatesStillMatch() throws {
        let pattern = "(a|b)*a(a|b){12}"
        let matcher = try RegexMatcher(pattern)
        #expect(!matcher.isTable)
        let text = Array("abbabbbbaabbbbabababb".utf8)
        #expect(matcher.matches(text) == (text[text.count - 13] == UInt8(ascii: "a")))
        #expect(matcher.matches(Array("abbbbbbbbbbbb".utf8)))
        #expect(!matcher.matches(Array("bbbbbbbbbbbbb".utf8)))
    }

    @Test func aTextMayComeInPieces() throws {
        for states in [0, 512] {
            let matcher = try RegexMatcher("a+, b+", maximumStates: states, maximumWork: 100_000)
            let text = Array("xaabby".utf8)
            var run = RegexRun(matcher)
            matcher.advance(&run, over: text.span, in: 1..<3)
            matcher.advance(&run, UInt8(ascii: ","))
            matcher.advance(&run, UInt8(ascii: " "))
            matcher.advance(&run, over: text.span, in: 3..<5)
            #expect(matcher.accepts(&run))
        }
    }
}
