/// A word or a single sign of code, and where it stands.
struct Token: Hashable, Sendable {
    let text: String
    /// Counted from 1.
    let line: Int
    /// Of the first byte in the file.
    let offset: Int

    /// Whether nothing, not even a space, is between this token and `next`.
    func touches(_ next: Token) -> Bool { offset + text.utf8.count == next.offset }
}

/// Splits masked code. Words are letters, digits, underscores and whatever is not ASCII.
func tokenize(_ code: [UInt8]) -> [Token] {
    var tokens: [Token] = []
    var line = 1
    var position = 0
    while position < code.count {
        let start = position
        while position < code.count, isWordByte(code[position]) { position += 1 }
        if position == start {
            position += 1
            if code[start] == UInt8(ascii: "\n") { line += 1 }
            if code[start] <= UInt8(ascii: " ") || code[start] == UInt8(ascii: "`") { continue }
        }
        let text = String(decoding: code[start..<position], as: UTF8.self)
        tokens.append(Token(text: text, line: line, offset: start))
    }
    return tokens
}

extension [Token] {
    /// Where `pattern` stands in this order. A pattern of signs glued to a word, such as `try!`, must touch.
    func lines(of pattern: [String], touching: Bool = false) -> [Int] {
        indices.filter { start in
            guard start + pattern.count <= count else { return false }
            return pattern.indices.allSatisfy { step in
                self[start + step].text == pattern[step]
                    && (!touching || step == 0 || self[start + step - 1].touches(self[start + step]))
            }
        }.map { self[$0].line }
    }

    func text(at index: Int) -> String? { indices.contains(index) ? self[index].text : nil }
}

private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: true
    default: false
    }
}
