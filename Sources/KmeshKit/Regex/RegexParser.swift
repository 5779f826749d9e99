/// Reads a pattern. Groups may be nested 64 deep; what is not supported is refused by its name.
struct RegexParser {
    static let maximumDepth = 64
    static let maximumRepetition = 1000
    static let maximumLength = 4096

    private let pattern: [UInt8]
    private var offset = 0
    private var ignoresCase = false
    private var dotTakesLineFeed = false

    static func parse(_ pattern: String) throws(RegexError) -> RegexNode {
        var parser = RegexParser(pattern: Array(pattern.utf8))
        guard parser.pattern.count <= maximumLength else {
            throw parser.error("the pattern has more than \(maximumLength) bytes")
        }
        let node = try parser.choice(depth: 0)
        guard parser.offset == parser.pattern.count else { throw parser.error("a ) without its (") }
        return node
    }

    private init(pattern: [UInt8]) { self.pattern = pattern }

    private func error(_ message: String) -> RegexError { RegexError(message: message, offset: offset) }

    private var next: UInt8? { offset < pattern.count ? pattern[offset] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private func begins(with text: StaticString) -> Bool {
        var index = offset
        for scalar in text.description.utf8 {
            guard index < pattern.count, pattern[index] == scalar else { return false }
            index += 1
        }
        return true
    }

    // MARK: Structure

    private mutating func choice(depth: Int) throws(RegexError) -> RegexNode {
        // Flags that are set inside a group end with it.
        let outer = (ignoresCase, dotTakesLineFeed)
        defer { (ignoresCase, dotTakesLineFeed) = outer }
        var branches = [try sequence(depth: depth)]
        while take("|") { branches.append(try sequence(depth: depth)) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence(depth: Int) throws(RegexError) -> RegexNode {
        var parts: [RegexNode] = []
        while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            guard let atom = try atom(depth: depth) else { continue }
            parts.append(try repetition(of: atom))
        }
        switch parts.count {
        case 0: return .empty
        case 1: return parts[0]
        default: return .sequence(parts)
        }
    }

    /// `nil` for what sets flags only.
    private mutating func atom(depth: Int) throws(RegexError) -> RegexNode? {
        guard let byte = next else { return .empty }
        switch byte {
        case UInt8(ascii: "("): return try group(depth: depth)
        case UInt8(ascii: "["):
            offset += 1
            return .bytes(try characterClass())
        case UInt8(ascii: "."):
            offset += 1
            return .bytes(dotTakesLineFeed ? .all : ByteSet(0...9, 11...255))
        case UInt8(ascii: "^"):
            offset += 1
            return .start
        case UInt8(ascii: "$"):
            offset += 1
            return .end
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            throw error("a repetition with nothing before it")
        case UInt8(ascii: "\\"):
            offset += 1
            return try escaped()
        default: return literal()
        }
    }

    /// One character, of one byte or of several.
    private mutating func literal() -> RegexNode {
        let first = pattern[offset]
        offset += 1
        guard first >= 0x80 else { return .bytes(single(first)) }
        var parts = [RegexNode.bytes(ByteSet(first...first))]
        while let byte = next, byte & 0xc0 == 0x80 {
            parts.append(.bytes(ByteSet(byte...byte)))
            offset += 1
        }
        return .sequence(parts)
    }

    private func single(_ byte: UInt8) -> ByteSet {
        let set = ByteSet(byte...byte)
        return ignoresCase ? set.ignoringCase : set
    }

    private mutating func group(depth: Int) throws(RegexError) -> RegexNode? {
        guard depth < Self.maximumDepth else {
            throw error("groups are nested more than \(Self.maximumDepth) deep")
        }
        offset += 1
        let outer = (ignoresCase, dotTakesLineFeed)
        if take("?") {
            guard try groupHead() else { return nil }
        }
        let node = try choice(depth: depth + 1)
        (ignoresCase, dotTakesLineFeed) = outer
        guard take(")") else { throw error("a ( without its )") }
        return node
    }

    /// What stands between `(?` and the group's pattern; `false` when the group ends there.
    private mutating func groupHead() throws(RegexError) -> Bool {
        for (text, name) in [
            ("=" as StaticString, "lookahead" as StaticString), ("!", "lookahead"), ("<=", "lookbehind"),
            ("<!", "lookbehind"), (">", "an atomic group"), ("#", "a comment"), ("|", "a branch reset"),
            ("(", "a condition"), ("P=", "a backreference"), ("P>", "recursion"), ("R", "recursion"),
        ] where begins(with: text) {
            throw error("\(name) is not supported")
        }
        if begins(with: "P<") || begins(with: "<") {
            while let byte = next, byte != UInt8(ascii: ">") {
                let isName =
                    byte == UInt8(ascii: "<") || byte == UInt8(ascii: "_") || RegexClass.word.contains(byte)
                guard isName else { throw error("a group's name has letters, digits and _") }
                offset += 1
            }
            guard take(">") else { throw error("a group's name without its >") }
            return true
        }
        return try flags()
    }

    private mutating func flags() throws(RegexError) -> Bool {
        var value = true
        while let byte = next {
            switch byte {
            case UInt8(ascii: "i"): ignoresCase = value
            case UInt8(ascii: "s"): dotTakesLineFeed = value
            // Whether a repetition is greedy does not matter to a match of the whole.
            case UInt8(ascii: "U"): break
            case UInt8(ascii: "-"): value = false
            case UInt8(ascii: ":"):
                offset += 1
                return true
            case UInt8(ascii: ")"):
                offset += 1
                return false
            default: throw error("the flag \(shown(byte)) is not supported")
            }
            offset += 1
        }
        throw error("a ( without its )")
    }

    private func shown(_ byte: UInt8) -> String {
        (0x20..<0x7f).contains(byte) ? String(UnicodeScalar(byte)) : "byte \(byte)"
    }

    // MARK: Repetition

    private mutating func repetition(of atom: RegexNode) throws(RegexError) -> RegexNode {
        guard let (least, most) = try bounds() else { return atom }
        if !take("?"), next == UInt8(ascii: "+") { throw error("a possessive repetition is not supported") }
        let again = offset
        if try bounds() != nil {
            offset = again
            throw error("a repetition of a repetition: put the inner one into a group")
        }
        return .repeated(atom, least: least, most: most)
    }

    private mutating func bounds() throws(RegexError) -> (Int, Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        guard next == UInt8(ascii: "{") else { return nil }
        let start = offset
        offset += 1
        guard let least = number() else {
            // Not a repetition: the brace stands for itself.
            offset = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = next == UInt8(ascii: "}") ? nil : number() ?? -1 }
        guard take("}"), most != -1 else {
            offset = start
            return nil
        }
        guard max(least, most ?? 0) <= Self.maximumRepetition, least <= most ?? least else {
            throw error("a repetition must be from fewer to more, at most \(Self.maximumRepetition)")
        }
        return (least, most)
    }

    /// Digits; large numbers stay large without overflow.
    private mutating func number() -> Int? {
        var value: Int?
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            value = min((value ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), 1_000_000)
            offset += 1
        }
        return value
    }
}

// MARK: Escapes and classes

extension RegexParser {
    private mutating func escaped() throws(RegexError) -> RegexNode {
        guard let byte = next else { throw error("a \\ at the end") }
        if let set = RegexClass.perl(byte) {
            offset += 1
            return .bytes(set)
        }
        switch byte {
        case UInt8(ascii: "A"):
            offset += 1
            return .start
        case UInt8(ascii: "z"):
            offset += 1
            return .end
        default:
            let scalar = try escapedScalar()
            guard scalar.value >= 0x80 else { return .bytes(single(UInt8(scalar.value))) }
            return .sequence(String(scalar).utf8.map { .bytes(ByteSet($0...$0)) })
        }
    }

    /// The character of an escape, from after its backslash.
    private mutating func escapedScalar() throws(RegexError) -> Unicode.Scalar {
        guard let byte = next else { throw error("a \\ at the end") }
        switch byte {
        case UInt8(ascii: "p"), UInt8(ascii: "P"):
            throw error("a class of Unicode (\\\(shown(byte))) is not supported")
        case UInt8(ascii: "b"), UInt8(ascii: "B"):
            throw error("a word boundary (\\\(shown(byte))) is not supported")
        case UInt8(ascii: "Q"), UInt8(ascii: "C"), UInt8(ascii: "G"), UInt8(ascii: "Z"), UInt8(ascii: "K"):
            throw error("\\\(shown(byte)) is not supported")
        case UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "k"), UInt8(ascii: "g"):
            throw error("a backreference is not supported")
        default: break
        }
        offset += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "v"): return "\u{b}"
        case UInt8(ascii: "a"): return "\u{7}"
        case UInt8(ascii: "0"): return "\0"
        case UInt8(ascii: "x"): return try hexadecimal()
        case 0x21..<0x7f where !RegexClass.word.contains(byte) || byte == UInt8(ascii: "_"):
            return Unicode.Scalar(byte)
        default:
            offset -= 1
            throw error("\\\(shown(byte)) means nothing")
        }
    }

    private mutating func hexadecimal() throws(RegexError) -> Unicode.Scalar {
        let isBraced = take("{")
        var value: UInt32 = 0
        var digits = 0
        while let byte = next, digits < (isBraced ? 8 : 2),
            let digit = Character(Unicode.Scalar(byte)).hexDigitValue
        {
            value = value << 4 | UInt32(digit)
            digits += 1
            offset += 1
        }
        let isWhole = isBraced ? digits > 0 && take("}") : digits == 2
        guard isWhole, let scalar = Unicode.Scalar(value) else {
            throw error("\\x needs two hexadecimal digits, or a character's number in braces")
        }
        return scalar
    }

    /// From after the opening bracket.
    private mutating func characterClass() throws(RegexError) -> ByteSet {
        let isNegated = take("^")
        var set = ByteSet()
        var isFirst = true
        while true {
            guard let byte = next else { throw error("a [ without its ]") }
            if byte == UInt8(ascii: "]"), !isFirst {
                offset += 1
                break
            }
            isFirst = false
            if let named = try namedClass() {
                set.formUnion(named)
                continue
            }
            let low = try classCharacter()
            guard next == UInt8(ascii: "-"), offset + 1 < pattern.count,
                pattern[offset + 1] != UInt8(ascii: "]")
            else {
                set.insert(low)
                continue
            }
            offset += 1
            let high = try classCharacter()
            guard low <= high else { throw error("a range from more to less") }
            set.insert(low...high)
        }
        if ignoresCase { set = set.ignoringCase }
        return isNegated ? set.inverted : set
    }

    /// `[:alpha:]`, `[:^alpha:]`, `\d` and so on.
    private mutating func namedClass() throws(RegexError) -> ByteSet? {
        if begins(with: "[:") {
            let start = offset + 2
            guard let end = pattern[start...].firstIndex(of: UInt8(ascii: ":")), end + 1 < pattern.count,
                pattern[end + 1] == UInt8(ascii: "]")
            else { return nil }
            var name = String(decoding: pattern[start..<end], as: UTF8.self)
            let isNegated = name.hasPrefix("^")
            if isNegated { name.removeFirst() }
            guard let set = RegexClass.posix(name) else { throw error("there is no class [:\(name):]") }
            offset = end + 2
            return isNegated ? set.inverted : set
        }
        guard next == UInt8(ascii: "\\"), offset + 1 < pattern.count,
            let set = RegexClass.perl(pattern[offset + 1])
        else { return nil }
        offset += 2
        return set
    }

    private mutating func classCharacter() throws(RegexError) -> UInt8 {
        guard let byte = next else { throw error("a [ without its ]") }
        offset += 1
        var value = UInt32(byte)
        if byte == UInt8(ascii: "\\") { value = try escapedScalar().value }
        guard value < 0x80 else {
            throw error("a class with characters beyond ASCII is not supported: use (a|b)")
        }
        return UInt8(value)
    }
}

/// Classes that have a name. ASCII only.
enum RegexClass {
    static let word = ByteSet(0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a)

    /// The class of `\d` and so on, by its letter.
    static func perl(_ letter: UInt8) -> ByteSet? {
        switch letter {
        case UInt8(ascii: "d"): ByteSet(0x30...0x39)
        case UInt8(ascii: "D"): ByteSet(0x30...0x39).inverted
        case UInt8(ascii: "w"): word
        case UInt8(ascii: "W"): word.inverted
        case UInt8(ascii: "s"): ByteSet(0x09...0x0a, 0x0c...0x0d, 0x20...0x20)
        case UInt8(ascii: "S"): ByteSet(0x09...0x0a, 0x0c...0x0d, 0x20...0x20).inverted
        default: nil
        }
    }

    static func posix(_ name: String) -> ByteSet? {
        switch name {
        case "alnum": ByteSet(0x30...0x39, 0x41...0x5a, 0x61...0x7a)
        case "alpha": ByteSet(0x41...0x5a, 0x61...0x7a)
        case "ascii": ByteSet(0x00...0x7f)
        case "blank": ByteSet(0x09...0x09, 0x20...0x20)
        case "cntrl": ByteSet(0x00...0x1f, 0x7f...0x7f)
        case "digit": ByteSet(0x30...0x39)
        case "graph": ByteSet(0x21...0x7e)
        case "lower": ByteSet(0x61...0x7a)
        case "print": ByteSet(0x20...0x7e)
        case "punct": ByteSet(0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e)
        case "space": ByteSet(0x09...0x0d, 0x20...0x20)
        case "upper": ByteSet(0x41...0x5a)
        case "word": word
        case "xdigit": ByteSet(0x30...0x39, 0x41...0x46, 0x61...0x66)
        default: nil
        }
    }
}
